package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ChannelLinkSpec is what a platform team declares: a chat channel, the identity provider its users sign in at, and
// how the server between the two runs.
//
// +kubebuilder:validation:XValidation:rule="self.platform == oldSelf.platform",message="platform is immutable: create a new ChannelLink"
// +kubebuilder:validation:XValidation:rule="self.pageID == oldSelf.pageID",message="pageID is immutable: create a new ChannelLink"
// +kubebuilder:validation:XValidation:rule="has(self.botBonnie) || (self.platform == 'Facebook' ? has(self.messenger) : has(self.line))",message="say how the platform is reached: set botBonnie, messenger (platform Facebook) or line (platform LINE)"
// +kubebuilder:validation:XValidation:rule="!has(self.messenger) || self.platform == 'Facebook'",message="messenger is for platform Facebook; remove it or use line"
// +kubebuilder:validation:XValidation:rule="!has(self.line) || self.platform == 'LINE'",message="line is for platform LINE; remove it or use messenger"
// +kubebuilder:validation:XValidation:rule="has(self.botBonnie) || !has(self.messenger) || (has(self.messenger.appSecretRef) && has(self.messenger.verifyTokenSecretRef))",message="without botBonnie, messenger needs appSecretRef and verifyTokenSecretRef"
// +kubebuilder:validation:XValidation:rule="has(self.botBonnie) || !has(self.line) || has(self.line.channelSecretRef)",message="without botBonnie, line needs channelSecretRef"
// +kubebuilder:validation:XValidation:rule="has(self.botBonnie) || self.linking.confirmation != 'AfterRedirect'",message="linking.confirmation: AfterRedirect is for channels with botBonnie"
// +kubebuilder:validation:XValidation:rule="has(self.botBonnie) || self.linking.code != 'Stable'",message="linking.code: Stable is for channels with botBonnie"
// +kubebuilder:validation:XValidation:rule="!has(self.services) || size(self.services) == 0 || (has(self.botBonnie) && has(self.botBonnie.apiSecretRef))",message="services need botBonnie.apiSecretRef: without it BotBonnie's calls cannot be verified"
// +kubebuilder:validation:XValidation:rule="self.server.replicas <= 1 || has(self.store.postgres)",message="server.replicas greater than 1 needs store.postgres: SQLite serves one replica"
// +kubebuilder:validation:XValidation:rule="!has(self.server.autoscaling) || has(self.store.postgres)",message="server.autoscaling needs store.postgres: SQLite serves one replica"
// +kubebuilder:validation:XValidation:rule="self.webhook.registration != 'Observe' || (has(self.line) && has(self.line.channelAccessTokenSecretRef)) || (has(self.messenger) && has(self.messenger.pageAccessTokenSecretRef))",message="webhook.registration: Observe needs line.channelAccessTokenSecretRef or messenger.pageAccessTokenSecretRef"
type ChannelLinkSpec struct {
	// Platform of the chat: `Facebook` (Messenger) or `LINE`. Immutable.
	Platform Platform `json:"platform"`
	// PageID is the Facebook Page's id or the LINE Official Account's id, as it comes in the parameter `pageId` or in
	// the platform's events, for example `507oftxz`. Immutable.
	//
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[@A-Za-z0-9._-]+$`
	PageID string `json:"pageID"`
	// DisplayName of the channel, shown to people on the pages, for example `Vision HR`. Absent: the object's name.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	DisplayName string `json:"displayName,omitempty"`
	// Branding of the pages and of the prompts. Absent: plain pages with the display name.
	//
	// +optional
	Branding *Branding `json:"branding,omitempty"`
	// PublicURL is where people's phones and the platforms reach the server, for example
	// `https://link.vision.example/hr`. A path prefix is allowed. Its host belongs to one namespace, unless the
	// operator allows shared hosts. At most 480 characters, because LINE takes a webhook URL of at most 500.
	//
	// +kubebuilder:validation:XValidation:rule="size(self) <= 480",message="publicURL must have at most 480 characters: the webhook URL that LINE takes has at most 500"
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('/')",message="publicURL must not end with a slash"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z]+://[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*(:[0-9]{1,5})?([/?]|$)')",message="publicURL's host must be a DNS name in lower case, such as link.vision.example"
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^/]*//[^/?]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$')",message="publicURL must be scheme, host and a plain path: no query, and path segments of letters, digits and - . _ ~ that do not begin with a dot"
	PublicURL URL `json:"publicURL"`
	// BotBonnie is set when BotBonnie stands in front of the platform. Absent: the platform calls the server directly.
	//
	// +optional
	BotBonnie *BotBonnie `json:"botBonnie,omitempty"`
	// Messenger is set on platform Facebook. Required without `botBonnie`.
	//
	// +optional
	Messenger *Messenger `json:"messenger,omitempty"`
	// LINE is set on platform LINE. Required without `botBonnie`.
	//
	// +optional
	LINE *LINE `json:"line,omitempty"`
	// OIDC names the company's OpenID provider.
	OIDC OIDC `json:"oidc"`
	// Linking are the rules of a link. Absent: each at its default.
	//
	// +optional
	// +kubebuilder:default={}
	Linking *Linking `json:"linking,omitempty"`
	// Services are the personalised services that BotBonnie's JSON API may call. Absent: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Services []Service `json:"services,omitempty"`
	// API turns on the server's API for the company's bot. Absent: off.
	//
	// +optional
	API *API `json:"api,omitempty"`
	// Webhook says what happens with the platform's webhook calls beside linking. Absent: each at its default.
	//
	// +optional
	// +kubebuilder:default={}
	Webhook *Webhook `json:"webhook,omitempty"`
	// Store says where links are kept. Absent: SQLite on a volume of 1Gi.
	//
	// +optional
	// +kubebuilder:default={}
	Store *Store `json:"store,omitempty"`
	// Exposure says how the outside reaches the server. Absent: nothing is made; expose the Service yourself.
	//
	// +optional
	Exposure *Exposure `json:"exposure,omitempty"`
	// Server are the settings of the Deployment. Absent: each at its default.
	//
	// +optional
	// +kubebuilder:default={}
	Server *Server `json:"server,omitempty"`
	// DeletionPolicy says what deleting the ChannelLink does to the links. `Retain`: they stay where they are stored
	// and nobody is called. `UnlinkAll`: every user is unlinked at the platform first. Absent: `Retain`.
	//
	// +optional
	// +kubebuilder:default=Retain
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
	// UnlinkAllTimeoutSeconds bounds how long a deletion with the policy `UnlinkAll` waits until every user is unlinked.
	// Absent: 600.
	//
	// +optional
	// +kubebuilder:default=600
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=86400
	UnlinkAllTimeoutSeconds *int32 `json:"unlinkAllTimeoutSeconds,omitempty"`
	// Suspend makes the operator leave the objects it made as they are; the server goes on serving. Absent: false.
	//
	// +optional
	// +kubebuilder:default=false
	Suspend *bool `json:"suspend,omitempty"`
}

