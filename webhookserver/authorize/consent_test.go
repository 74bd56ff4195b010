package authorize_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/pages"
)

// TestConsentForwarded gives a login URL to somebody who is signed in at the issuer: he sees a page that asks, and without
// his press nothing is stored and nobody is redirected. // C1
func TestConsentForwarded(t *testing.T) {
	w := newWorld(t)
	w.Platform.user = link.ChatUser{Name: "Mallory <b>"}
	bob := w.browser()
	consent := bob.atConsent(t)
	if !strings.Contains(consent.Body, "Mallory &lt;b&gt;") || !strings.Contains(consent.Body, "Did somebody send you this link?") {
		t.Errorf("the page does not say whose chat it is, or does not warn:\n%s", consent.Body)
	}
	if links := w.pending(t); len(links) != 0 {
		t.Errorf("there are links before the press: %v", links)
	}
	if p := bob.press(t, consent, pages.ChoiceCancel); p.Location != "" || len(w.pending(t)) != 0 {
		t.Errorf("after Cancel: to %q, %d links", p.Location, len(w.pending(t)))
	}
	w.advance(time.Minute)
	if p := bob.press(t, consent, pages.ChoiceLink); p.Location != "" || len(w.pending(t)) != 0 {
		t.Errorf("a press on Link after Cancel: to %q, %d links", p.Location, len(w.pending(t)))
	}
}

// TestConsentElsewhere opens the consent page and presses its button in other browsers than the login's own.
func TestConsentElsewhere(t *testing.T) {
	w := newWorld(t)
	owner := w.browser()
	consent := owner.atConsent(t)
	path, token := form(t, consent)
	stranger, neighbour := w.browser(), w.browser()
	neighbour.atConsent(t)
	for name, b := range map[string]*browser{"without cookies": stranger, "with another login's cookie": neighbour} {
		if p := b.get(t, path); p.Code != http.StatusBadRequest {
			t.Errorf("%s: the page answered %d, want 400", name, p.Code)
		}
		if p := b.do(t, post(t, path, token, pages.ChoiceLink)); p.Code != http.StatusBadRequest || len(w.pending(t)) != 0 {
			t.Errorf("%s: the press answered %d, %d links", name, p.Code, len(w.pending(t)))
		}
	}
	for cookie, value := range owner.cookies { // the right name and a wrong value
		stranger.cookies[cookie] = flip(value, len(value)/2)
	}
	if p := stranger.get(t, path); p.Code != http.StatusForbidden {
		t.Errorf("with a forged cookie: %d, want 403", p.Code)
	}
}

// TestConsentForgery sends the form as another site, or another page, could have it sent. // C20
func TestConsentForgery(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	path, token := form(t, b.atConsent(t))
	other := w.browser()
	_, foreign := form(t, other.atConsent(t))
	for _, c := range []struct {
		reason string
		change func(*http.Request)
		token  string
	}{
		{"a form on another site", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			r.Header.Set("Origin", "https://evil.example")
		}, token},
		{"a form on a sibling host", func(r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "same-site")
			r.Header.Set("Origin", "https://evil.vision.example")
		}, token},
		{"an old browser says where the form was", func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "https://evil.example")
		}, token},
		{"a sandboxed frame has no origin", func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "null")
		}, token},
		{"no token", func(*http.Request) {}, ""},
		{"a token that was cut", func(*http.Request) {}, token[:len(token)-1]},
		{"another login's token", func(*http.Request) {}, foreign},
		{"a form in another shape", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, token},
	} {
		r := post(t, path, c.token, pages.ChoiceLink)
		c.change(r)
		if p := b.do(t, r); p.Code != http.StatusForbidden || len(w.pending(t)) != 0 {
			t.Errorf("%s: got %d and %d links, want 403 and none", c.reason, p.Code, len(w.pending(t)))
		}
	}
	if p := b.do(t, post(t, path, token, "maybe")); p.Code != http.StatusForbidden {
		t.Errorf("a choice that is none: got %d, want 403", p.Code)
	}
	if p := b.do(t, post(t, path, token, pages.ChoiceLink)); p.Code != http.StatusSeeOther {
		t.Errorf("afterwards the right form got %d, want 303", p.Code)
	}
}

