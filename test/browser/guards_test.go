//go:build browser

package browser

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"channellink.dev/operator/test/machine"
)

// C18 to C21, C29: what the pages forbid a browser, tried in one.
func TestGuards(t *testing.T) {
	w := newWorld(t, sqlite)
	t.Run("nothing leaks", func(t *testing.T) { leaksNothing(t, w, routes[1]) })
	t.Run("no frame", func(t *testing.T) { isNotFramed(t, w, routes[2]) })
	t.Run("no form from elsewhere", func(t *testing.T) { takesNoForeignForm(t, w, routes[2]) })
	t.Run("cookie", func(t *testing.T) { guardsItsCookie(t, w, routes[0]) })
	t.Run("token expired", func(t *testing.T) { saysThatTheTokenExpired(t, w, routes[2]) })
	t.Run("webhook", func(t *testing.T) { verifiesTheWebhook(t, w, routes[2]) })
	t.Run("another browser", func(t *testing.T) { knowsItsBrowser(t, w, routes[0]) })
}

// C18: the pages ask for nothing from anywhere, name nobody as referrer, and say so in every answer.
func leaksNothing(t *testing.T, w *world, r route) {
	user := w.newUser(t, r, "Amy Chen")
	before := len(w.answeredSince(0))
	p := w.newPerson(t)
	p.toConsent(t, w.tap(t, r, user).URL)
	for _, address := range p.asked() {
		if !strings.HasPrefix(address, w.link+"/") && !w.atIssuer(address) && !strings.HasPrefix(address, "data:image/") {
			t.Errorf("the way to consent asked for %s", address)
		}
	}
	p.press(t, buttonLink)
	p.sees(t, r.platformPage())
	if referrer := eval[string](t, p, "document.referrer"); referrer != "" {
		t.Errorf("the platform learns the referrer %s", referrer)
	}
	pages := 0
	for _, a := range w.answeredSince(before) {
		referrer := "no-referrer"
		if strings.Contains(a.path, "/consent/") && a.method == http.MethodGet {
			referrer = "same-origin" // without it, the form's POST would have no origin
			pages++
		}
		for name, want := range map[string]string{
			"Referrer-Policy": referrer, "Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", a.method, a.path, name, got, want)
			}
		}
		policy := a.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s %s: the policy %q lacks %s", a.method, a.path, policy, want)
			}
		}
	}
	if pages == 0 {
		t.Error("no consent page went through the proxy")
	}
}

// elsewhere serves a page of another site and returns its address.
func elsewhere(t *testing.T, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, "<!DOCTYPE html><title>elsewhere</title>"+body)
	}))
	t.Cleanup(s.Close)
	return "http://evil.localhost:" + machine.Port(s.Listener) + "/"
}

// C19: no page can be put into a frame: the landing page, the question, and an error.
func isNotFramed(t *testing.T, w *world, r route) {
	user, p := w.newUser(t, r, "Amy Chen"), w.newPerson(t)
	p.toConsent(t, w.tap(t, r, user).URL)
	for name, address := range map[string]string{
		"landing": r.publicURL(w) + "/", "consent": p.at(t), "error": r.publicURL(w) + "/authorize",
	} {
		t.Run(name, func(t *testing.T) {
			tab := p.newTab(t)
			tab.visit(t, elsewhere(t, `<iframe src="`+html.EscapeString(address)+`"></iframe>`))
			if tab.frames(t, address) {
				t.Errorf("the frame shows %s", address)
			}
		})
	}
	t.Run("a page that allows it", func(t *testing.T) { // or the test would find no frame ever
		address, tab := p.chat+"/", p.newTab(t)
		tab.visit(t, elsewhere(t, `<iframe src="`+address+`"></iframe>`))
		if !tab.frames(t, address) {
			t.Errorf("no frame shows %s", address)
		}
	})
}

// frames reports whether a frame shows the address, and not the browser's refusal. It is on another site than its parent: so
// it is a target of its own.
func (p *person) frames(t *testing.T, address string) bool {
	t.Helper()
	all, err := chromedp.Targets(p.tab)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(i *target.Info) bool { return i.Type == "iframe" && i.URL == address })
	if i < 0 {
		return false
	}
	inside, leave := chromedp.NewContext(p.tab, chromedp.WithTargetID(all[i].TargetID))
	defer leave()
	shown, err := chromedp.Run(inside, chromedp.Evaluate[string]("location.href"))
	if err != nil {
		t.Fatal(err)
	}
	return shown == address
}