// Branding is how the pages and prompts look.
type Branding struct {
	// LoginTitle is the title of the log-in prompt. Absent: the display name.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	LoginTitle string `json:"loginTitle,omitempty"`
	// LogoutTitle is the title of the log-out prompt. Absent: the display name.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=80
	LogoutTitle string `json:"logoutTitle,omitempty"`
	// ImageURL is the picture of the prompts, fetched by the chat platform. Absent: no picture.
	//
	// +optional
	ImageURL URL `json:"imageURL,omitempty"`
	// LogoRef names a PNG or SVG of at most 64 KiB for the pages. Absent: no logo.
	//
	// +optional
	LogoRef *ConfigMapKeyReference `json:"logoRef,omitempty"`
	// AccentColor of the pages' buttons, for example `#0b5fff`. Absent: the default blue.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=7
	// +kubebuilder:validation:Pattern=`^#[0-9a-fA-F]{6}$`
	AccentColor string `json:"accentColor,omitempty"`
}

// DeletionPolicy says what deleting a ChannelLink does to its links.
//
// +kubebuilder:validation:Enum=Retain;UnlinkAll
// +kubebuilder:validation:MaxLength=16
type DeletionPolicy string

// The values of DeletionPolicy.
const (
	DeletionPolicyRetain    DeletionPolicy = "Retain"
	DeletionPolicyUnlinkAll DeletionPolicy = "UnlinkAll"
)

