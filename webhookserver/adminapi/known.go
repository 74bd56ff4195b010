package adminapi

import (
	"slices"
	"strings"
)

// The bounds of what is believed of an answer.
const (
	maxReferences = 256
	maxHTTPStatus = 599
)

// Shapes of the texts in a status: characters that a name has, and no room for a message.
const (
	alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	keyIDLength  = 43 // of a SHA-256 in base64url
	hashLength   = 64 // of a SHA-256 in hex
)

func isVersion(s string) bool { return len(s) <= 64 && consistsOf(s, alphanumeric+".+-") }
func isHash(s string) bool    { return len(s) == hashLength && consistsOf(s, "0123456789abcdef") }
func isKeyID(s string) bool   { return len(s) == keyIDLength && consistsOf(s, alphanumeric+"-_") }
func isField(s string) bool   { return len(s) <= 128 && consistsOf(s, alphanumeric+".-") }

func consistsOf(s, characters string) bool { return s != "" && strings.Trim(s, characters) == "" }

// known returns what can be believed of an answer: enumerations that this release knows, numbers within their range, and
// texts of a shape that leaves no room for a message. The rest becomes Unknown, zero or nothing. So a server of a later
// release is understood as far as it can be, and a false one can say nothing that it makes up itself.
func (s Status) known() Status {
	out := Status{
		Version:      only(isVersion, s.Version),
		SettingsHash: only(isHash, s.SettingsHash),
		Issuer:       s.Issuer.known(),
		Store:        s.Store.known(),
	}
	for _, id := range s.KeyIDs {
		if isKeyID(id) && len(out.KeyIDs) < MaxKeys {
			out.KeyIDs = append(out.KeyIDs, id)
		}
	}
	for _, r := range s.References {
		if isField(r.Field) && len(out.References) < maxReferences {
			r.State = oneOf(r.State, ReferenceUnknown,
				ReferencePresent, ReferenceMissing, ReferenceEmpty, ReferenceInvalid, ReferenceVanished)
			out.References = append(out.References, r)
		}
	}
	if s.Links != nil {
		out.Links = &Links{Active: max(s.Links.Active, 0)}
	}
	out.Confirmation = s.Confirmation // nothing but bits
	out.Registration = s.Registration.known()
	return out
}

func (i Issuer) known() Issuer {
	i.State = oneOf(i.State, IssuerUnknown, IssuerPending, IssuerDiscovered, IssuerStale, IssuerFailed)
	if i.Reason != "" {
		i.Reason = oneOf(i.Reason, IssuerReasonUnknown,
			IssuerUnreachable, IssuerTimedOut, IssuerAddressRefused, IssuerTLSFailed, IssuerRedirected, IssuerBadStatus,
			IssuerDocumentInvalid, IssuerMismatch, IssuerEndpointRefused, IssuerPKCEUnsupported, IssuerCABundleInvalid)
	}
	i.HTTPStatus = statusCode(i.HTTPStatus)
	return i
}

// statusCode is a status of HTTP, or 0.
func statusCode(n int) int {
	if n < 100 || n > maxHTTPStatus {
		return 0
	}
	return n
}

func (s Store) known() Store {
	s.State = oneOf(s.State, StoreUnknown, StoreOpen, StoreOpening, StoreFailed)
	if s.Reason != "" {
		s.Reason = oneOf(s.Reason, StoreReasonUnknown,
			StoreUnavailable, StoreLocked, StoreFull, StoreSchemaTooNew, StoreKeyInvalid)
	}
	return s
}

func oneOf[T comparable](value, unknown T, known ...T) T {
	if slices.Contains(known, value) {
		return value
	}
	return unknown
}

// only returns s if it is of the shape, and nothing otherwise.
func only(shape func(string) bool, s string) string {
	if shape(s) {
		return s
	}
	return ""
}
