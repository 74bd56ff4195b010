package adminapi

import "time"

// UnlinksPath and the id of a request make the path that takes an Unlink by PUT and answers an UnlinkResult.
const UnlinksPath = "/admin/v1/unlinks/"

// Unlink asks the server for one attempt at revoking links. The id in the path is the key of the server's ledger: a request
// that comes again goes on where the last attempt stopped, and what succeeded is never repeated. What stands here is fixed by
// the first attempt; of a later one only Epoch counts.
type Unlink struct {
	// Exactly one of UserID, Subject, Account and All is set: one chat user, every chat user of one identity by its `sub` or
	// by its account, or every user of the channel.
	UserID  string `json:"userID,omitempty"`
	Subject string `json:"subject,omitempty"`
	Account string `json:"account,omitempty"`
	All     bool   `json:"all,omitempty"`
	// Issuer of Subject or Account; empty: the channel's.
	Issuer string `json:"issuer,omitempty"`
	// Actions are BotBonnie's, passed on untouched. A channel without BotBonnie refuses them.
	Actions []UnlinkAction `json:"actions,omitempty"`
	// Requester and Reason are for the audit trail, for example `AccountUnlink hr/leaver-1234`.
	Requester string `json:"requester,omitempty"`
	Reason    string `json:"reason,omitempty"`
	// LinkedBefore is the fence: links whose login is later survive.
	LinkedBefore time.Time `json:"linkedBefore"`
	// CallUnknown has BotBonnie called for a UserID that the store does not know.
	CallUnknown bool `json:"callUnknown,omitempty"`
	// Epoch arms users that failed for good once more when it differs from that of the last attempt.
	Epoch string `json:"epoch,omitempty"`
}

// UnlinkAction is one action in BotBonnie's own words.
type UnlinkAction struct {
	Type    string `json:"type"`
	Name    string `json:"name,omitempty"`
	Value   string `json:"value,omitempty"`
	Message string `json:"message,omitempty"`
}

// UnlinkState is how far an unlinking has come for one chat user.
type UnlinkState string

// The states of an unlinking. All but UnlinkWaiting are final.
const (
	// UnlinkWaiting: closed here, and the platform is still to be told.
	UnlinkWaiting UnlinkState = "Waiting"
	// UnlinkDone: closed here, and the platform knows, if it has to.
	UnlinkDone UnlinkState = "Unlinked"
	// UnlinkNotLinked: there was nothing to unlink.
	UnlinkNotLinked UnlinkState = "NotLinked"
	// UnlinkSuperseded: the user has linked anew since; that link stays.
	UnlinkSuperseded UnlinkState = "Superseded"
	// UnlinkFailed: closed here, and the platform has refused for good.
	UnlinkFailed UnlinkState = "Failed"
	// UnlinkUnknown stands for a value that this release does not know.
	UnlinkUnknown UnlinkState = "Unknown"
)

// UnlinkCause says why the last attempt for a user did not succeed, or why the whole request waits.
type UnlinkCause string

// Causes. Those from UnlinkCredentialsRejected on pass with time, the others end the user's unlinking.
const (
	// UnlinkRejected: the platform answered 400, 404, 422 or, with a status of success, an errorCode.
	UnlinkRejected UnlinkCause = "Rejected"
	// UnlinkActionsNotSupported: the channel has no BotBonnie to take actions. Nothing was done.
	UnlinkActionsNotSupported UnlinkCause = "ActionsNotSupported"
	// UnlinkCredentialsRejected: the platform answered 401 or 403. It is not called again until the token's file changes.
	UnlinkCredentialsRejected UnlinkCause = "CredentialsRejected"
	// UnlinkCredentialsMissing: the reference that the call needs has no value.
	UnlinkCredentialsMissing UnlinkCause = "CredentialsMissing"
	// UnlinkRateLimited: the platform answered 429.
	UnlinkRateLimited UnlinkCause = "RateLimited"
	// UnlinkUpstreamFailed: the platform answered 408, 425, a 5xx, or nothing that makes sense.
	UnlinkUpstreamFailed UnlinkCause = "UpstreamFailed"
	// UnlinkUnreachable: no answer came.
	UnlinkUnreachable UnlinkCause = "Unreachable"
	// UnlinkPaused: the breaker is open, or no token was left in the bucket.
	UnlinkPaused UnlinkCause = "Paused"
	// UnlinkBusy: another replica works on the request.
	UnlinkBusy UnlinkCause = "Busy"
	// UnlinkStoreUnavailable: the store cannot be used. Nothing was done.
	UnlinkStoreUnavailable UnlinkCause = "StoreUnavailable"
	// UnlinkCauseUnknown stands for a value that this release does not know.
	UnlinkCauseUnknown UnlinkCause = "Unknown"
)

// UnlinkResult is where a request stands after an attempt.
type UnlinkResult struct {
	// StartedAt is when the ledger first knew the request, before the first call; zero when it does not know it.
	StartedAt time.Time `json:"startedAt,omitzero"`
	// Epoch that the ledger acts upon.
	Epoch string `json:"epoch,omitempty"`
	// Attempts is the number of attempts in which the server called a platform or needed to call none.
	Attempts int32 `json:"attempts"`
	// Cause of the whole request, when it could not be worked on or of the users that wait; empty without one.
	Cause UnlinkCause `json:"cause,omitempty"`
	// More: somebody waits, another attempt is needed.
	More bool `json:"more,omitempty"`
	// RetryAfterSeconds is how long the platform wants to be left alone; 0: it did not say.
	RetryAfterSeconds int32 `json:"retryAfterSeconds,omitempty"`
	// Counts of all users.
	Counts UnlinkCounts `json:"counts"`
	// Users, at most MaxUnlinkUsers: first those that failed, then those that wait, then the rest.
	Users []UnlinkUser `json:"users,omitempty"`
}

// MaxUnlinkUsers bounds the users of an UnlinkResult.
const MaxUnlinkUsers = 100

// UnlinkCounts are numbers of chat users by state.
type UnlinkCounts struct {
	Waiting    int32 `json:"waiting,omitempty"`
	Unlinked   int32 `json:"unlinked,omitempty"`
	NotLinked  int32 `json:"notLinked,omitempty"`
	Superseded int32 `json:"superseded,omitempty"`
	Failed     int32 `json:"failed,omitempty"`
}

// UnlinkUser is the state of one chat user.
type UnlinkUser struct {
	// User is the chat user's id, masked: `U206…7cb8`.
	User     string      `json:"user"`
	State    UnlinkState `json:"state"`
	Cause    UnlinkCause `json:"cause,omitempty"`
	Attempts int32       `json:"attempts,omitempty"`
	// HTTPStatus of the platform's last answer; 0 without one.
	HTTPStatus int `json:"httpStatus,omitempty"`
}
