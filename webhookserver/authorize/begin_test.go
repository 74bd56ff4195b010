package authorize_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// TestAuthorizationRequest looks at what the issuer is asked. // C7, C31
func TestAuthorizationRequest(t *testing.T) {
	maxAge := config.Duration(90 * time.Minute)
	w := newWorld(t, oidc(func(o *config.OIDC) {
		o.Prompt, o.MaxAge, o.ACRValues = "select_account", &maxAge, []string{"mfa", "phr"}
		o.ExtraAuthParams = map[string]string{"domain_hint": "vision.example", "state": "evil"}
	}), func(w *world, _ *authorize.Options) {
		w.Issuer.Set(map[string]any{"authorization_endpoint": w.Issuer.URL + "/authorize?tenant=hr"})
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, loginURL, nil)
	r.Header.Set("Accept-Language", "zh-TW,zh;q=0.9, en;q=0.8,<script>,*;q=0.1")
	u, err := url.Parse(w.browser().do(t, r).Location)
	if err != nil {
		t.Fatal(err)
	}
	got := u.Query()
	for _, random := range []string{"state", "nonce", "code_challenge"} {
		if v := got[random]; len(v) != 1 || len(v[0]) < 43 {
			t.Errorf("%s is %v, want one of 256 bits", random, v)
		}
		got.Del(random)
	}
	want := url.Values{
		"tenant": {"hr"}, "domain_hint": {"vision.example"},
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {publicURL + "/callback"},
		"scope": {"openid profile"}, "code_challenge_method": {"S256"}, "prompt": {"select_account"}, "max_age": {"5400"},
		"acr_values": {"mfa phr"}, "ui_locales": {"zh-TW zh en"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("authorization request (-want +got):\n%s", diff)
	}
}

// TestFreshValues begins many logins: nothing random comes twice, and the verifier goes with its challenge. // C7, C28
func TestFreshValues(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for range 50 {
		b := w.browser()
		location := b.atIssuer(t)
		u, err := url.Parse(location)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		b.get(t, "/callback?"+w.Issuer.SignIn(t, location, issuertest.Login{}).Encode())
		requests := w.Issuer.TokenRequests()
		verifier := requests[len(requests)-1].PostForm.Get("code_verifier")
		sum := sha256.Sum256([]byte(verifier))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != q.Get("code_challenge") {
			t.Fatal("the verifier is not the challenge's")
		}
		values := []string{q.Get("state"), q.Get("nonce"), verifier}
		values = append(values, slices.Collect(maps.Values(b.cookies))...)
		for _, value := range values {
			if seen[value] {
				t.Fatalf("%q came twice", value)
			}
			seen[value] = true
		}
	}
}

// TestCookies looks at the cookie and at how many a browser keeps. // C21, C23
func TestCookies(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	p := b.get(t, loginURL)
	set := p.Header.Values("Set-Cookie")
	if len(set) != 1 {
		t.Fatalf("cookies are %q, want one", set)
	}
	name, _, _ := strings.Cut(set[0], "=")
	if !strings.HasPrefix(name, "__Host-cl-") {
		t.Errorf("the cookie is called %s", name)
	}
	for _, attribute := range []string{"Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} {
		if !slices.Contains(strings.Split(set[0], "; "), attribute) {
			t.Errorf("%q has no %s", set[0], attribute)
		}
	}
	if strings.Contains(set[0], "Domain") {
		t.Errorf("%q has a domain: other hosts could read it", set[0])
	}

	for range 9 {
		w.advance(time.Second)
		b.get(t, loginURL)
	}
	if len(b.cookies) != 5 {
		t.Errorf("the browser keeps %d cookies, want 5", len(b.cookies))
	}
	if _, kept := b.cookies[name]; kept {
		t.Error("the oldest cookie is still there")
	}
	last := w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{})
	if p := b.get(t, "/callback?"+last.Encode()); p.Code != http.StatusSeeOther {
		t.Errorf("the newest login got %d", p.Code)
	}
}

// TestCookieTossed sends two cookies of the login's name, as a sibling host could make a browser do that knows no __Host-.
// // C21
func TestCookieTossed(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	callback := "/callback?" + w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{}).Encode()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, callback, nil)
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: flip(value, 10)})
	}
	if p := b.do(t, r); p.Code != http.StatusBadRequest || w.count(authorize.CookieRepeated) != 1 {
		t.Errorf("got %d, want 400 and %s", p.Code, authorize.CookieRepeated)
	}
	if n := len(w.Issuer.TokenRequests()); n != 0 {
		t.Errorf("there were %d token requests", n)
	}
}

