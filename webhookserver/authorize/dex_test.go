//go:build oidc

package authorize_test

import (
	"net/http"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/dextest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/pages"
)

// withDex makes a real provider the channel's.
func withDex(p *dextest.Provider) option {
	return func(_ *world, o *authorize.Options) {
		o.Channel.OIDC.IssuerURL, o.Channel.OIDC.ClientID = p.URL, dextest.ClientID
		o.Channel.OIDC.Scopes = []string{"openid", "profile", "email"}
		o.Channel.OIDC.UserClaim = "email"
		o.Channel.OIDC.RequiredClaims = `claims.email_verified && claims.email.endsWith("@vision.example")`
		o.Secrets.ClientSecret = secret(dextest.ClientSecret)
	}
}

// TestDex goes the whole way with a real OpenID provider.
func TestDex(t *testing.T) {
	provider := dextest.Start(t, publicURL+"/callback")
	for name, change := range map[string]option{
		"basic":  func(*world, *authorize.Options) {},
		"locale": oidc(func(o *config.OIDC) { o.UILocales = []string{"zh-TW"}; o.Prompt = "login" }),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, withDex(provider), change)
			b := w.browser()
			back := provider.SignIn(t, b.atIssuer(t))
			p := b.get(t, below(t, back.String()))
			if p.Code != http.StatusSeeOther {
				t.Fatalf("the callback got %d\n%s", p.Code, w.logs)
			}
			consent := b.get(t, below(t, p.Location))
			if !strings.Contains(consent.Body, dextest.User) {
				t.Errorf("the page does not show who is signed in:\n%s", consent.Body)
			}
			if p := b.press(t, consent, pages.ChoiceLink); p.Code != http.StatusSeeOther || !strings.HasPrefix(p.Location, lineLinkURL) {
				t.Errorf("the press got %d %q", p.Code, p.Location)
			}
			if links := w.pending(t); len(links) != 1 || links[0].Identity.Account != dextest.User || links[0].Identity.Issuer != provider.URL {
				t.Errorf("links are %+v", links)
			}
		})
	}
}

// TestDexRefuses shows that the provider checks what it is sent: a code that is used twice, or with another secret, gets
// nobody in.
func TestDexRefuses(t *testing.T) {
	provider := dextest.Start(t, publicURL+"/callback")
	w := newWorld(t, withDex(provider), func(_ *world, o *authorize.Options) { o.Secrets.ClientSecret = secret(canary) })
	b := w.browser()
	back := provider.SignIn(t, b.atIssuer(t))
	if p := b.get(t, below(t, back.String())); p.Code != http.StatusBadGateway || w.count(authorize.ClientRefused) != 1 {
		t.Errorf("with a wrong secret: got %d, want 502 and %s\n%s", p.Code, authorize.ClientRefused, w.logs)
	}

	good := newWorld(t, withDex(provider))
	one, two := good.browser(), good.browser()
	first := provider.SignIn(t, one.atIssuer(t))
	second := provider.SignIn(t, two.atIssuer(t))
	// The code of another login, injected: the verifier is not its own.
	query := second.Query()
	query.Set("code", first.Query().Get("code"))
	if p := two.get(t, "/callback?"+query.Encode()); p.Code != http.StatusBadRequest || good.count(authorize.CodeRefused) != 1 {
		t.Errorf("with another login's code: got %d, want 400 and %s\n%s", p.Code, authorize.CodeRefused, good.logs)
	}
}
