package botapi

import "strings"

// The realms of the two tokens (RFC 6750 section 3).
const (
	botRealm           = "bot api"
	introspectionRealm = "introspection"
)

// challengeFor returns the WWW-Authenticate of a caller who has not shown a good token, and "" for one who has. A caller who
// showed none at all is told of no error, as RFC 6750 section 3.1 has it. Two headers are no token: a proxy may have looked at
// the other one.
func challengeFor(realm string, headers []string, known func(string) bool) string {
	challenge := `Bearer realm="` + realm + `"`
	if len(headers) == 0 {
		return challenge
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if len(headers) == 1 && strings.EqualFold(scheme, "Bearer") && token != "" && known(token) {
		return ""
	}
	return challenge + `, error="invalid_token"`
}