// TestParameters begins logins with what no platform sends. None of it reaches the issuer. // C15
func TestParameters(t *testing.T) {
	for _, c := range []struct{ reason, query string }{
		{"nothing", ""},
		{"the token twice", "linkToken=a&linkToken=b"},
		{"the token in two spellings", "linkToken=a&LinkToken=b"},
		{"the token in another spelling", "linktoken=a"},
		{"the token empty", "linkToken="},
		{"Messenger's token, too", "linkToken=a&account_linking_token=b"},
		{"Messenger's parameters alone", "account_linking_token=a&redirect_uri=https://www.facebook.com/"},
		{"a NUL", "linkToken=a%00b"},
		{"a line end", "linkToken=a%0d%0aSet-Cookie:x"},
		{"no UTF-8", "linkToken=%ff%fe"},
		{"a broken escape", "linkToken=%zz"},
		{"a semicolon, which some take for an ampersand", "linkToken=a;userId=b"},
		{"8 KiB in one value", "linkToken=" + strings.Repeat("A", 8<<10)},
		{"8 KiB in many", "linkToken=a" + strings.Repeat("&x=1", 3000)},
		{"many names", "linkToken=a&" + manyNames(40)},
		{"a long name", "linkToken=a&" + strings.Repeat("n", 100) + "=1"},
		{"a control character in a name", "linkToken=a&x%0a=1"},
		{"somebody's user id, which LINE does not send", "linkToken=a&userId=U206d25c2ea6bd87c17655609a1c37cb8"},
		{"an address to go to", "linkToken=a&redirect_uri=https://evil.example"},
	} {
		w := newWorld(t)
		b := w.browser()
		p := b.get(t, "/authorize?"+c.query)
		if p.Code != http.StatusBadRequest || p.Location != "" || len(b.cookies) != 0 {
			t.Errorf("%s: got %d, location %q, %d cookies; want a 400 page and nothing else", c.reason, p.Code, p.Location, len(b.cookies))
		}
		if strings.Contains(p.Body, "evil") || strings.Contains(p.Body, "U206d") {
			t.Errorf("%s: the page repeats what came in:\n%s", c.reason, p.Body)
		}
		if n, err := w.Store.OpenSessions(t.Context(), w.options.ID, w.now()); err != nil || n != 0 {
			t.Errorf("%s: %d sessions, %v", c.reason, n, err)
		}
	}
}

func manyNames(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("&p" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "=1")
	}
	return b.String()[1:]
}

// TestPreviews has robots look at the link. They get a page, and nothing is begun.
func TestPreviews(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		reason, method, header, value string
		preview                       bool
	}{
		{"LINE's preview", http.MethodGet, "User-Agent", "facebookexternalhit/1.1;line-poker/1.0", true},
		{"Meta's", http.MethodGet, "User-Agent", "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", true},
		{"another chat's", http.MethodGet, "User-Agent", "TelegramBot (like TwitterBot)", true},
		{"a HEAD request", http.MethodHead, "User-Agent", "Mozilla/5.0", true},
		{"a browser that guesses", http.MethodGet, "Sec-Purpose", "prefetch;prerender", true},
		{"LINE's own browser", http.MethodGet, "User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari Line/14.15.0", false},
		{"Messenger's own browser", http.MethodGet, "User-Agent", "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0 Mobile Safari/537.36 [FB_IAB/Orca-Android;FBAV/478.0;]", false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, loginURL, nil)
		r.Header.Set(c.header, c.value)
		b := w.browser()
		p := b.do(t, r)
		if got := p.Code == http.StatusOK && p.Location == "" && len(b.cookies) == 0; got != c.preview {
			t.Errorf("%s: got %d to %q with %d cookies", c.reason, p.Code, p.Location, len(b.cookies))
		}
	}
	b := w.browser()
	callback := "/callback?" + w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{}).Encode()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, callback, nil)
	r.Header.Set("Sec-Purpose", "prefetch")
	if p := b.do(t, r); p.Code != http.StatusOK || len(w.Issuer.TokenRequests()) != 0 {
		t.Errorf("a prefetched callback got %d and %d token requests, want a page and none", p.Code, len(w.Issuer.TokenRequests()))
	}
	if p := b.get(t, callback); p.Code != http.StatusSeeOther {
		t.Errorf("afterwards the callback got %d, want 303", p.Code)
	}
}

// TestCannotBegin shows a page when something that a login needs is away, before anybody signs in. // C55, C57
func TestCannotBegin(t *testing.T) {
	for _, c := range []struct {
		name, reason string
		change       func(*world, *authorize.Options)
		refused      authorize.Reason
	}{
		{"issuer", "never discovered, or too long ago (C55)", func(_ *world, o *authorize.Options) {
			o.Issuer = unknownIssuer{}
		}, authorize.IssuerUnknown},
		{"store", "not open yet", func(_ *world, o *authorize.Options) {
			o.Store = func() (link.SessionStore, error) { return nil, link.ErrUnavailable }
		}, authorize.StoreUnavailable},
		{"room", "too many logins are open", func(_ *world, o *authorize.Options) {
			o.Store = func() (link.SessionStore, error) { return fullStore{}, nil }
		}, authorize.TooManySessions},
		{"client secret", "missing, or bound to another issuer (C57)", func(_ *world, o *authorize.Options) {
			o.Secrets.ClientSecret = func() (secretfile.Secret, bool) { return secretfile.Secret{}, false }
		}, authorize.ClientUnusable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.change)
			b := w.browser()
			p := b.get(t, loginURL)
			if p.Code != http.StatusServiceUnavailable || w.count(c.refused) != 1 || len(b.cookies) != 0 {
				t.Errorf("%s: got %d, want a 503 page and %s\n%s", c.reason, p.Code, c.refused, w.logs)
			}
			if len(w.Issuer.TokenRequests()) != 0 {
				t.Errorf("%s: the token endpoint was called", c.reason)
			}
		})
	}
}

type fullStore struct{ link.SessionStore }

func (fullStore) PutSession(context.Context, link.Session) error { return link.ErrTooManySessions }
