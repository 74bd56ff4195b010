package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"channellink.dev/operator/api/v1alpha1"
)

// discovery is what is read of an issuer's metadata (OpenID Connect Discovery, section 3).
type discovery struct {
	Issuer        string `json:"issuer"`
	Authorization string `json:"authorization_endpoint"`
}

// checkIssuer asks the issuer from this machine, and whether it knows our redirect URI. What the server sees from inside the
// cluster is the condition IssuerDiscovered: where this machine sees less, nothing is said to have failed.
func (s *session) checkIssuer(ctx context.Context, l *v1alpha1.ChannelLink) []check {
	c := check{Name: "Issuer", Result: unknownResult}
	issuer := string(l.Spec.OIDC.IssuerURL)
	got, err := s.get(ctx, strings.TrimSuffix(issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		c.Message, _ = unreached(err, host(issuer))
		c.Message += ", seen from this machine"
		return []check{c}
	}
	var found discovery
	switch {
	case got.status != http.StatusOK:
		c.Result, c.Message = failedResult, fmt.Sprintf("answers %d where its metadata should be", got.status)
		c.Do = "See that spec.oidc.issuerURL is the issuer itself, without /.well-known and without a path of its console."
	case json.Unmarshal(got.body, &found) != nil || found.Issuer == "" || found.Authorization == "":
		c.Result, c.Message = failedResult, "what it answers is no metadata of an OpenID provider"
	case found.Issuer != issuer:
		c.Result, c.Message = failedResult, fmt.Sprintf("calls itself %q", found.Issuer)
		c.Do = "Set spec.oidc.issuerURL to that, character for character; a final slash counts."
	default:
		c.Result, c.Message = wellResult, "found by this machine too"
		return []check{c, s.checkRedirectURI(ctx, l, found.Authorization)}
	}
	return []check{c}
}

// checkRedirectURI asks for a login without a person (prompt=none). An issuer that knows the redirect URI answers by way of it,
// mostly with login_required; one that does not must not redirect there (RFC 6749, section 4.1.2.1). No login is begun: the
// state is nobody's.
func (s *session) checkRedirectURI(ctx context.Context, l *v1alpha1.ChannelLink, endpoint string) check {
	c := check{Name: "Redirect URI", Result: unknownResult}
	callback := strings.TrimSuffix(string(l.Spec.PublicURL), "/") + "/callback"
	c.Do = fmt.Sprintf("See at the identity provider that client %s has the redirect URI %s", l.Spec.OIDC.ClientID, callback)
	u, err := url.Parse(endpoint)
	if err != nil {
		c.Message = "cannot be tried: the issuer's endpoint is no URL"
		return c
	}
	query := u.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": l.Spec.OIDC.ClientID, "redirect_uri": callback, "scope": "openid", "prompt": "none",
		"state": "kubectl-channellink-doctor", "nonce": "kubectl-channellink-doctor",
		// The example of RFC 7636, appendix B: some issuers refuse a request without.
		"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	got, err := s.get(ctx, u.String())
	if err != nil {
		c.Message = "cannot be tried: no answer from the issuer"
		return c
	}
	location := got.header.Get("Location")
	switch {
	case location == callback || strings.HasPrefix(location, callback+"?"):
		c.Result, c.Message, c.Do = wellResult, "the issuer redirects to it", ""
	case got.status >= 400 && got.status < 500:
		c.Result, c.Message = failedResult, fmt.Sprintf("the issuer refuses it, with %d", got.status)
	default:
		c.Message = fmt.Sprintf("the issuer answers with a page of its own (%d), which may mean either", got.status)
	}
	return c
}
