// Package adminapi is what the operator and a server say to each other: the types, the signed tokens that authorise a
// request, and the client.
//
// The operator cannot read a user's Secret and the server holds no Kubernetes credential, so whatever needs a secret
// happens in the server and is reported here. A status carries enumerations and numbers alone: nothing that an upstream or
// a user wrote can reach the status of a resource through it.
package adminapi

// StatusPath answers a Status to GET.
const StatusPath = "/admin/v1/status"

// TokenType is the `typ` of the tokens that authorise admin requests.
const TokenType = "channellink-admin+jwt"

// Status is what a server sees of one channel.
type Status struct {
	// Version of the server's release.
	Version string `json:"version"`
	// SettingsHash is the SHA-256, in lower-case hex, of the settings file that the process runs with: it tells an
	// old pod's answer from a new one's during a rollout.
	SettingsHash string `json:"settingsHash"`
	// KeyIDs are the operator keys that the server accepts. The operator signs with a new key only after its id
	// stands here.
	KeyIDs     []string    `json:"keyIDs"`
	References []Reference `json:"references"`
	Issuer     Issuer      `json:"issuer"`
	Store      Store       `json:"store"`
	Links      *Links      `json:"links,omitempty"`
	// Confirmation is absent while the store cannot tell.
	Confirmation *Confirmation `json:"confirmation,omitempty"`
	// Registration is absent unless it is asked for.
	Registration *Registration `json:"registration,omitempty"`
}

// ReferenceState says what the server finds where a reference is mounted.
type ReferenceState string

// The states of a reference. Every other than Present is reported; Vanished means that the server goes on with the last
// value it had.
const (
	ReferencePresent  ReferenceState = "Present"
	ReferenceMissing  ReferenceState = "Missing"
	ReferenceEmpty    ReferenceState = "Empty"
	ReferenceInvalid  ReferenceState = "Invalid"
	ReferenceVanished ReferenceState = "Vanished"
	// ReferenceUnknown stands for a value that this release does not know.
	ReferenceUnknown ReferenceState = "Unknown"
)

// Reference is the state of one mounted key.
type Reference struct {
	// Field of the ChannelLink's spec, as config.File has it.
	Field string         `json:"field"`
	State ReferenceState `json:"state"`
}

// IssuerState says what the server knows of the issuer.
type IssuerState string

// The states of an issuer.
const (
	// IssuerPending: discovery has not ended yet.
	IssuerPending IssuerState = "Pending"
	// IssuerDiscovered: endpoints and keys are known and fresh.
	IssuerDiscovered IssuerState = "Discovered"
	// IssuerStale: the last refresh failed; what was known before is used, and is less than 24 hours old.
	IssuerStale IssuerState = "Stale"
	// IssuerFailed: nothing usable is known.
	IssuerFailed IssuerState = "Failed"
	// IssuerUnknown stands for a value that this release does not know.
	IssuerUnknown IssuerState = "Unknown"
)

// IssuerReason says why discovery failed, in words for the operator; the server's own are in its log.
type IssuerReason string

// Reasons of a failed discovery.
const (
	IssuerUnreachable     IssuerReason = "Unreachable"
	IssuerTimedOut        IssuerReason = "TimedOut"
	IssuerAddressRefused  IssuerReason = "AddressRefused"
	IssuerTLSFailed       IssuerReason = "TLSFailed"
	IssuerRedirected      IssuerReason = "Redirected"
	IssuerBadStatus       IssuerReason = "BadStatus"
	IssuerDocumentInvalid IssuerReason = "DocumentInvalid"
	IssuerMismatch        IssuerReason = "Mismatch"
	IssuerEndpointRefused IssuerReason = "EndpointRefused"
	IssuerPKCEUnsupported IssuerReason = "PKCEUnsupported"
	IssuerCABundleInvalid IssuerReason = "CABundleInvalid"
	// IssuerReasonUnknown stands for a value that this release does not know.
	IssuerReasonUnknown IssuerReason = "Unknown"
)

// Issuer is what the server knows of the OpenID provider, from the pod's own network.
type Issuer struct {
	State  IssuerState  `json:"state"`
	Reason IssuerReason `json:"reason,omitempty"`
	// HTTPStatus of the last answer, with reason BadStatus or Redirected.
	HTTPStatus int `json:"httpStatus,omitempty"`
}

// StoreState says whether links can be read and written.
type StoreState string

// The states of the store.
const (
	StoreOpen    StoreState = "Open"
	StoreOpening StoreState = "Opening"
	StoreFailed  StoreState = "Failed"
	// StoreUnknown stands for a value that this release does not know.
	StoreUnknown StoreState = "Unknown"
)

// StoreReason says why the store cannot be used.
type StoreReason string

// Reasons of a store that cannot be used.
const (
	StoreUnavailable  StoreReason = "Unavailable"
	StoreLocked       StoreReason = "Locked"
	StoreFull         StoreReason = "Full"
	StoreSchemaTooNew StoreReason = "SchemaTooNew"
	StoreKeyInvalid   StoreReason = "KeyInvalid"
	// StoreReasonUnknown stands for a value that this release does not know.
	StoreReasonUnknown StoreReason = "Unknown"
)

// Store is the state of the link store.
type Store struct {
	State  StoreState  `json:"state"`
	Reason StoreReason `json:"reason,omitempty"`
}

// Links counts the channel's links by state.
type Links struct {
	Active int64 `json:"active"`
}

// Confirmation says whether the platform confirms the channel's links.
type Confirmation struct {
	// Ever: the platform has confirmed a link.
	Ever bool `json:"ever"`
	// Unconfirmed: since the last confirmation, a login has not been confirmed in its time. The server forgets it after two
	// days.
	Unconfirmed bool `json:"unconfirmed"`
}
