// Package config is the settings file that both halves agree on: the operator renders it into a ConfigMap and the server
// reads it. It holds no secret, only the names of the files in which the server finds them.
package config

import (
	"net/netip"
	"time"
)

// Version of the settings file's layout. A server refuses a file of another version: the two halves come from one
// release, and a guess at a setting that guards sign-ins would be worse than a pod that says why it will not start.
const Version = 1

// Where the operator mounts what the settings refer to.
const (
	// SettingsFile is the settings' file name in its ConfigMap.
	SettingsFile = "settings.json"
	// OperatorKeysFile holds the public keys (a JWK set) that sign admin requests; it is reloaded without a restart.
	OperatorKeysFile = "operator-keys.json"
	// SettingsDir is where the ConfigMap is mounted.
	SettingsDir = "/etc/channellink/settings"
	// ReferencesDir is where the keys of Secrets and ConfigMaps are mounted, a file for each.
	ReferencesDir = "/etc/channellink/references"
	// DataDir is where the volume of the SQLite store is mounted.
	DataDir = "/var/lib/channellink"
)

// Ports of the server. They are fixed, because Services and the NetworkPolicy name them.
const (
	PublicPort = 8080
	OpsPort    = 8081
	AdminPort  = 8082
)

// Settings is the whole file. A server process serves a set of channels; a dedicated Deployment serves one.
type Settings struct {
	Version  int       `json:"version"`
	LogLevel string    `json:"logLevel,omitempty"`
	Network  Network   `json:"network"`
	Store    Store     `json:"store"`
	Channels []Channel `json:"channels"`
}

// Network is what the cluster's administrator allows servers to call. A ChannelLink cannot widen it.
type Network struct {
	// AllowLocal permits loopback and link-local addresses, and plain http to localhost and *.localhost.
	AllowLocal bool `json:"allowLocal,omitempty"`
	// DenyPrivate refuses private address ranges, which are allowed otherwise because company issuers live there.
	DenyPrivate bool `json:"denyPrivate,omitempty"`
	// Deny lists addresses that are refused always. The server adds that of the Kubernetes API, as its pod knows it: a
	// Service of any name can stand for it.
	Deny []netip.Prefix `json:"deny,omitempty"`
}

// Store says where the process keeps links; exactly one of SQLite and Postgres is set.
type Store struct {
	SQLite   *SQLite   `json:"sqlite,omitempty"`
	Postgres *Postgres `json:"postgres,omitempty"`
	// EncryptionKeys seal what is confidential; newest first, one a line.
	EncryptionKeys *File    `json:"encryptionKeys,omitempty"`
	AuditRetention Duration `json:"auditRetention"`
}

// SQLite is a database file of the process alone.
type SQLite struct {
	// Dir is the directory of the database and its lock file.
	Dir string `json:"dir"`
}

// Postgres is a database that several processes share.
type Postgres struct {
	DSN      File  `json:"dsn"`
	MaxConns int32 `json:"maxConns"`
}

// File is a mounted key of a Secret or ConfigMap.
type File struct {
	// Field of the ChannelLink's spec that refers to the key, for example `botBonnie.apiTokenSecretRef`. Server and
	// operator speak of the reference by this name, so that no name that a server makes up reaches a status.
	Field string `json:"field"`
	// Path of the file.
	Path string `json:"path"`
}

