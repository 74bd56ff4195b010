package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strconv"
	"strings"
)

// Reason says why a call failed. The set is closed, so a reason may stand in a
// status, an event or a metric. A Reason is itself an error, for errors.Is:
//
//	if errors.Is(err, outbound.TimedOut) { … }
type Reason string

// The reasons of failed calls.
const (
	InvalidURL     Reason = "InvalidURL"     // not a URL that a server can be called by
	SchemeRefused  Reason = "SchemeRefused"  // neither https nor http to a host that the policy allows it for
	AddressRefused Reason = "AddressRefused" // the policy refuses the host or its address
	DNSFailed      Reason = "DNSFailed"      // the name has no address
	ConnectFailed  Reason = "ConnectFailed"  // no TCP connection
	TLSFailed      Reason = "TLSFailed"      // no TLS session; see [Error].Detail
	ConnectionLost Reason = "ConnectionLost" // the exchange broke, or was not HTTP (any more)
	TimedOut       Reason = "TimedOut"       // the time limit passed
	Canceled       Reason = "Canceled"       // the caller gave up
	Redirected     Reason = "Redirected"     // a 3xx answer: never followed
	TooLarge       Reason = "TooLarge"       // the body is over the limit
	BadStatus      Reason = "BadStatus"      // another status than the one asked for
	BadContent     Reason = "BadContent"     // the body is not what it should be
	RateLimited    Reason = "RateLimited"    // no token in time: not sent
	CircuitOpen    Reason = "CircuitOpen"    // the breaker is open: not sent
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// Detail says more about [TLSFailed]. The set is closed.
type Detail string

// What was wrong with a TLS session.
const (
	UnknownAuthority   Detail = "certificate signed by unknown authority"
	CertificateExpired Detail = "certificate expired or not yet valid"
	HostMismatch       Detail = "certificate is for another host"
	HandshakeRefused   Detail = "handshake refused"
)

// Error is a failed call. It holds no path, query, body or upstream text.
type Error struct {
	Reason Reason
	Host   string // host name or address; empty if it could not be shown safely
	Status int    // HTTP status, 0 if there was none
	Detail Detail // with TLSFailed only
}

// Error returns one line: the host, the reason and the status.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("outbound call")
	if e.Host != "" {
		b.WriteString(" to " + e.Host)
	}
	b.WriteString(": " + string(e.Reason))
	if e.Detail != "" {
		b.WriteString(": " + string(e.Detail))
	}
	if e.Status != 0 {
		b.WriteString(" (status " + strconv.Itoa(e.Status) + ")")
	}
	return b.String()
}

// Is reports whether target is the error's [Reason]; a call that the caller gave
// up or that ran out of time is also the matching error of package context.
func (e *Error) Is(target error) bool {
	switch target {
	case e.Reason:
		return true
	case context.Canceled:
		return e.Reason == Canceled
	case context.DeadlineExceeded:
		return e.Reason == TimedOut
	}
	return false
}

// ReasonOf returns the reason of the first [Error] in err's chain, or "".
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// dialError gives the reason why no connection was made.
func dialError(host string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e // the control hook refused the address
	}
	reason := ConnectFailed
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		reason = DNSFailed
	} else if isTimeout(err) {
		reason = TimedOut
	} else if errors.Is(err, context.Canceled) {
		reason = Canceled
	}
	return &Error{Reason: reason, Host: showHost(host)}
}

// tlsError gives the reason why a handshake failed.
func tlsError(host string, err error) *Error {
	e := &Error{Reason: TLSFailed, Host: showHost(host), Detail: HandshakeRefused}
	if isTimeout(err) {
		return &Error{Reason: TimedOut, Host: e.Host}
	}
	if errors.Is(err, context.Canceled) {
		return &Error{Reason: Canceled, Host: e.Host}
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		e.Detail = CertificateExpired
	} else if _, ok := errors.AsType[x509.HostnameError](err); ok {
		e.Detail = HostMismatch
	} else if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.Detail = UnknownAuthority
	}
	return e
}

// exchangeError gives the reason why there is no whole answer. The transport's
// own texts may quote what the upstream sent.
func exchangeError(ctx context.Context, host string, status int, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Reason: ConnectionLost, Host: showHost(host), Status: status}
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Reason = Canceled
	case ctx.Err() != nil || isTimeout(err):
		e.Reason = TimedOut
	}
	return e
}

func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}