// C20: a form on another site cannot press the button, with or without the form's token.
func takesNoForeignForm(t *testing.T, w *world, r route) {
	user, before := w.newUser(t, r, "Amy Chen"), w.counts(t, r)
	p := w.newPerson(t)
	p.toConsent(t, w.tap(t, r, user).URL)
	action, token := p.at(t), eval[string](t, p, `document.forms[0].elements.token.value`)
	for name, known := range map[string]string{"without the token": "", "with the token": token} {
		t.Run(name, func(t *testing.T) {
			tab := p.newTab(t)
			tab.visit(t, elsewhere(t, `<form method="post" action="`+html.EscapeString(action)+`">`+
				`<input name="token" value="`+html.EscapeString(known)+`"><button name="choice" value="link">win</button></form>`))
			answered := len(w.answeredSince(0))
			tab.press(t, `button`)
			tab.sees(t, message)
			last := w.answeredSince(answered)
			if len(last) == 0 || last[0].method != http.MethodPost || last[0].status != http.StatusForbidden {
				t.Errorf("the form got %+v, want 403", last)
			}
			if after := w.counts(t, r); after != before {
				t.Errorf("there were %s, now there are %s", before, after)
			}
		})
	}
	p.press(t, buttonLink) // the person's own press is as good as before
	p.sees(t, r.platformPage())
	w.active(t, r, user)
}

// C21: the cookie of a login is one that other hosts cannot set, scripts cannot read and other sites cannot send.
func guardsItsCookie(t *testing.T, w *world, r route) {
	user, p := w.newUser(t, r, "Amy Chen"), w.newPerson(t)
	p.beAt(t, r, user)
	p.toConsent(t, w.tap(t, r, user).URL)
	got, err := chromedp.Call(p.tab, network.GetCookies, network.GetCookiesParams{URLs: []string{w.link + "/"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Cookies) != 1 {
		t.Fatalf("want one cookie, got %d", len(got.Cookies))
	}
	c := got.Cookies[0]
	if !strings.HasPrefix(c.Name, "__Host-cl-") || !c.Secure || !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax ||
		c.Path != "/" || c.Domain != linkHost {
		t.Errorf("the cookie is %+v", c)
	}
}

// C29: the platform says that its token is no good any more; the person reads it here, and is not sent there.
func saysThatTheTokenExpired(t *testing.T, w *world, r route) {
	user, p := w.newUser(t, r, "Amy Chen"), w.newPerson(t)
	login := w.tap(t, r, user)
	w.control(t, http.MethodPut, "clock", map[string]int{"offsetSeconds": 301}, nil)
	defer w.control(t, http.MethodPut, "clock", map[string]int{"offsetSeconds": 0}, nil)
	p.signIn(t, login.URL)
	p.sees(t, message)
	if at := host(t, p.at(t)); at != linkHost {
		t.Errorf("the person ends at %s", at)
	}
	w.notLinked(t, r, user)
}

// verifiesTheWebhook has Messenger ask whether the webhook is the app's.
func verifiesTheWebhook(t *testing.T, w *world, r route) {
	var said struct{ Verified bool }
	w.control(t, http.MethodPost, "channels/"+r.name+"/verify", nil, &said)
	if !said.Verified {
		t.Error("Messenger would not take the webhook")
	}
}

// C1: the question that one browser is asked cannot be answered in another.
func knowsItsBrowser(t *testing.T, w *world, r route) {
	user, p := w.newUser(t, r, "Amy Chen"), w.newPerson(t)
	p.beAt(t, r, user)
	p.toConsent(t, w.tap(t, r, user).URL)
	other := w.newPerson(t)
	other.visit(t, p.at(t))
	other.sees(t, message)
	if text := other.text(t); strings.Contains(text, "dupont") || strings.Contains(text, user.Name) {
		t.Errorf("another browser reads who it is:\n%s", text)
	}
}
