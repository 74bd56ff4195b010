package adminapi

import (
	"regexp"
	"slices"
)

// The bounds of what is believed of an answer.
const (
	maxReferences = 256
	maxHTTPStatus = 599
)

var (
	versionText = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$`)
	hashText    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	keyIDText   = regexp.MustCompile(`^[0-9A-Za-z_-]{43}$`)
	fieldText   = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.-]{0,127}$`)
)

// known returns what can be believed of an answer: enumerations that this release knows, numbers within their range, and
// texts of a shape that leaves no room for a message. The rest becomes Unknown, zero or nothing. So a server of a later
// release is understood as far as it can be, and a false one can say nothing that it makes up itself.
func (s Status) known() Status {
	out := Status{
		Version:      matching(versionText, s.Version),
		SettingsHash: matching(hashText, s.SettingsHash),
		Issuer:       s.Issuer.known(),
		Store:        s.Store.known(),
	}
	for _, id := range s.KeyIDs {
		if keyIDText.MatchString(id) && len(out.KeyIDs) < MaxKeys {
			out.KeyIDs = append(out.KeyIDs, id)
		}
	}
	for _, r := range s.References {
		if fieldText.MatchString(r.Field) && len(out.References) < maxReferences {
			r.State = oneOf(r.State, ReferenceUnknown,
				ReferencePresent, ReferenceMissing, ReferenceEmpty, ReferenceInvalid, ReferenceVanished)
			out.References = append(out.References, r)
		}
	}
	if s.Links != nil {
		out.Links = &Links{Active: max(s.Links.Active, 0)}
	}
	return out
}

func (i Issuer) known() Issuer {
	i.State = oneOf(i.State, IssuerUnknown, IssuerPending, IssuerDiscovered, IssuerStale, IssuerFailed)
	if i.Reason != "" {
		i.Reason = oneOf(i.Reason, IssuerReasonUnknown,
			IssuerUnreachable, IssuerTimedOut, IssuerAddressRefused, IssuerTLSFailed, IssuerRedirected, IssuerBadStatus,
			IssuerDocumentInvalid, IssuerMismatch, IssuerEndpointRefused, IssuerPKCEUnsupported, IssuerCABundleInvalid)
	}
	if i.HTTPStatus < 100 || i.HTTPStatus > maxHTTPStatus {
		i.HTTPStatus = 0
	}
	return i
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

func matching(shape *regexp.Regexp, text string) string {
	if shape.MatchString(text) {
		return text
	}
	return ""
}
