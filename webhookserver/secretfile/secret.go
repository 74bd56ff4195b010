package secretfile

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted is what every rendering of a [Secret] prints.
const redacted = "[redacted]"

// Secret holds a string that fmt, log/slog and encoding/json print as
// "[redacted]". Only [Secret.Reveal] gives it away. The zero value is empty.
//
// The string is behind a pointer, since fmt prints unexported fields without
// asking their methods: there it shows an address. For the same reason == is not
// equality of secrets, which is no loss: those are compared in constant time.
type Secret struct{ value *string }

// NewSecret returns value as a secret.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the secret itself, for the one place that sends or checks it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// String implements [fmt.Stringer].
func (Secret) String() string { return redacted }

// Format implements [fmt.Formatter], which covers verbs that pass String by,
// such as %x and %#v.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], for JSON values and map keys.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
