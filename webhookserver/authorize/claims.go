package authorize

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"channellink.dev/operator/webhookserver/authorize/issuer"
	"channellink.dev/operator/webhookserver/link"
)

// What is kept of claims.
const (
	maxAccount = 255 // bytes
	maxDisplay = 200 // runes of one claim on the consent page
	maxListed  = 8   // entries of a claim that is a list
)

// claimsTimeout bounds the evaluation of requiredClaims beside its cost limit, for a machine that is very busy.
const claimsTimeout = time.Second

// completed adds the claims that the issuer tells only at its userinfo endpoint, when the channel asks for one that the ID
// token lacks. With the code flow that is the standard's own way (OpenID Connect Core section 5.4). Claims of the signed
// token stay as they are.
func (l *Logins) completed(ctx context.Context, m issuer.Metadata, accessToken string, claims claimSet) (claimSet, error) {
	if m.UserInfoEndpoint == "" || accessToken == "" || l.complete(claims) {
		return claims, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserInfoEndpoint, nil)
	if err != nil {
		return nil, refuse(Internal, nil) // err quotes the URL
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	req.Header.Set("Accept", "application/json")
	resp, err := l.Client.Do(req)
	if err != nil {
		return nil, refuse(IssuerUnavailable, err)
	}
	var more claimSet
	if told := resp.Status == http.StatusOK && json.Unmarshal(resp.Body, &more) == nil; !told {
		return claims, nil // a signed answer, or none: the ID token has to do
	}
	if more["sub"] != claims["sub"] { // section 5.3.2
		return nil, refuse(IDTokenSubject, nil)
	}
	if address, signed := claims["email"]; signed && more["email"] != address {
		delete(more, "email_verified") // of another address than the signed one it says nothing (section 5.1)
	}
	for name, value := range more {
		if _, signed := claims[name]; !signed {
			claims[name] = value
		}
	}
	return claims, nil
}

// complete reports whether the ID token has every claim that the channel needs. Which ones an expression asks for is not
// known, so with one the issuer is asked.
func (l *Logins) complete(claims claimSet) bool {
	if l.required != nil {
		return false
	}
	needed := append([]string{l.Channel.OIDC.UserClaim}, l.Channel.OIDC.DisplayClaims...)
	if l.Channel.OIDC.UserClaim == "email" {
		needed = append(needed, "email_verified")
	}
	for _, name := range needed {
		if _, ok := claims[name]; !ok {
			return false
		}
	}
	return true
}

// allowed evaluates requiredClaims. A claim that the expression needs and the person lacks is a no, like any other.
func (l *Logins) allowed(ctx context.Context, claims claimSet) error {
	if l.required == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, claimsTimeout)
	defer cancel()
	result, _, err := l.required.ContextEval(ctx, map[string]any{"claims": map[string]any(claims)})
	if err != nil { // its text quotes claims
		return refuse(RequiredClaims, nil)
	}
	if yes, ok := result.Value().(bool); !ok || !yes {
		return refuse(RequiredClaims, nil)
	}
	return nil
}

// identity is who the person is. Issuer and subject decide; the account is kept beside them (C32).
func (l *Logins) identity(claims claimSet) (link.Identity, error) {
	subject, _ := claims["sub"].(string)
	identity := link.Identity{Issuer: l.Channel.OIDC.IssuerURL, Subject: subject}
	name := l.Channel.OIDC.UserClaim
	if name == "" {
		name = "sub"
	}
	if name == "email" && !isTrue(claims["email_verified"]) {
		return link.Identity{}, refuse(UserClaim, nil)
	}
	identity.Account = shown(claims[name])
	if identity.Account == "" || len(identity.Account) > maxAccount {
		return link.Identity{}, refuse(UserClaim, nil)
	}
	return identity, nil
}

// isTrue reads a boolean as issuers write it: some send "true" as a string.
func isTrue(value any) bool { return value == true || value == "true" }

// display is what consent shows of the person, the first claim on top. Without any of displayClaims it is the account.
func (l *Logins) display(claims claimSet, identity link.Identity) []link.Claim {
	var all []link.Claim
	for _, name := range l.Channel.OIDC.DisplayClaims {
		if value := clip(shown(claims[name]), maxDisplay); value != "" {
			all = append(all, link.Claim{Name: name, Value: value})
		}
	}
	if len(all) == 0 {
		all = append(all, link.Claim{Name: l.Channel.OIDC.UserClaim, Value: clip(identity.Account, maxDisplay)})
	}
	return all
}

// shown is a claim as text; empty for what has no plain form.
func shown(value any) string {
	switch value := value.(type) {
	case string:
		return strings.TrimSpace(strings.Map(printable, value))
	case float64:
		return strconv.FormatFloat(value, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(value)
	case []any:
		var parts []string
		for _, entry := range value[:min(len(value), maxListed)] {
			if text, ok := entry.(string); ok {
				parts = append(parts, shown(text))
			}
		}
		return strings.Join(parts, ", ")
	}
	return ""
}

// printable drops what could make a value look like another: control characters, and those that turn the writing direction.
func printable(r rune) rune {
	if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}
