package link

import (
	"fmt"
	"net/url"
	"strings"
)

// platformParams are the parameters that platforms send to a login URL or take back from it. Which of them a channel takes
// is its platform's matter; none of them may come where it has no business.
var platformParams = []string{
	"userId", "pageId", "carry", "linkToken", "redirect_uri", "account_linking_token", "nonce", "authorization_code",
}

// TakeParams returns the named parameters of a query: each must be there once and not be empty. The other parameters of
// platforms are refused, and so is every other spelling of any of them (userid, user_id, userId[]), because a proxy or a
// later reader may take it for the real one. Names that no platform knows are passed over: apps and proxies add their own
// (fbclid, openExternalBrowser). The error is a [ParamError].
func TakeParams(query url.Values, names ...string) (map[string]string, error) {
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	if query.Has("linkToken") && query.Has("account_linking_token") {
		return nil, &ParamError{Param: "linkToken", Problem: ParamConflicting}
	}
	for _, known := range platformParams {
		for name := range query {
			if (name != known || !wanted[known]) && bare(name) == bare(known) {
				return nil, &ParamError{Param: known, Problem: ParamUnknown}
			}
		}
	}
	taken := make(map[string]string, len(names))
	for _, name := range names {
		switch values := query[name]; {
		case len(values) > 1:
			return nil, &ParamError{Param: name, Problem: ParamRepeated}
		case len(values) == 0 || values[0] == "":
			return nil, &ParamError{Param: name, Problem: ParamMissing}
		default:
			taken[name] = values[0]
		}
	}
	return taken, nil
}

// bare is a name without case and punctuation.
func bare(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return -1
	}, name)
}

// Plain reports whether s is what ids and tokens of platforms look like: 1 to limit characters of base64 or base64url, with
// dot and tilde.
func Plain(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("-_.~+/=", rune(c)) {
			return false
		}
	}
	return true
}

// AppendQuery returns a URL with parameters, name and value in turn, put behind those that it has. What is there already
// stays as it is to the letter.
func AppendQuery(base string, pairs ...string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Opaque != "" || u.Fragment != "" {
		return "", fmt.Errorf("append to a query: the address is not a URL with a host and without a fragment") // base may hold a token
	}
	var query strings.Builder
	query.WriteString(u.RawQuery)
	for i := 0; i+1 < len(pairs); i += 2 {
		if query.Len() > 0 && !strings.HasSuffix(query.String(), "&") {
			query.WriteByte('&')
		}
		query.WriteString(url.QueryEscape(pairs[i]) + "=" + url.QueryEscape(pairs[i+1]))
	}
	u.RawQuery, u.ForceQuery = query.String(), false
	return u.String(), nil
}

// CheckCode reports whether a code has the 10 to 255 characters that LINE and BotBonnie ask for.
func CheckCode(code string) error {
	if len(code) < 10 || len(code) > 255 {
		return fmt.Errorf("code has %d characters, want 10 to 255", len(code))
	}
	return nil
}
