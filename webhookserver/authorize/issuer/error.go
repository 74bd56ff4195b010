package issuer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"channellink.dev/operator/webhookserver/outbound"
)

// Reason says why an issuer could not be discovered. The set is closed, so a
// reason may stand in a status, an event or a metric. A Reason is itself an
// error, for errors.Is.
type Reason string

// The reasons of failed discoveries.
const (
	IssuerURLInvalid  Reason = "IssuerURLInvalid"  // not an https URL without query
	AddressRefused    Reason = "AddressRefused"    // the operator's policy refuses the host
	IssuerUnreachable Reason = "IssuerUnreachable" // no name, no connection, or it broke
	TLSFailed         Reason = "TLSFailed"         // no TLS session; see [Error].Detail
	TimedOut          Reason = "TimedOut"          // no whole answer in time
	IssuerRedirected  Reason = "IssuerRedirected"  // a redirect: never followed
	StatusUnexpected  Reason = "StatusUnexpected"  // another status than 200
	DocumentTooLarge  Reason = "DocumentTooLarge"  // over 1 MiB
	DocumentInvalid   Reason = "DocumentInvalid"   // not the JSON it should be
	IssuerMismatch    Reason = "IssuerMismatch"    // the document is another issuer's
	EndpointRefused   Reason = "EndpointRefused"   // a URL in the document is missing, not https or refused
	PKCEUnsupported   Reason = "PKCEUnsupported"   // S256 is not offered
	KeysUnavailable   Reason = "KeysUnavailable"   // no key that a token may be verified with
	Canceled          Reason = "Canceled"          // the caller gave up
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// Endpoint says which document, or which URL in it, an error is about. The set is
// closed.
type Endpoint string

// What errors are about, in the words of OpenID Connect Discovery 1.0 section 3.
const (
	Discovery     Endpoint = "discovery"
	Authorization Endpoint = "authorization_endpoint"
	Token         Endpoint = "token_endpoint"
	JWKS          Endpoint = "jwks_uri"
	UserInfo      Endpoint = "userinfo_endpoint"
	EndSession    Endpoint = "end_session_endpoint"
)

// Error is a failed discovery. It holds no text that the issuer wrote.
type Error struct {
	Reason   Reason
	Endpoint Endpoint
	Host     string // may be empty
	Status   int    // HTTP status, 0 if there was none
	Detail   outbound.Detail
}

// Error returns one line: what was asked for, the host, the reason and the status.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("issuer " + string(e.Endpoint))
	if e.Host != "" {
		b.WriteString(" at " + e.Host)
	}
	b.WriteString(": " + string(e.Reason))
	if e.Detail != "" {
		b.WriteString(": " + string(e.Detail))
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	return b.String()
}

// Is reports whether target is the error's [Reason], or context.Canceled for it.
func (e *Error) Is(target error) bool {
	return target == e.Reason || target == context.Canceled && e.Reason == Canceled
}

// reasons maps what package outbound says.
var reasons = map[outbound.Reason]Reason{
	outbound.InvalidURL:     IssuerURLInvalid,
	outbound.SchemeRefused:  IssuerURLInvalid,
	outbound.AddressRefused: AddressRefused,
	outbound.DNSFailed:      IssuerUnreachable,
	outbound.ConnectFailed:  IssuerUnreachable,
	outbound.ConnectionLost: IssuerUnreachable,
	outbound.TLSFailed:      TLSFailed,
	outbound.TimedOut:       TimedOut,
	outbound.Canceled:       Canceled,
	outbound.Redirected:     IssuerRedirected,
	outbound.TooLarge:       DocumentTooLarge,
	outbound.BadStatus:      StatusUnexpected,
}

// fetchError says why a document could not be fetched.
func fetchError(endpoint Endpoint, err error) *Error {
	e := &Error{Reason: IssuerUnreachable, Endpoint: endpoint}
	if out, ok := errors.AsType[*outbound.Error](err); ok {
		e.Host, e.Status, e.Detail = out.Host, out.Status, out.Detail
		if reason, ok := reasons[out.Reason]; ok {
			e.Reason = reason
		}
	}
	return e
}
