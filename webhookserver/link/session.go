package link

import (
	"context"
	"errors"
	"time"
)

// Step is how far a login has come. A step is taken once: whoever takes it first wins, on whichever replica.
type Step string

// The steps of a login session.
const (
	// Started: the browser is at the issuer.
	Started Step = "started"
	// Exchanging: a callback has come and its code is being exchanged; no second callback is served.
	Exchanging Step = "exchanging"
	// Identified: the ID token is verified; consent is asked.
	Identified Step = "identified"
	// Done: consent was given or refused.
	Done Step = "done"
)

// Session is one login, from /authorize to the consent. It is bound to a browser by a cookie and to the issuer's answer by
// `state`; both are random, and stored as hashes.
type Session struct {
	// Flow is the session's public, random name: in the consent URL and in the cookie's name.
	Flow    string
	Channel ChannelID
	Step    Step
	// StateHash, CookieHash, NonceHash and FormHash are hashes of random values that the browser or the issuer returns.
	StateHash, CookieHash, NonceHash, FormHash CodeHash
	// Verifier is PKCE's code_verifier.
	Verifier string
	// UserID is the chat user that the platform's parameters claim or, when Verified, that the platform vouches for.
	UserID   string
	Verified bool
	// PlatformToken is the hash of the token that consent will spend; empty without one.
	PlatformToken string
	// Params are the platform's parameters, kept to build the redirect; opaque here.
	Params map[string]string
	// Locale of the pages, as the browser asked at the start.
	Locale string
	// Identity and Display are set with Identified: who signed in, and the claims that consent shows.
	Identity Identity
	Display  []Claim
	// StartedAt is the clock of the platform's token: it was issued no later. ExpiresAt ends the session.
	StartedAt, ExpiresAt time.Time
}

// Claim is a claim's name and value as consent shows it.
type Claim struct{ Name, Value string }

// Errors of sessions, for errors.Is.
var (
	// ErrTooManySessions: the channel keeps as many sessions as it may.
	ErrTooManySessions = errors.New("too many login sessions")
	// ErrAlreadyUsed: the step was taken before.
	ErrAlreadyUsed = errors.New("already used")
	// ErrTokenSpent: another login has spent the platform's token.
	ErrTokenSpent = errors.New("the platform's token is spent")
	// ErrTooManyLinks: linking.maxLinksPerSubject is reached.
	ErrTooManyLinks = errors.New("too many links of this person")
	// ErrExpired: the session's or the token's time is over.
	ErrExpired = errors.New("expired")
)

// What strangers may have a server keep. A flood of log-in clicks, each as long as it can be, takes less than half of a volume of
// 1 GiB.
const (
	// MaxSessions bounds the sessions of a channel that are kept, whatever has become of them.
	MaxSessions = 100_000
	// MaxSessionParams bounds what a session keeps of the platform's parameters, names included, in bytes. What platforms send
	// has less than half of it.
	MaxSessionParams = 2 << 10
)

// SessionStore keeps login sessions. Every method that takes a step does so in one transaction: of any number of callers at
// once, on any number of replicas, exactly one succeeds and the others get [ErrAlreadyUsed].
type SessionStore interface {
	// PutSession stores a new session, or returns [ErrTooManySessions]. Every session counts until it is swept. The bound is
	// held to within what comes in a second: counting before each login would make a flood dearer than the bound makes it.
	PutSession(ctx context.Context, s Session) error
	// TakeCallback moves the session of that state from Started to Exchanging and returns it. [ErrNotFound] when there
	// is none in this channel, [ErrExpired] when its time is over, [ErrAlreadyUsed] when it has left Started.
	TakeCallback(ctx context.Context, channel ChannelID, state CodeHash, now time.Time) (Session, error)
	// Identify moves the session from Exchanging to Identified and stores Identity, Display, FormHash, Params, UserID and
	// Verified as given. The Verifier has served and is dropped.
	Identify(ctx context.Context, s Session) error
	// Session returns the session of that flow, in any step, or [ErrNotFound]. One that is Done has no Verifier, Params
	// and Display any more.
	Session(ctx context.Context, channel ChannelID, flow string) (Session, error)
	// Consent moves the session from Identified to Done and stores the pending link, spending its platform token, all
	// or nothing; l.ConsentAt is the time that the session's end is judged by. Before Identified it is [ErrNotFound],
	// after its time [ErrExpired]. [ErrTokenSpent] when another session of the channel has spent it, [ErrTooManyLinks] when the person
	// has maxLinks active links with other chat users of the channel (0: no bound); the bound is kept with the link
	// and holds again when it is confirmed. With active set the link is stored Active and not Confirmed, unless that
	// would replace an active link of another identity, or the user has unlinked later: then it is stored Pending.
	Consent(ctx context.Context, flow string, l Link, maxLinks int, active bool) error
	// Refuse moves the session from Exchanging or Identified to Done without a link. The platform's token stays unspent.
	// Before Exchanging it is [ErrNotFound].
	Refuse(ctx context.Context, channel ChannelID, flow string) error
	// OpenSessions counts the channel's sessions that are neither done nor expired.
	OpenSessions(ctx context.Context, channel ChannelID, now time.Time) (int64, error)
}
