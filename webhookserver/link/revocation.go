package link

import (
	"context"
	"errors"
	"time"
)

// How long a ledger remembers.
const (
	// LeaseTime is how long a revocation is its holder's alone. An attempt works for 15 s and writes down for a few more;
	// the rest is for clocks that differ.
	LeaseTime = 30 * time.Second
	// EchoTime is how long after our own call a user's unlinking counts as its echo.
	EchoTime = time.Minute
	// RevocationsKept is how long a revocation that has ended is known. Who asked for it may ask again for 30 days (the
	// longest activeDeadlineSeconds), and would have it begin anew if it were forgotten.
	RevocationsKept = 90 * 24 * time.Hour
	// UnendedKept is how long one is known that has not ended, from its last attempt on: whoever asked is gone by then, or
	// has it suspended.
	UnendedKept = 400 * 24 * time.Hour
)

// The errors of a [Ledger], for errors.Is.
var (
	// ErrLeased: somebody else works on the revocation.
	ErrLeased = errors.New("another attempt is under way")
	// ErrLeaseLost: the lease has passed to another attempt, which knows better.
	ErrLeaseLost = errors.New("another attempt has taken over")
	// ErrSuperseded: the chat user has linked anew, and that link stays.
	ErrSuperseded = errors.New("superseded by a newer link")
)

// Revocation is a request to end links, as of a moment. It does not keep anybody unlinked.
type Revocation struct {
	Channel ChannelID
	// ID is the key of idempotency: a request that comes again goes on where the last attempt stopped.
	ID string
	// Exactly one of UserID, Subject, Account and All is set. Issuer goes with Subject and Account.
	UserID           string
	Subject, Account string
	Issuer           string
	All              bool
	// Actions are what the platform is asked to do with each user.
	Actions []RevocationAction
	// Requester and Reason are for the audit trail.
	Requester, Reason string
	// Fence is the moment: links whose login is later survive. Zero, or in the future: now.
	Fence time.Time
	// CallUnknown has the platform called for a UserID that nothing is known of.
	CallUnknown bool
	// Epoch arms the users that failed once more when it is neither empty nor that of the last attempt.
	Epoch string
}

// RevocationAction is one action in the platform's own words.
type RevocationAction struct {
	Type    string `json:"type"`
	Name    string `json:"name,omitempty"`
	Value   string `json:"value,omitempty"`
	Message string `json:"message,omitempty"`
}

// Telling says which users' unlinking the platform has to be told.
type Telling int

// The kinds of telling.
const (
	// TellNobody: the platform knows of no link, or cannot be told.
	TellNobody Telling = iota
	// TellLinked: of users who were linked.
	TellLinked
	// TellPossible: also of users whose login went as far as the redirect. The platform may have taken its code.
	TellPossible
)

// RevokedState is how far a revocation has come for one chat user.
type RevokedState string

// The states. All but RevokedWaiting are final; a RevokedFailed user can be armed once more.
const (
	// RevokedWaiting: closed here, and the platform is still to be told.
	RevokedWaiting RevokedState = "Waiting"
	// RevokedDone: closed here, and the platform knows, if it has to.
	RevokedDone RevokedState = "Unlinked"
	// RevokedNotLinked: there was nothing to end.
	RevokedNotLinked RevokedState = "NotLinked"
	// RevokedSuperseded: the user has linked anew since; that link stays.
	RevokedSuperseded RevokedState = "Superseded"
	// RevokedFailed: closed here, and the platform has refused for good.
	RevokedFailed RevokedState = "Failed"
)

// Lease is the right to work on a revocation.
type Lease struct {
	Channel ChannelID
	ID      string
	// Run numbers the leases of a revocation: a later one ends the earlier.
	Run int64
	// Actions as they were asked for first.
	Actions []RevocationAction
	// Closed: all links are closed. False: [Ledger.CloseLinks] has more to do.
	Closed bool
	// Asked is the revocation as it was asked for this time, until it is closed: CloseLinks takes from it whose links are left.
	// The ledger itself names nobody.
	Asked Revocation
}

// Settlement is what came of one user's call, and is written down at once.
type Settlement struct {
	// State: RevokedWaiting, RevokedDone or RevokedFailed.
	State RevokedState
	// Cause, of a closed set, and HTTPStatus say why it is not done; empty and 0 without one.
	Cause      string
	HTTPStatus int
}

// RevokedUser is where a revocation stands for one chat user.
type RevokedUser struct {
	// Masked is the user's id with most of it left out.
	Masked string
	Settlement
	// Attempts counts calls for the user.
	Attempts int
}

// Standing is where a revocation stands.
type Standing struct {
	StartedAt time.Time
	Epoch     string
	// Attempts in which the platform was called, or did not have to be.
	Attempts int
	// Closed: all links are closed.
	Closed bool
	Counts map[RevokedState]int
	// Users: first those that failed, then those that wait, then the rest.
	Users []RevokedUser
}

// Ended tells whether nobody waits.
func (s Standing) Ended() bool { return s.Closed && s.Counts[RevokedWaiting] == 0 }

// Ledger keeps revocations: what was asked, who it is about, and how far it has come. It is written before each call and
// after it, so that a server which dies at any point repeats at most the call that it was making. Each method is one
// transaction or several small ones, and each write of a lease's holder fails with [ErrLeaseLost] once the lease has passed
// on.
//
// From the moment that OpenRevocation returns, no login of before the fence, of the user or the person that it names,
// becomes a link: Consent returns [ErrExpired] and Confirm [Revoked].
type Ledger interface {
	// OpenRevocation takes the lease, or returns [ErrLeased]. The first time, it writes down what is asked and, in the same
	// transaction, closes the links that it names (state Unlinking, or gone where the platform is not told), drops their
	// users' or their person's sessions and pending links, and writes down whom it is about. With All that is left to
	// CloseLinks, and of a person with many links what does not fit into a transaction. Later, all but Epoch stays as it was
	// asked for first.
	OpenRevocation(ctx context.Context, r Revocation, tell Telling, now time.Time) (Lease, error)
	// CloseLinks closes the next links of a revocation, in bites that hold nobody up, until none is left or ctx is done. It
	// reports whether none is left.
	CloseLinks(ctx context.Context, l Lease, tell Telling, now time.Time) (closed bool, err error)
	// DueUsers returns users who wait and whom this lease has not called yet, those first whom nobody has called for
	// longest.
	DueUsers(ctx context.Context, l Lease, limit int) ([]string, error)
	// BeginCall counts a call before it is made. If the user has an active link by now, it ends the user's revocation and
	// returns [ErrSuperseded]: no call is to be made.
	BeginCall(ctx context.Context, l Lease, userID string, now time.Time) error
	// EndCall writes down what came of a call; RevokedDone removes the link. That is written down also when the lease has
	// passed on: what has succeeded must not be repeated.
	EndCall(ctx context.Context, l Lease, userID string, s Settlement, now time.Time) error
	// Release gives the lease back and, when nobody waits, ends the revocation: what names a person is forgotten but for
	// users who failed.
	Release(ctx context.Context, l Lease, now time.Time) error
	// Standing returns where a revocation stands, with at most limit users, or [ErrNotFound].
	Standing(ctx context.Context, channel ChannelID, id string, limit int) (Standing, error)
}

// Mask leaves enough of an id to tell two apart and too little to use one: U206…7cb8, or nothing but … of a short one.
func Mask(id string) string {
	const ends = 4
	runes := []rune(id)
	if len(runes) < 3*ends {
		return "…"
	}
	return string(runes[:ends]) + "…" + string(runes[len(runes)-ends:])
}