// TestConsentAgain reloads, goes back and presses again. There is one link, and no error. // C13
func TestConsentAgain(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	consent := b.atConsent(t)
	path, _ := form(t, consent)
	if again := b.get(t, path); again.Body != consent.Body {
		t.Errorf("a reload shows another page:\n%s", again.Body)
	}
	first := b.press(t, consent, pages.ChoiceLink)
	for _, choice := range []string{pages.ChoiceLink, pages.ChoiceCancel} { // a thumb that tapped twice
		if p := b.press(t, consent, choice); p.Code != first.Code || p.Location != first.Location {
			t.Errorf("a double tap with %s went to %d %q, want the same answer", choice, p.Code, p.Location)
		}
	}
	w.advance(time.Minute)
	if p := b.press(t, consent, pages.ChoiceLink); p.Code != http.StatusOK || p.Location != "" {
		t.Errorf("a press after going back got %d %q, want a page", p.Code, p.Location)
	}
	if p := b.get(t, path); p.Code != http.StatusOK || strings.Contains(p.Body, "<form") {
		t.Errorf("going back shows %d\n%s", p.Code, p.Body)
	}
	if links := w.pending(t); len(links) != 1 {
		t.Errorf("there are %d links, want 1", len(links))
	}
}

// TestConsentOnce presses fifty times at once.
func TestConsentOnce(t *testing.T) {
	for name, on := range stores(t) {
		t.Run(name, func(t *testing.T) { testConsentOnce(t, newWorld(t, on)) })
	}
}

func testConsentOnce(t *testing.T, w *world) {
	b := w.browser()
	consent := b.atConsent(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	locations := map[string]bool{}
	for range 50 {
		all.Go(func() {
			p := b.press(t, consent, pages.ChoiceLink)
			mu.Lock()
			defer mu.Unlock()
			if p.Code >= http.StatusBadRequest {
				t.Errorf("a press got %d", p.Code)
			}
			if p.Location != "" {
				locations[p.Location] = true
			}
		})
	}
	all.Wait()
	if links := w.pending(t); len(links) != 1 || len(locations) != 1 {
		t.Errorf("there are %d links and %d addresses, want one each", len(links), len(locations))
	}
}

// TestTwoLogins has a person tap the button twice. Both logins go on; the platform's token is spent by the first press. // C23
func TestTwoLogins(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	one, two := b.atConsent(t), b.atConsent(t)
	if p := b.press(t, two, pages.ChoiceLink); p.Code != http.StatusSeeOther {
		t.Errorf("the first press got %d, want 303", p.Code)
	}
	if p := b.press(t, one, pages.ChoiceLink); p.Code != http.StatusConflict || w.count(authorize.TokenSpent) != 1 {
		t.Errorf("the second press got %d, want 409 and %s", p.Code, authorize.TokenSpent)
	}
	if links := w.pending(t); len(links) != 1 {
		t.Errorf("there are %d links, want 1", len(links))
	}
}

// TestExpired goes on when the platform's token is over. Its clock starts with the button, and "Not you?" does not wind it
// back. // C29
func TestExpired(t *testing.T) {
	t.Run("at the callback", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		callback := "/callback?" + w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{}).Encode()
		w.advance(link.LINETokenLife)
		if p := b.get(t, callback); p.Code != http.StatusGone || len(w.Issuer.TokenRequests()) != 0 {
			t.Errorf("got %d and %d token requests, want 410 and none", p.Code, len(w.Issuer.TokenRequests()))
		}
	})
	t.Run("at the consent", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		consent := b.atConsent(t)
		w.advance(link.LINETokenLife)
		for name, p := range map[string]page{
			"press":  b.press(t, consent, pages.ChoiceLink),
			"reload": b.get(t, below(t, actionOf(t, consent))),
		} {
			if p.Code != http.StatusGone || p.Location != "" {
				t.Errorf("%s: got %d %q, want 410 and no redirect", name, p.Code, p.Location)
			}
		}
		if links := w.pending(t); len(links) != 0 {
			t.Errorf("there are links: %v", links)
		}
	})
	t.Run("of a token that was issued a while ago", func(t *testing.T) {
		w := newWorld(t)
		w.Platform.end = w.now().Add(time.Minute)
		b := w.browser()
		consent := b.atConsent(t)
		w.advance(time.Minute)
		if p := b.press(t, consent, pages.ChoiceLink); p.Code != http.StatusGone || len(w.pending(t)) != 0 {
			t.Errorf("got %d and the links %v, want 410 and none", p.Code, w.pending(t))
		}
		if p := b.get(t, "/authorize?linkToken="+linkToken); p.Code != http.StatusGone || p.Location != "" {
			t.Errorf("a tap on that button got %d %q, want 410 and no redirect", p.Code, p.Location)
		}
	})
	t.Run("after Not you", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		consent := b.atConsent(t)
		w.advance(link.LINETokenLife - time.Second)
		again := b.press(t, consent, pages.ChoiceNotYou)
		w.advance(time.Second)
		callback := "/callback?" + w.Issuer.SignIn(t, again.Location, issuertest.Login{}).Encode()
		if p := b.get(t, callback); p.Code != http.StatusGone {
			t.Errorf("got %d, want 410", p.Code)
		}
	})
	t.Run("in the platform's words", func(t *testing.T) {
		w := newWorld(t)
		w.Platform.err = link.ErrExpired
		if p := w.browser().signedIn(t, issuertest.Login{}); p.Code != http.StatusGone {
			t.Errorf("got %d, want 410", p.Code)
		}
	})
}

