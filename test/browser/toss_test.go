//go:build browser

package browser

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// sibling serves a page below the servers' own host, from where a browser takes cookies for that host too.
func sibling(t *testing.T, cookies ...string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, c := range cookies {
			w.Header().Add("Set-Cookie", c)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>sibling</title>"))
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://evil." + linkHost + ":" + port + "/"
}

// cookies are those that the browser would send with a login, as name=value.
func (p *person) cookies(t *testing.T, address string) []string {
	t.Helper()
	got, err := chromedp.Call(p.tab, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, c := range got.Cookies {
		list = append(list, c.Name+"="+c.Value)
	}
	slices.Sort(list)
	return list
}

// C21: another host of the same domain tosses cookies at ours while a login waits for its press: by answers and by script,
// for the whole domain and for the very path, with the name of the login's own cookie and in other letters. The browser takes
// what has no prefix and refuses the rest, and the login goes on as before.
func TestCookieTossing(t *testing.T) {
	w, r := newWorld(t, sqlite), routes[0]
	user, p := w.newUser(t, r, "Amy Chen"), w.newPerson(t)
	p.beAt(t, r, user)
	p.toConsent(t, w.tap(t, r, user).URL)
	consent := p.at(t)
	mine := p.cookies(t, consent)
	if len(mine) != 1 {
		t.Fatalf("the login has the cookies %q, want one", mine)
	}
	name, _, _ := strings.Cut(mine[0], "=")

	path := strings.TrimPrefix(consent, w.link)
	var tossed []string
	for _, spelled := range []string{name, strings.ToUpper(name), "__Secure-" + name} {
		for _, attributes := range []string{"Path=/", "Path=" + path, "Path=/; Secure", "Path=" + path + "; Secure; HttpOnly"} {
			tossed = append(tossed, spelled+"=evil; Domain="+linkHost+"; "+attributes)
		}
	}
	tossed = append(tossed, "plain=evil; Domain="+linkHost+"; Path=/")
	tab := p.newTab(t)
	tab.visit(t, sibling(t, tossed...))
	for _, c := range tossed {
		tab.runs(t, "void (document.cookie = `"+c+"`)")
	}

	after := p.cookies(t, consent)
	if !slices.Contains(after, "plain=evil") {
		t.Fatalf("no cookie of the sibling arrives, so the test tries nothing: %q", after)
	}
	own := slices.DeleteFunc(slices.Clone(after), func(c string) bool { return !strings.HasPrefix(c, name+"=") })
	if !slices.Equal(own, mine) {
		t.Errorf("the login's cookies were %q and are %q", mine, own)
	}
	p.do(t, "reloading", chromedp.Reload())
	p.sees(t, buttonLink)
	p.press(t, buttonLink)
	p.sees(t, r.platformPage())
	p.reads(t, "Accounts linked")
	w.active(t, r, user)
}
