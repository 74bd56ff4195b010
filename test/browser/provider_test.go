//go:build browser

package browser

import (
	"html/template"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
)

// ownProvider is a provider for what dex does not do: it sends a person back who says no, and tells when he signed in.
type ownProvider struct {
	*issuertest.Issuer
	mu       sync.Mutex
	signedIn time.Time // when the session began that the provider remembers; zero: it asks anew
}

var signInPage = template.Must(template.New("").Parse(`<!DOCTYPE html><title>Sign in</title><h1>Sign in to Vision</h1>
<a id="in" href="{{.In}}">Sign in</a> <a id="no" href="{{.No}}">Cancel</a>`))

// Selectors of its page.
const (
	signInLink = "a#in"
	sayNoLink  = "a#no"
)

func newOwnProvider(t *testing.T) *ownProvider {
	t.Helper()
	p := &ownProvider{Issuer: issuertest.New(t)}
	p.Handle("/authorize", func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Query()
		back := func(q url.Values) string { return asked.Get("redirect_uri") + "?" + q.Encode() }
		p.mu.Lock()
		signedIn := p.signedIn
		p.mu.Unlock()
		if signedIn.IsZero() {
			signedIn = time.Now()
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = signInPage.Execute(w, map[string]string{ // the browser shows what is missing
			"In": back(p.SignIn(t, r.URL.String(), issuertest.Login{Claims: map[string]any{"auth_time": signedIn.Unix()}})),
			"No": back(url.Values{"error": {"access_denied"}, "state": {asked.Get("state")}, "iss": {p.URL}}),
		})
	})
	return p
}

// remember makes it one that has a session of the person, begun at that time.
func (p *ownProvider) remember(signedIn time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signedIn = signedIn
}

// choose opens a login URL and follows one of the links at the provider.
func (p *person) choose(t *testing.T, address, choice string) {
	t.Helper()
	p.visit(t, address)
	if at := p.at(t); !p.atIssuer(at) {
		t.Fatalf("the login URL leads to %s, want the provider:\n%s", at, p.text(t))
	}
	p.do(t, "choosing "+choice, chromedp.Click(chromedp.CSS(choice)))
}

// C30: the person says no at the provider. Messenger is told so, without a code; on LINE there is a page. The login is over
// at once: neither Back nor the provider's other answer brings it to life again.
func TestProviderSaysNo(t *testing.T) {
	provider := newOwnProvider(t)
	w := newWorld(t, sqlite, func(w *world) { w.issuer = provider.URL })
	for _, r := range w.routes {
		t.Run(r.name, func(t *testing.T) {
			user, before := w.newUser(t, r, "Ben Wu"), w.counts(t, r)
			p := w.newPerson(t)
			p.beAt(t, r, user)
			p.visit(t, w.tap(t, r, user).URL)
			yes := eval[string](t, p, "document.querySelector(`"+signInLink+"`).href")
			p.do(t, "saying no", chromedp.Click(chromedp.CSS(sayNoLink)))
			if r.kind == chatsim.Messenger {
				p.sees(t, r.platformPage())
				p.reads(t, "Linking cancelled")
				for _, address := range p.asked() {
					if u, err := url.Parse(address); err != nil || u.Query().Has("authorization_code") {
						t.Errorf("the browser was sent with a code: %s, %v", address, err)
					}
				}
			} else {
				p.sees(t, message)
				p.reads(t, "Cancelled", "Nothing was linked")
			}
			p.visit(t, yes)
			p.sees(t, message)
			p.reads(t, "already used")
			if after := w.counts(t, r); after != before {
				t.Errorf("there were %s, now there are %s", before, after)
			}
			w.notLinked(t, r, user)
			w.linkAtOwnProvider(t, r, user) // the button itself is not spent
		})
	}
}

func (w *world) linkAtOwnProvider(t *testing.T, r route, user chatsim.User) {
	t.Helper()
	p := w.newPerson(t)
	p.beAt(t, r, user)
	p.choose(t, w.tap(t, r, user).URL, signInLink)
	p.sees(t, buttonLink)
	p.press(t, buttonLink)
	p.sees(t, r.platformPage())
	p.reads(t, "Accounts linked")
	w.active(t, r, user)
}

// C31: on a shared phone the provider still knows who was there an hour ago. With oidc.maxAge that is not enough, nor is a
// provider that does not say when it was.
func TestSignedInLongAgo(t *testing.T) {
	hour := config.Duration(time.Hour)
	limited := func(_ route, c *config.Channel) { c.OIDC.MaxAge = &hour }
	r := routes[2]

	provider := newOwnProvider(t)
	w := newWorld(t, sqlite, func(w *world) { w.issuer, w.adjust = provider.URL, limited })
	user, before := w.newUser(t, r, "Amy Chen"), w.counts(t, r)
	provider.remember(time.Now().Add(-90 * time.Minute))
	p := w.newPerson(t)
	p.choose(t, w.tap(t, r, user).URL, signInLink)
	p.sees(t, message)
	p.reads(t, "This account cannot be linked")
	if after := w.counts(t, r); after != before {
		t.Errorf("there were %s, now there are %s", before, after)
	}
	provider.remember(time.Now().Add(-30 * time.Minute))
	w.linkAtOwnProvider(t, r, user)

	t.Run("a provider that does not say", func(t *testing.T) { // dex is one
		w := newWorld(t, sqlite, func(w *world) { w.adjust = limited })
		user := w.newUser(t, r, "Amy Chen")
		p := w.newPerson(t)
		p.signIn(t, w.tap(t, r, user).URL)
		p.sees(t, message)
		p.reads(t, "This account cannot be linked")
		w.notLinked(t, r, user)
	})
}