// TestClockSetBack goes on after the clock has been set back by an hour: no login gets an hour more for it. // C86
func TestClockSetBack(t *testing.T) {
	t.Run("at the callback", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		callback := "/callback?" + w.Issuer.SignIn(t, b.atIssuer(t), issuertest.Login{}).Encode()
		w.advance(-time.Hour)
		if p := b.get(t, callback); p.Code != http.StatusGone || len(w.Issuer.TokenRequests()) != 0 {
			t.Errorf("got %d and %d token requests, want 410 and none", p.Code, len(w.Issuer.TokenRequests()))
		}
	})
	t.Run("at the consent", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		consent := b.atConsent(t)
		w.advance(-time.Hour)
		if p := b.press(t, consent, pages.ChoiceLink); p.Code != http.StatusGone || len(w.pending(t)) != 0 {
			t.Errorf("got %d and the links %v, want 410 and none", p.Code, w.pending(t))
		}
	})
	t.Run("by less than clocks may differ", func(t *testing.T) {
		w := newWorld(t)
		b := w.browser()
		consent := b.atConsent(t)
		w.advance(-30 * time.Second)
		if p := b.press(t, consent, pages.ChoiceLink); p.Code != http.StatusSeeOther || len(w.pending(t)) != 1 {
			t.Errorf("got %d and the links %v, want 303 and one", p.Code, w.pending(t))
		}
	})
}

func actionOf(t *testing.T, consent page) string {
	t.Helper()
	path, _ := form(t, consent)
	return publicURL + path
}

