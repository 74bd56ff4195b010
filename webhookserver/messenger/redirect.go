package messenger

import (
	"net/url"
	"slices"
	"strings"

	"channellink.dev/operator/webhookserver/link"
)

// linkingPath is the only path that a login may return to, with or without a final
// slash: on the same hosts are pages that redirect wherever they are told.
const linkingPath = "/messenger_platform/account_linking"

// maxRedirect bounds the redirect_uri; real ones have some 200 characters.
const maxRedirect = 2048

// Redirects says where a browser may be sent back to.
type Redirects struct {
	// Hosts are compared exactly.
	Hosts []string
	// AllowLocal accepts http and any port for those of the Hosts that are localhost
	// or end in .localhost.
	AllowLocal bool
}

// Check reports whether a redirect_uri that came with token leads to Messenger, and to
// nowhere else in the eyes of any browser. The error is a [link.ParamError].
//
// Go and browsers read odd URLs differently: a browser takes a backslash for a slash,
// drops tabs and line ends, resolves dots and full-width letters. So what is not plain
// is refused, before it is parsed, rather than understood.
func (r Redirects) Check(redirectURI, token string) error {
	refuse := func(problem link.ParamProblem) error {
		return &link.ParamError{Param: paramRedirect, Problem: problem}
	}
	if redirectURI == "" {
		return refuse(link.ParamMissing)
	}
	if len(redirectURI) > maxRedirect {
		return refuse(link.ParamTooLong)
	}
	if !plainURL(redirectURI) {
		return refuse(link.ParamMalformed)
	}
	u, err := url.Parse(redirectURI)
	if err != nil || !strings.HasPrefix(redirectURI, u.Scheme+"://") || u.User != nil || u.Fragment != "" {
		return refuse(link.ParamMalformed)
	}
	if !r.allows(u) || strings.TrimSuffix(u.EscapedPath(), "/") != linkingPath {
		return refuse(link.ParamRefused)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return refuse(link.ParamMalformed)
	}
	return checkInner(query, token)
}

// checkInner judges the parameters inside the redirect_uri. The token there, if there
// is one, is the one beside it: otherwise the browser would finish somebody else's
// linking with this login's code. A code must not be there yet.
func checkInner(query url.Values, token string) error {
	for name, values := range query {
		switch folded := strings.ToLower(name); {
		case folded == paramCode:
			return &link.ParamError{Param: paramCode, Problem: link.ParamUnknown}
		case folded == paramToken && (name != paramToken || len(values) != 1 || values[0] != token):
			return &link.ParamError{Param: paramToken, Problem: link.ParamConflicting}
		}
	}
	return nil
}

func (r Redirects) allows(u *url.URL) bool {
	if r.AllowLocal && isLocal(u.Hostname()) {
		return (u.Scheme == "http" || u.Scheme == "https") && slices.Contains(r.Hosts, u.Hostname())
	}
	// u.Host is compared, so there is no port.
	return u.Scheme == "https" && slices.Contains(r.Hosts, u.Host)
}

func isLocal(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// plainURL reports whether s consists of the characters of RFC 3986 without those that
// could make an authority something else: @, brackets, the fragment's #.
func plainURL(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("-._~%:/?&=+,;!$'()*", rune(c)) {
			return false
		}
	}
	return true
}
