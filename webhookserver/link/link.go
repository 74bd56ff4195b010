package link

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"
)

// State of a link. A link that is none has no row.
type State string

// The states. Pending becomes Active when the platform confirms it, and is swept when it has been unconfirmed for
// [PendingKept]. Whether a pending link has expired is judged by the time of the confirming event, never by a state.
const (
	Pending   State = "pending"
	Active    State = "active"
	Unlinking State = "unlinking"
)

// How long things last.
const (
	// LINETokenLife and MessengerTokenLife are how long a platform's token, and so a pending link, is good (LINE:
	// linking-accounts; Messenger: account-linking/authentication).
	LINETokenLife      = 10 * time.Minute
	MessengerTokenLife = 5 * time.Minute
	// EventSkew is how far an event's own time may lie outside the window of the pending link that it confirms.
	EventSkew = time.Minute
	// PendingKept is how long an unconfirmed link is kept, for events that come late.
	PendingKept = 48 * time.Hour
	// SessionKept is how long a session that is Done is kept after its time, so that its owner is told so.
	SessionKept = 10 * time.Minute
	// EventsKept is how long an event is known after its effect; platforms redeliver for hours (Meta: 36).
	EventsKept = 7 * 24 * time.Hour
	// TokensKept is how long a spent token of a platform is known; it is good for minutes.
	TokensKept = 48 * time.Hour
)

// Identity is who a person is at the company. Issuer and Subject alone are the identity; Account is a claim that is kept
// beside them, shown and asserted and never compared to decide who somebody is.
type Identity struct {
	Issuer  string
	Subject string
	Account string
}

// Same tells whether two identities are one person.
func (i Identity) Same(other Identity) bool {
	return i.Issuer == other.Issuer && i.Subject == other.Subject
}

// Link joins one chat user of a channel to one identity.
type Link struct {
	ID      string // random; names the row in audit and logs
	Channel ChannelID
	// UserID is the chat user: LINE user id or PSID. On a pending link it is who the login is known to be for, and empty
	// when only the confirming event will tell.
	UserID   string
	Identity Identity
	State    State
	// Confirmed is false on a link that the login alone activated (linking.confirmation: AfterRedirect).
	Confirmed bool
	CodeHash  CodeHash
	// StableCode: the code is a pseudonym (linking.code: Stable) that others may know. It is no credential.
	StableCode bool
	// PlatformToken is the hash of the linkToken or account_linking_token that the login spent; empty without one.
	PlatformToken string
	// LoginAt is when the login session was opened, ConsentAt when consent was given, ExpiresAt the end of the pending
	// window, LinkedAt the activating event's own time (zero while pending).
	LoginAt, ConsentAt, ExpiresAt, LinkedAt time.Time
}

// InWindow tells whether an event of this time can confirm the pending link.
func (l Link) InWindow(at time.Time) bool {
	return !at.Before(l.ConsentAt.Add(-EventSkew)) && !at.After(l.ExpiresAt.Add(EventSkew))
}

// LoggedInAt is the login's time by which a revocation judges: LoginAt, or LinkedAt of a link that was taken over without it.
func (l Link) LoggedInAt() time.Time {
	if l.LoginAt.IsZero() {
		return l.LinkedAt
	}
	return l.LoginAt
}

// CodeHash is the SHA-256 of a code. Codes themselves are stored nowhere.
type CodeHash [sha256.Size]byte

// HashCode hashes a code, or any other random value that is stored as a hash.
func HashCode(code string) CodeHash { return sha256.Sum256([]byte(code)) }

// NewCode makes the nonce or authorization_code of a link: 256 random bits in base64url, 43 characters. LINE wants 10 to
// 255 characters and at least 128 bits.
func NewCode() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}
