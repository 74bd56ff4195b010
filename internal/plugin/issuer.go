package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
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

// elsewhereURI is a redirect URI that no client has (RFC 2606, section 2).
const elsewhereURI = "https://kubectl-channellink-doctor.invalid/callback"

// checkRedirectURI asks for a login without a person (prompt=none). An issuer that knows the redirect URI answers by way of it,
// mostly with login_required; one that does not must not redirect there (RFC 6749, section 4.1.2.1). One that does not know of
// prompt=none shows its login page: then it knows the redirect URI if it refuses one that nobody has. No login is begun: the
// state is nobody's.
func (s *session) checkRedirectURI(ctx context.Context, l *v1alpha1.ChannelLink, endpoint string) check {
	c := check{Name: "Redirect URI", Result: unknownResult}
	callback := strings.TrimSuffix(string(l.Spec.PublicURL), "/") + "/callback"
	c.Do = fmt.Sprintf("See at the identity provider that there is a client %s, with the redirect URI %s", l.Spec.OIDC.ClientID, callback)
	got, err := s.askForLogin(ctx, l, endpoint, callback)
	if err != nil {
		c.Message = "cannot be tried: no answer from the issuer"
		return c
	}
	location := got.header.Get("Location")
	switch {
	case location == callback || strings.HasPrefix(location, callback+"?"):
		c.Result, c.Message, c.Do = wellResult, "the issuer redirects to it", ""
		return c
	case got.status >= 400 && got.status < 500:
		c.Result, c.Message = failedResult, fmt.Sprintf("the issuer refuses it, with %d", got.status)
		return c
	}
	if other, err := s.askForLogin(ctx, l, endpoint, elsewhereURI); err == nil && got.status < 400 && other.status >= 400 && other.status < 500 {
		c.Result, c.Message, c.Do = wellResult, "the issuer takes it, and refuses another", ""
		return c
	}
	c.Message = fmt.Sprintf("the issuer answers with a page of its own (%d), which may mean either", got.status)
	return c
}

// maxHops bounds how far an issuer leads on within itself, as to the page of its one connector.
const maxHops = 3

// askForLogin asks an authorization endpoint for a login without a person, and follows it as a browser does, as long as it stays
// at the issuer.
func (s *session) askForLogin(ctx context.Context, l *v1alpha1.ChannelLink, endpoint, redirectURI string) (answer, error) {
	at, err := url.Parse(endpoint)
	if err != nil {
		return answer{}, errors.New("the issuer's endpoint is no URL")
	}
	query := at.Query()
	for name, value := range map[string]string{
		"response_type": "code", "client_id": l.Spec.OIDC.ClientID, "redirect_uri": redirectURI, "scope": "openid", "prompt": "none",
		"state": "kubectl-channellink-doctor", "nonce": "kubectl-channellink-doctor",
		// The example of RFC 7636, appendix B: some issuers refuse a request without.
		"code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	at.RawQuery = query.Encode()
	browser := *s.HTTP
	if browser.Jar, err = cookiejar.New(nil); err != nil {
		return answer{}, err
	}
	visit := session{Env: s.Env}
	visit.HTTP = &browser
	for hops := 0; ; hops++ {
		got, err := visit.get(ctx, at.String())
		if err != nil || hops == maxHops {
			return got, err
		}
		next, err := at.Parse(got.header.Get("Location"))
		if err != nil || got.header.Get("Location") == "" || next.Scheme != at.Scheme || next.Host != at.Host ||
			strings.HasPrefix(next.String(), redirectURI) {
			return got, nil //nolint:nilerr // whatever that is, it is the issuer's answer
		}
		at = next
	}
}