// Channel is one chat channel and everything the server needs to serve it.
type Channel struct {
	// UID of the ChannelLink: the audience of admin requests. It is not the channel's key in the store, because links
	// outlive the object: platform and page id are (link.NewChannelID).
	UID       string `json:"uid"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Platform is Facebook or LINE.
	Platform    string   `json:"platform"`
	PageID      string   `json:"pageID"`
	DisplayName string   `json:"displayName"`
	Branding    Branding `json:"branding"`
	PublicURL   string   `json:"publicURL"`
	// TrustedProxyHops is the number of proxies whose X-Forwarded-For entries count.
	TrustedProxyHops int32 `json:"trustedProxyHops,omitempty"`

	BotBonnie *BotBonnie `json:"botBonnie,omitempty"`
	Messenger *Messenger `json:"messenger,omitempty"`
	LINE      *LINE      `json:"line,omitempty"`
	OIDC      OIDC       `json:"oidc"`
	Linking   Linking    `json:"linking"`
	Services  []Service  `json:"services,omitempty"`
	API       API        `json:"api"`
	Webhook   Webhook    `json:"webhook"`
}

// Branding is how pages and prompts look.
type Branding struct {
	LoginTitle  string `json:"loginTitle,omitempty"`
	LogoutTitle string `json:"logoutTitle,omitempty"`
	ImageURL    string `json:"imageURL,omitempty"`
	Logo        *File  `json:"logo,omitempty"`
	AccentColor string `json:"accentColor,omitempty"`
}

// BotBonnie is how server and BotBonnie reach each other.
type BotBonnie struct {
	BotID              string `json:"botID"`
	APIToken           File   `json:"apiToken"`
	APISecret          *File  `json:"apiSecret,omitempty"`
	URLKey             *File  `json:"urlKey,omitempty"`
	StartLinkingModule string `json:"startLinkingModule,omitempty"`
	// MaxCallsPerSecond of this replica: the channel's bound divided by the number of replicas.
	MaxCallsPerSecond float64 `json:"maxCallsPerSecond"`
	APIEndpoint       string  `json:"apiEndpoint"`
	RedirectEndpoint  string  `json:"redirectEndpoint"`
}

// Messenger is how server and Meta reach each other.
type Messenger struct {
	AppSecret       *File    `json:"appSecret,omitempty"`
	VerifyToken     *File    `json:"verifyToken,omitempty"`
	PageAccessToken *File    `json:"pageAccessToken,omitempty"`
	AllowSHA1       bool     `json:"allowSHA1,omitempty"`
	RedirectHosts   []string `json:"redirectHosts"`
	GraphEndpoint   string   `json:"graphEndpoint"`
	// Siblings are the public ports of servers for other pages of the same Facebook app, as base URLs.
	Siblings []string `json:"siblings,omitempty"`
	// SiblingWebhooks are the public webhook URLs of those servers, with Webhook.Observe alone: the app's webhook may be any
	// of them.
	SiblingWebhooks []string `json:"siblingWebhooks,omitempty"`
}

// LINE is how server and LINE reach each other.
type LINE struct {
	ChannelSecret       *File  `json:"channelSecret,omitempty"`
	ChannelAccessToken  *File  `json:"channelAccessToken,omitempty"`
	BotUserID           string `json:"botUserID,omitempty"`
	APIEndpoint         string `json:"apiEndpoint"`
	AccountLinkEndpoint string `json:"accountLinkEndpoint"`
}

// OIDC is the company's OpenID provider and what is asked of it.
type OIDC struct {
	IssuerURL    string `json:"issuerURL"`
	ClientID     string `json:"clientID"`
	ClientSecret *File  `json:"clientSecret,omitempty"`
	// ClientSecretIssuer is the key `issuer` of the client secret's Secret, if it has one: the only issuer that may
	// get the secret.
	ClientSecretIssuer *File             `json:"clientSecretIssuer,omitempty"`
	PrivateKey         *File             `json:"privateKey,omitempty"`
	CABundle           *File             `json:"caBundle,omitempty"`
	Scopes             []string          `json:"scopes"`
	UserClaim          string            `json:"userClaim"`
	DisplayClaims      []string          `json:"displayClaims,omitempty"`
	RequiredClaims     string            `json:"requiredClaims,omitempty"`
	Prompt             string            `json:"prompt,omitempty"`
	MaxAge             *Duration         `json:"maxAge,omitempty"`
	ACRValues          []string          `json:"acrValues,omitempty"`
	UILocales          []string          `json:"uiLocales,omitempty"`
	ExtraAuthParams    map[string]string `json:"extraAuthParams,omitempty"`
	ExternalBrowser    bool              `json:"externalBrowser,omitempty"`
}

// Linking are the rules of a link.
type Linking struct {
	// AfterRedirect activates a link at the redirect, before the platform confirms it.
	AfterRedirect bool `json:"afterRedirect,omitempty"`
	// StableCode makes the code a keyed pseudonym of the person.
	StableCode         bool      `json:"stableCode,omitempty"`
	CodeKey            *File     `json:"codeKey,omitempty"`
	MaxLinksPerSubject int32     `json:"maxLinksPerSubject,omitempty"`
	MaxAge             *Duration `json:"maxAge,omitempty"`
}

// Service is one personalised service.
type Service struct {
	Name         string   `json:"name"`
	URL          string   `json:"url"`
	Audience     string   `json:"audience"`
	Timeout      Duration `json:"timeout"`
	Template     string   `json:"template,omitempty"`
	FallbackText string   `json:"fallbackText,omitempty"`
}

// API is the server's API for the company's bot; a part without a token is off.
type API struct {
	Token              *File `json:"token,omitempty"`
	IntrospectionToken *File `json:"introspectionToken,omitempty"`
}

// Webhook says what happens with events that do not concern linking.
type Webhook struct {
	ForwardTo string   `json:"forwardTo,omitempty"`
	Timeout   Duration `json:"timeout"`
	// Observe compares the webhook URL that is set at the platform with ours.
	Observe bool `json:"observe,omitempty"`
}

// Duration is a time.Duration that is written as `1m30s` in JSON.
type Duration time.Duration

// Std is the duration as the standard library has it.
func (d Duration) Std() time.Duration { return time.Duration(d) }
