package unlink

import (
	"context"
	"errors"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// errNoTime: too little of the attempt's time is left for a call.
var errNoTime = errors.New("no time for a call")

// work closes what is to be closed, and calls for whoever waits.
func (a *attempt) work(ctx context.Context) {
	if !a.lease.Closed {
		done, err := a.ledger.CloseLinks(ctx, a.lease, a.u.Tell, a.u.Now())
		if err != nil {
			a.stopFor(ctx, "close", err)
		}
		if err != nil || !done {
			return
		}
	}
	for hasTime(ctx) {
		due, err := a.ledger.DueUsers(ctx, a.lease, duePage)
		if err != nil {
			a.stopFor(ctx, "read who is due", err)
			return
		}
		for _, userID := range due {
			if !a.tell(ctx, userID) {
				return
			}
		}
		if len(due) < duePage {
			return
		}
	}
}

// hasTime tells whether a call can be over before the attempt is.
func hasTime(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) >= callTime
}

// tell has the platform told of one user, and reports whether the next one can follow.
func (a *attempt) tell(ctx context.Context, userID string) bool {
	if a.u.Tell == link.TellNobody { // the settings have changed since the link was closed
		return a.settle(ctx, userID, link.Settlement{State: link.RevokedDone})
	}
	credential, ok := a.u.Platform.Credential()
	if !ok {
		a.cause = CredentialsMissing
		return false
	}
	if cause, after := a.u.rest.cause(credential, a.u.Now()); cause != "" {
		a.cause, a.after = cause, after
		return false
	}
	left := false
	err := a.u.Platform.Unlink(ctx, userID, a.lease.Actions, func() error {
		if !hasTime(ctx) {
			return errNoTime
		}
		err := a.ledger.BeginCall(ctx, a.lease, userID, a.u.Now())
		left = err == nil
		return err
	})
	if !left {
		return a.notCalled(ctx, err)
	}
	if err == nil {
		return a.settle(ctx, userID, link.Settlement{State: link.RevokedDone})
	}
	return a.failed(ctx, userID, asCallError(err), credential)
}

// notCalled says why no call was made, and reports whether the next user can follow.
func (a *attempt) notCalled(ctx context.Context, err error) bool {
	failure, ok := errors.AsType[*CallError](err)
	switch {
	case errors.Is(err, link.ErrSuperseded):
		a.u.Observe(string(link.RevokedSuperseded))
		return true
	case ok:
		a.cause, a.after = failure.Cause, failure.RetryAfter
	case errors.Is(err, errNoTime): // nothing is wrong
	default:
		a.stopFor(ctx, "begin a call", err)
	}
	return false
}

// failed writes down a call that did not succeed, and reports whether the next one can follow.
func (a *attempt) failed(ctx context.Context, userID string, failure *CallError, credential secretfile.Secret) bool {
	settlement := link.Settlement{State: link.RevokedWaiting, Cause: string(failure.Cause), HTTPStatus: failure.Status}
	if failure.Cause == Rejected {
		settlement.State = link.RevokedFailed
	} else {
		a.cause, a.after = failure.Cause, max(a.after, failure.RetryAfter)
	}
	a.u.rest.note(failure, credential, a.u.Now())
	return a.settle(ctx, userID, settlement) && !failure.Cause.Stops()
}

// settle writes down what came of a step, before anything else is done, and asks again while the store is away: what is
// not written is repeated. It reports whether it was written.
func (a *attempt) settle(ctx context.Context, userID string, s link.Settlement) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	pause := 50 * time.Millisecond
	for {
		err := a.ledger.EndCall(ctx, a.lease, userID, s, a.u.Now())
		if err == nil {
			break
		}
		if !errors.Is(err, link.ErrUnavailable) {
			a.stopFor(ctx, "settle", err)
			return false
		}
		select {
		case <-ctx.Done():
			a.stopFor(ctx, "settle", err)
			return false
		case <-time.After(pause):
			pause *= 2
		}
	}
	if s.State == link.RevokedWaiting {
		a.u.Observe(s.Cause)
	} else {
		a.u.Observe(string(s.State))
	}
	return true
}

// asCallError is for a platform that breaks its word.
func asCallError(err error) *CallError {
	if failure, ok := errors.AsType[*CallError](err); ok {
		return failure
	}
	return &CallError{Cause: Unreachable}
}
