package unlink

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// The bounds of one attempt.
const (
	// WorkTime is how long an attempt works. What it has begun by then it writes down.
	WorkTime = 15 * time.Second
	// callTime is how long a call may take. None begins with less left: one that our own deadline cuts off would have to be
	// repeated, though it may have succeeded.
	callTime = 5 * time.Second
	// settleTime is how long the ledger is asked to take what came of a call.
	settleTime = 4 * time.Second
	// duePage is how many users are read at once.
	duePage = 50
	// shownUsers bounds the users of a Result.
	shownUsers = 100
)

// Platform is how a channel's platform is told that users are unlinked.
type Platform interface {
	// Credential returns what calls are made with; false if there is nothing.
	Credential() (secretfile.Secret, bool)
	// Unlink makes one call for one user. When the call's turn has come, and before it leaves, it calls leave; if that
	// returns an error it makes no call and returns the error. Any other error of its is a [*CallError]. That the user is
	// not linked there is no error.
	Unlink(ctx context.Context, userID string, actions []link.RevocationAction, leave func() error) error
}

// Config is what an [Unlinker] works with.
type Config struct {
	Channel link.ChannelID
	// Issuer of persons whose revocation names none.
	Issuer string
	// Tell says whom the platform is told of, and Platform how; nil with [link.TellNobody].
	Tell     link.Telling
	Platform Platform
	// Actions: the platform takes actions.
	Actions bool
	// Ledger returns the ledger, or an error as long as there is none.
	Ledger func() (link.Ledger, error)
	Now    func() time.Time
	Log    *slog.Logger
	// Observe is told the state that each user's step ends in, or the cause for which it does not; nil: nobody is.
	Observe func(what string)
}

// Unlinker carries out the revocations of one channel. It is safe for concurrent use.
type Unlinker struct {
	Config
	rest rest
}

// New returns an unlinker.
func New(c Config) *Unlinker {
	if c.Observe == nil {
		c.Observe = func(string) {}
	}
	return &Unlinker{Config: c}
}

// Result is where a revocation stands after an attempt.
type Result struct {
	// Standing is the ledger's; the zero value when the ledger does not know the revocation, or cannot say.
	link.Standing
	// Cause for which the revocation waits; empty when it does not, or when all that lacks is another attempt.
	Cause Cause
	// RetryAfter is how long the platform wants to be left alone; 0: it did not say.
	RetryAfter time.Duration
}

// More tells whether another attempt is needed.
func (r Result) More() bool {
	switch r.Cause {
	case Busy, StoreUnavailable:
		return true
	}
	return !r.StartedAt.IsZero() && !r.Ended()
}

// Attempt makes one attempt at a revocation. It goes on when the caller gives up, since what it does cannot be taken back,
// but not beyond ctx's deadline.
func (u *Unlinker) Attempt(ctx context.Context, r link.Revocation) Result {
	if len(r.Actions) > 0 && !u.Actions {
		return Result{Cause: ActionsNotSupported}
	}
	r.Channel = u.Channel
	if r.Issuer == "" {
		r.Issuer = u.Issuer
	}
	ctx, cancel := workContext(ctx)
	defer cancel()
	ledger, err := u.Ledger()
	if err != nil {
		return Result{Cause: StoreUnavailable}
	}
	a := attempt{u: u, ledger: ledger}
	if a.lease, err = ledger.OpenRevocation(ctx, r, u.Tell, u.Now()); err != nil {
		a.stopFor(ctx, "open", err)
	} else {
		a.work(ctx)
		a.release(ctx)
	}
	return a.result(ctx, r.ID)
}

// UserPrefix begins the ids of the revocations of UnlinkUser.
const UserPrefix = "user-"

// UnlinkUser ends a chat user's link at once and tells the platform, with no actions: what the bot asks for on its user's
// word. ctx should leave it 6 s, or the platform is not called. The error is [link.ErrUnavailable], and nothing was done
// then; a Result that needs more has the link closed all the same.
func (u *Unlinker) UnlinkUser(ctx context.Context, userID, requester, reason string) (Result, error) {
	result := u.Attempt(ctx, link.Revocation{
		ID: UserPrefix + rand.Text(), UserID: userID, Requester: requester, Reason: reason, Fence: u.Now(),
	})
	if result.StartedAt.IsZero() {
		return Result{}, link.ErrUnavailable
	}
	return result, nil
}

// workContext is ctx without its end but with its deadline, which is WorkTime away at most.
func workContext(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), WorkTime)
	deadline, ok := ctx.Deadline()
	if !ok {
		return work, cancel
	}
	work, inner := context.WithDeadline(work, deadline)
	return work, func() { inner(); cancel() }
}

// attempt is one lease's work.
type attempt struct {
	u      *Unlinker
	ledger link.Ledger
	lease  link.Lease
	cause  Cause
	after  time.Duration
}

// stopFor notes why the ledger ends an attempt.
func (a *attempt) stopFor(ctx context.Context, tried string, err error) {
	a.cause = StoreUnavailable
	if errors.Is(err, link.ErrLeased) || errors.Is(err, link.ErrLeaseLost) {
		a.cause = Busy
		return
	}
	a.u.Log.WarnContext(ctx, "ledger of revocations fails", "channel", string(a.u.Channel), "tried", tried, "error", err)
}

// release gives the lease back. If that fails, the lease ends by itself.
func (a *attempt) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	if err := a.ledger.Release(ctx, a.lease, a.u.Now()); err != nil {
		a.stopFor(ctx, "release", err)
	}
}

// result reads where the revocation stands now.
func (a *attempt) result(ctx context.Context, id string) Result {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	standing, err := a.ledger.Standing(ctx, a.u.Channel, id, shownUsers)
	if err != nil {
		if !errors.Is(err, link.ErrNotFound) {
			a.stopFor(ctx, "read", err)
		}
		return Result{Cause: a.cause}
	}
	if standing.Ended() { // who waited last was settled after all
		return Result{Standing: standing}
	}
	return Result{Standing: standing, Cause: a.cause, RetryAfter: a.after}
}