// TestNotYou signs somebody else in.
func TestNotYou(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	again := b.press(t, b.atConsent(t), pages.ChoiceNotYou)
	u, err := url.Parse(again.Location)
	if err != nil || again.Code != http.StatusSeeOther || u.Query().Get("prompt") != "login" {
		t.Fatalf("went to %d %q, want 303 to the issuer with prompt=login", again.Code, again.Location)
	}
	back := w.Issuer.SignIn(t, again.Location, issuertest.Login{Claims: map[string]any{"sub": "another", "name": "A. Nother"}})
	p := b.get(t, "/callback?"+back.Encode())
	consent := b.get(t, below(t, p.Location))
	if !strings.Contains(consent.Body, "A. Nother") || strings.Contains(consent.Body, "J. Dupont") {
		t.Errorf("the consent page names somebody else:\n%s", consent.Body)
	}
	if p := b.press(t, consent, pages.ChoiceLink); p.Code != http.StatusSeeOther {
		t.Errorf("the press got %d", p.Code)
	}
	if links := w.pending(t); len(links) != 1 || links[0].Identity.Subject != "another" {
		t.Errorf("the links are %v", links)
	}
}

const (
	fbToken    = "ARTXCgVxCwPhsZpxeTmXdAyNJ80epG2CNT1RNFEPXthPcIE8dDpGbIoy7ZRNTu2YsIo"
	fbRedirect = "https://www.facebook.com/messenger_platform/account_linking/?account_linking_token=" + fbToken
)

// onMessenger makes the channel one of Messenger.
func onMessenger(w *world, o *authorize.Options) {
	w.Platform.redirects = &messenger.Redirects{Hosts: []string{"www.facebook.com"}}
	o.Channel.Platform = "Facebook"
}

var messengerURL = "/authorize?" + url.Values{"account_linking_token": {fbToken}, "redirect_uri": {fbRedirect}}.Encode()

// TestCancel says no, at the issuer and on the page, where the platform has a way of hearing it. // C30
func TestCancel(t *testing.T) {
	w := newWorld(t, onMessenger)
	b := w.browser()
	q := w.Issuer.SignIn(t, b.get(t, messengerURL).Location, issuertest.Login{})
	denied := url.Values{"state": q["state"], "iss": q["iss"], "error": {"access_denied"}}
	if p := b.get(t, "/callback?"+denied.Encode()); p.Code != http.StatusSeeOther || p.Location != fbRedirect {
		t.Errorf("at the issuer: went to %d %q, want the redirect_uri as it came", p.Code, p.Location)
	}
	q = w.Issuer.SignIn(t, b.get(t, messengerURL).Location, issuertest.Login{})
	consent := b.get(t, below(t, b.get(t, "/callback?"+q.Encode()).Location))
	if p := b.press(t, consent, pages.ChoiceCancel); p.Code != http.StatusSeeOther || p.Location != fbRedirect {
		t.Errorf("on the page: went to %d %q, want the redirect_uri as it came", p.Code, p.Location)
	}
	// It is over: whoever comes back to that page and presses Link is sent off without a code, and nothing is linked.
	if p := b.press(t, consent, pages.ChoiceLink); strings.Contains(p.Location, "authorization_code") {
		t.Errorf("Link after Cancel: went to %q", p.Location)
	}
	if links := w.pending(t); len(links) != 0 {
		t.Errorf("there are links: %v", links)
	}
	// The token was not spent: the button works again.
	q = w.Issuer.SignIn(t, b.get(t, messengerURL).Location, issuertest.Login{})
	consent = b.get(t, below(t, b.get(t, "/callback?"+q.Encode()).Location))
	p := b.press(t, consent, pages.ChoiceLink)
	u, err := url.Parse(p.Location)
	if err != nil {
		t.Fatal(err)
	}
	got := u.Query() // C16: the code is there once, beside what was there before
	if len(got["authorization_code"]) != 1 || len(got["account_linking_token"]) != 1 || got.Get("account_linking_token") != fbToken {
		t.Errorf("went to %q", p.Location)
	}
}

