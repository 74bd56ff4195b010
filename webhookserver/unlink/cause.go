package unlink

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"channellink.dev/operator/webhookserver/outbound"
)

// Cause says why a user's unlinking did not succeed, or why a whole revocation waits. The set is closed, and the words are
// the admin API's.
type Cause string

// The causes.
const (
	// Rejected: the platform refuses for good. It alone ends a user's unlinking.
	Rejected Cause = "Rejected"
	// ActionsNotSupported: the platform takes no actions. Nothing was done.
	ActionsNotSupported Cause = "ActionsNotSupported"
	// CredentialsRejected: the platform does not accept the credential. It is not called again until there is another.
	CredentialsRejected Cause = "CredentialsRejected"
	// CredentialsMissing: there is no credential to call with.
	CredentialsMissing Cause = "CredentialsMissing"
	// RateLimited: the platform wants to be left alone for a while.
	RateLimited Cause = "RateLimited"
	// UpstreamFailed: the platform failed, or answered what makes no sense.
	UpstreamFailed Cause = "UpstreamFailed"
	// Unreachable: no answer came.
	Unreachable Cause = "Unreachable"
	// Paused: no call was made, because the breaker is open or the bucket empty.
	Paused Cause = "Paused"
	// Busy: another attempt is under way.
	Busy Cause = "Busy"
	// StoreUnavailable: the ledger cannot be used.
	StoreUnavailable Cause = "StoreUnavailable"
)

// Stops tells whether what befell one call would befall the next one too.
func (c Cause) Stops() bool {
	switch c {
	case CredentialsRejected, CredentialsMissing, RateLimited, Paused, Busy, StoreUnavailable:
		return true
	}
	return false
}

// CallError is a call that did not succeed. It holds no text of the platform's.
type CallError struct {
	Cause Cause
	// Status of the answer; 0 without one.
	Status int
	// RetryAfter is how long the platform wants to be left alone; 0: it did not say.
	RetryAfter time.Duration
}

// Error names cause and status.
func (e *CallError) Error() string { return fmt.Sprintf("call: %s (status %d)", e.Cause, e.Status) }

// CauseOf says what a platform means by an HTTP status that is not 2xx.
func CauseOf(status int) Cause {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return CredentialsRejected
	case status == http.StatusTooManyRequests:
		return RateLimited
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return UpstreamFailed
	case status >= http.StatusBadRequest && status < http.StatusInternalServerError:
		return Rejected
	default: // 5xx; and what an API has no business to answer
		return UpstreamFailed
	}
}

// Failure returns what an error of package outbound means, or nil for any other.
func Failure(err error) *CallError {
	e, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		return nil
	}
	failure := &CallError{Cause: Unreachable, Status: e.Status}
	switch e.Reason {
	case outbound.RateLimited, outbound.CircuitOpen:
		failure.Cause = Paused
	case outbound.BadStatus:
		failure.Cause = CauseOf(e.Status)
	case outbound.Redirected, outbound.TooLarge, outbound.BadContent:
		failure.Cause = UpstreamFailed
	}
	return failure
}
