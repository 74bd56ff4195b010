package v1alpha1

// BotBonnie says how the server and BotBonnie reach and trust each other when BotBonnie stands between the chat
// platform and the company.
type BotBonnie struct {
	// BotID is the bot's id at BotBonnie, for example `bot-M-BOieOXZ` (console: Settings > Advanced).
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	BotID string `json:"botID"`
	// APITokenSecretRef names the API token (a bearer token) with which the server calls BotBonnie's API: to confirm
	// links and to unlink. Of several tokens, one a line, the first is sent.
	APITokenSecretRef SecretKeyReference `json:"apiTokenSecretRef"`
	// APISecretRef names the API secret, the key of `X-Hub-Signature` on calls that BotBonnie makes to the server.
	// Absent: the server refuses such calls, and `services` may not be used.
	//
	// +optional
	APISecretRef *SecretKeyReference `json:"apiSecretRef,omitempty"`
	// URLKeySecretRef names a key that JSON API URLs must carry as `?k=<key>`, because BotBonnie's signature covers
	// the body only. Absent: no such parameter is asked for.
	//
	// +optional
	URLKeySecretRef *SecretKeyReference `json:"urlKeySecretRef,omitempty"`
	// StartLinkingModule is the id of the module "start account linking", for example `module-ry49xXQU2`: the target
	// of the button that an unlinked user gets. Absent: the prompt is text alone.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	StartLinkingModule string `json:"startLinkingModule,omitempty"`
	// MaxCallsPerSecond bounds the calls to BotBonnie's API for this channel, divided by the number of replicas.
	// Absent: 10.
	//
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxCallsPerSecond *int32 `json:"maxCallsPerSecond,omitempty"`
	// Endpoints replaces BotBonnie's public addresses, for a test double. Absent: the public ones. Hosts that are not
	// BotBonnie's own must be allowed by the operator's flag `--allow-endpoint-hosts`.
	//
	// +optional
	Endpoints *BotBonnieEndpoints `json:"endpoints,omitempty"`
}

// BotBonnieEndpoints are the addresses of BotBonnie.
type BotBonnieEndpoints struct {
	// API is the base of BotBonnie's server API. Absent: `https://api.botbonnie.com`.
	//
	// +optional
	API URL `json:"api,omitempty"`
	// Redirect is where the browser goes after the login. Absent: `https://rd.botbonnie.com/account/link`.
	//
	// +optional
	Redirect URL `json:"redirect,omitempty"`
}

// Messenger says how the server and Facebook Messenger reach and trust each other.
type Messenger struct {
	// AppSecretRef names the app secret, the key of `X-Hub-Signature-256` on webhook calls. Several secrets, one a
	// line, are accepted during a rotation. Required without `botBonnie`; with it, absent means that no event of the
	// platform is relayed to the server.
	//
	// +optional
	AppSecretRef *SecretKeyReference `json:"appSecretRef,omitempty"`
	// VerifyTokenSecretRef names the token that Meta sends when the webhook URL is registered. Required without
	// `botBonnie`.
	//
	// +optional
	VerifyTokenSecretRef *SecretKeyReference `json:"verifyTokenSecretRef,omitempty"`
	// PageAccessTokenSecretRef names the page access token: for asking Meta which user a login belongs to, for the
	// name and picture on the consent page, for prompts and for unlinking. Absent: none of these happen, and a login
	// is confirmed by the signed event alone.
	//
	// +optional
	PageAccessTokenSecretRef *SecretKeyReference `json:"pageAccessTokenSecretRef,omitempty"`
	// AllowSHA1 also accepts webhook calls that carry only the older `X-Hub-Signature` (SHA-1). Absent: false; they
	// are refused.
	//
	// +optional
	// +kubebuilder:default=false
	AllowSHA1 *bool `json:"allowSHA1,omitempty"`
	// RedirectHosts are the hosts to which a login may return, compared exactly. Absent: `www.facebook.com`,
	// `facebook.com`, `m.facebook.com`, `www.messenger.com` and `messenger.com`.
	//
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	RedirectHosts []HostName `json:"redirectHosts,omitempty"`
	// GraphEndpoint is the base of the Graph API with its version. Absent: Meta's public one. Hosts that are not
	// Meta's own must be allowed by the operator's flag `--allow-endpoint-hosts`.
	//
	// +optional
	GraphEndpoint URL `json:"graphEndpoint,omitempty"`
}

// LINE says how the server and the LINE Messaging API reach and trust each other.
type LINE struct {
	// ChannelSecretRef names the channel secret, the key of `x-line-signature` on webhook calls. Several secrets, one
	// a line, are accepted during a rotation. Required without `botBonnie`; with it, absent means that no event of the
	// platform is relayed to the server.
	//
	// +optional
	ChannelSecretRef *SecretKeyReference `json:"channelSecretRef,omitempty"`
	// ChannelAccessTokenSecretRef names the channel access token: for link tokens, prompts, and the name and picture
	// on the consent page. Absent: the company's bot asks for link tokens itself.
	//
	// +optional
	ChannelAccessTokenSecretRef *SecretKeyReference `json:"channelAccessTokenSecretRef,omitempty"`
	// BotUserID is the bot's own user id, for example `U8e742f61d673b39c7fff3cecb7536ef0`; webhook calls for another
	// `destination` are refused. Absent: the destination is not compared.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=33
	// +kubebuilder:validation:Pattern=`^U[0-9a-f]{32}$`
	BotUserID string `json:"botUserID,omitempty"`
	// Endpoints replaces LINE's public addresses, for a test double. Absent: the public ones. Hosts that are not
	// LINE's own must be allowed by the operator's flag `--allow-endpoint-hosts`.
	//
	// +optional
	Endpoints *LINEEndpoints `json:"endpoints,omitempty"`
}

// LINEEndpoints are the addresses of LINE.
type LINEEndpoints struct {
	// API is the base of the Messaging API. Absent: `https://api.line.me`.
	//
	// +optional
	API URL `json:"api,omitempty"`
	// AccountLink is where the browser goes after the login. Absent: `https://access.line.me/dialog/bot/accountLink`.
	//
	// +optional
	AccountLink URL `json:"accountLink,omitempty"`
}
