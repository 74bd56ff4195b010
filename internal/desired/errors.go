package desired

import (
	"errors"
	"fmt"
)

// Names of the operator's flags that lift a refusal of this package; the messages quote them.
const (
	FlagAllowEndpointHosts  = "allow-endpoint-hosts"
	FlagAllowLocalAddresses = "allow-local-addresses"
)

// Refusals of a spec that the schema cannot express, because they depend on the operator's flags. A ChannelLink is not
// accepted with them until its spec or a flag changes. An expression that does not compile is config.ErrInvalidExpression.
var (
	// ErrEndpointNotAllowed marks a chat platform's endpoint on a host that is not the platform's own.
	ErrEndpointNotAllowed = errors.New("endpoint not allowed")
	// ErrInsecureURL marks a plain http URL where only https is good.
	ErrInsecureURL = errors.New("insecure URL")
)

// URLError says which URL of the spec is refused.
type URLError struct {
	// Reason is ErrEndpointNotAllowed or ErrInsecureURL.
	Reason error
	// Field below spec, for example `line.endpoints.api`.
	Field string
	// Host of the URL, with its port if it has one.
	Host string
	// Local says that the host is localhost or *.localhost, where a flag would let plain http pass.
	Local bool
}

// Error names the field, the host and the flag that would let it pass.
func (e *URLError) Error() string {
	if errors.Is(e.Reason, ErrEndpointNotAllowed) {
		return fmt.Sprintf("spec.%s: host %q is not the platform's own; remove the field, or have the operator started with --%s=%s",
			e.Field, e.Host, FlagAllowEndpointHosts, e.Host)
	}
	if e.Local {
		return fmt.Sprintf("spec.%s: plain http to %q; use https, or have the operator started with --%s",
			e.Field, e.Host, FlagAllowLocalAddresses)
	}
	return fmt.Sprintf("spec.%s: plain http to %q; use https (plain http is for localhost and *.localhost only)", e.Field, e.Host)
}

// Unwrap gives the Reason, so that errors.Is finds it.
func (e *URLError) Unwrap() error { return e.Reason }