// ChannelLinkStatus is what the operator has seen.
type ChannelLinkStatus struct {
	// ObservedGeneration is the generation of the spec that this status speaks of; -1 before the operator has seen the
	// object. Absent: as -1.
	//
	// +optional
	// +kubebuilder:validation:Minimum=-1
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Conditions: Ready sums up Accepted, SecretsReady, IssuerDiscovered, StoreReady, Available, and Exposed and
	// Registered where they are asked for. Reconciling and Stalled tell a generic tool whether to wait or to give up.
	// ConfirmationSeen tells whether the platform has ever confirmed a link. Absent: the operator has not seen the
	// object.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Replicas of the server that exist. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas,omitempty"`
	// ReadyReplicas of the server. Absent: none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	ReadyReplicas int32 `json:"readyReplicas,omitempty"`
	// Selector of the server's pods, in the form of a label query; for `kubectl scale` and autoscalers. Absent: the
	// server has not been made yet.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Selector string `json:"selector,omitempty"`
	// ActiveLinks is the number of active links, refreshed at most every 5 minutes. Absent: not known yet.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	ActiveLinks *int64 `json:"activeLinks,omitempty"`
	// Endpoints are the URLs to enter at BotBonnie, at the chat platform and at the identity provider. Absent: the spec
	// is not accepted yet.
	//
	// +optional
	Endpoints *Endpoints `json:"endpoints,omitempty"`
}

// Endpoints are the URLs that the server answers.
type Endpoints struct {
	// Authorize is the login URL: for BotBonnie's linking kit, Messenger's Log In button or LINE's message. Absent: not
	// known yet.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Authorize string `json:"authorize,omitempty"`
	// Callback is the redirect URI to register at the identity provider. Absent: not known yet.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Callback string `json:"callback,omitempty"`
	// Webhook is the webhook URL to register at the chat platform, or to relay its events to. Absent: nothing of the
	// platform is to be relayed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Webhook string `json:"webhook,omitempty"`
	// Linked is the JSON API URL for BotBonnie's module "linked". Absent: no `botBonnie.apiSecretRef`.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Linked string `json:"linked,omitempty"`
	// Unlinked is the JSON API URL for BotBonnie's module "unlinked". Absent: no `botBonnie.apiSecretRef`.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Unlinked string `json:"unlinked,omitempty"`
	// Introspect is where a backend checks a code and a user id (RFC 7662). Absent: `api.introspectionTokenSecretRef`
	// is not set.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Introspect string `json:"introspect,omitempty"`
	// Services are the JSON API URLs of the personalised services. Absent: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Services []ServiceEndpoint `json:"services,omitempty"`
}

// ServiceEndpoint is the URL of one personalised service.
type ServiceEndpoint struct {
	// Name of the service.
	//
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// URL to enter in BotBonnie's module.
	//
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url"`
}

// ChannelLink joins the users of one chat channel (a Facebook Page or a LINE Official Account, directly or through
// BotBonnie) with their identities at the company's OpenID provider, by a webhook and authorize server of its own.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=chl,categories=chatlinks
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.server.replicas,statuspath=.status.replicas,selectorpath=.status.selector
// +kubebuilder:printcolumn:name="Platform",type=string,JSONPath=`.spec.platform`
// +kubebuilder:printcolumn:name="Page",type=string,JSONPath=`.spec.pageID`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Links",type=integer,JSONPath=`.status.activeLinks`
// +kubebuilder:printcolumn:name="Authorize URL",type=string,JSONPath=`.status.endpoints.authorize`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ChannelLink struct {
	metav1.TypeMeta `json:",inline"`
	// Standard object metadata.
	//
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// Spec is what is wanted.
	Spec ChannelLinkSpec `json:"spec"`
	// Status is what the operator has seen; only the operator writes it.
	//
	// +optional
	// +kubebuilder:default={"observedGeneration":-1,"conditions":{{"type":"Ready","status":"Unknown","reason":"Pending","message":"Waiting for the operator","lastTransitionTime":"1970-01-01T00:00:00Z"}}}
	Status ChannelLinkStatus `json:"status,omitempty"`
}

// ChannelLinkList is a list of ChannelLinks.
//
// +kubebuilder:object:root=true
type ChannelLinkList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// Items of the list.
	Items []ChannelLink `json:"items"`
}