// TestPlatformVouches asks the platform whose token it is. // C3
func TestPlatformVouches(t *testing.T) {
	for _, c := range []struct {
		name, reason  string
		claimed       string
		user          link.ChatUser
		err           error
		want          int
		wantUser      string
		wantRefused   authorize.Reason
		shown, hidden string
	}{
		{name: "vouches", reason: "the link is for the user that the platform names",
			user: link.ChatUser{UserID: "1234567890123456", Verified: true}, want: 303, wantUser: "1234567890123456",
			shown: "1234…3456", hidden: "1234567890123456"},
		{name: "vouches for the one that is claimed", reason: "they agree", claimed: "1234567890123456",
			user: link.ChatUser{UserID: "1234567890123456", Verified: true}, want: 303, wantUser: "1234567890123456"},
		{name: "vouches for another", reason: "somebody made the parameters up (C3)", claimed: "9999999999999999",
			user: link.ChatUser{UserID: "1234567890123456", Verified: true}, want: 403, wantRefused: authorize.OtherChatUser},
		{name: "cannot vouch", reason: "the claim stays a claim", claimed: "9999999999999999",
			user: link.ChatUser{UserID: "9999999999999999", Name: "Bonnie"}, want: 303, wantUser: "9999999999999999", shown: "Bonnie"},
		{name: "is down", reason: "it could have said and did not", err: link.ErrUnavailable, want: 503,
			wantRefused: authorize.PlatformUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.Platform.claimed, w.Platform.user, w.Platform.err = c.claimed, c.user, c.err
			b := w.browser()
			p := b.signedIn(t, issuertest.Login{})
			if p.Code != c.want || c.wantRefused != "" && w.count(c.wantRefused) != 1 {
				t.Fatalf("%s: got %d, want %d %s", c.reason, p.Code, c.want, c.wantRefused)
			}
			if c.want != http.StatusSeeOther {
				return
			}
			consent := b.get(t, below(t, p.Location))
			if !strings.Contains(consent.Body, c.shown) || c.hidden != "" && strings.Contains(consent.Body, c.hidden) {
				t.Errorf("%s: the page shows\n%s", c.reason, consent.Body)
			}
			b.press(t, consent, pages.ChoiceLink)
			if links := w.pending(t); len(links) != 1 || links[0].UserID != c.wantUser {
				t.Errorf("%s: links are %+v", c.reason, links)
			}
		})
	}
}

// TestAfterRedirect activates at the redirect, for a channel that accepts the risk, and says that nobody confirmed it.
func TestAfterRedirect(t *testing.T) {
	w := newWorld(t, func(_ *world, o *authorize.Options) { o.Channel.Linking = config.Linking{AfterRedirect: true} })
	w.Platform.claimed = "U206d25c2ea6bd87c17655609a1c37cb8"
	b := w.browser()
	b.press(t, b.atConsent(t), pages.ChoiceLink)
	got, err := w.Store.ActiveLink(t.Context(), w.options.ID, w.Platform.claimed, time.Time{})
	if err != nil || got.Confirmed {
		t.Errorf("link is %+v, %v; want one that is active and not confirmed", got, err)
	}
}

// TestMaxLinks stops at the bound with a page of its own.
func TestMaxLinks(t *testing.T) {
	w := newWorld(t, func(_ *world, o *authorize.Options) {
		o.Channel.Linking = config.Linking{AfterRedirect: true, MaxLinksPerSubject: 1}
	})
	press := func(user, token string) page {
		w.Platform.claimed = user
		b := w.browser()
		q := w.Issuer.SignIn(t, b.get(t, "/authorize?linkToken="+token).Location, issuertest.Login{})
		return b.press(t, b.get(t, below(t, b.get(t, "/callback?"+q.Encode()).Location)), pages.ChoiceLink)
	}
	if p := press("U1", "token-one"); p.Code != http.StatusSeeOther {
		t.Errorf("the first link got %d", p.Code)
	}
	if p := press("U2", "token-two"); p.Code != http.StatusForbidden || w.count(authorize.TooManyLinks) != 1 {
		t.Errorf("the second link got %d, want 403 and %s", p.Code, authorize.TooManyLinks)
	}
	if p := press("U1", "token-three"); p.Code != http.StatusSeeOther {
		t.Errorf("relinking the first got %d: it is no further link", p.Code)
	}
}
