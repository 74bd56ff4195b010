package authorize_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
)

// TestRequiredClaims lets in whom the expression lets in.
func TestRequiredClaims(t *testing.T) {
	for _, c := range []struct {
		reason, expression string
		claims             map[string]any
		allowed            bool
	}{
		{"the example of the documentation", `claims.email_verified && claims.email.endsWith("@vision.example")`, nil, true},
		{"another company", `claims.email_verified && claims.email.endsWith("@vision.example")`, map[string]any{"email": "m@evil.example"}, false},
		{"a claim that is missing is a no", `claims.department == "hr"`, nil, false},
		{"a group", `"employees" in claims.groups`, map[string]any{"groups": []string{"employees"}}, true},
		{"a number", `claims.level >= 2`, map[string]any{"level": 3}, true},
		{"a number that is too small", `claims.level >= 2`, map[string]any{"level": 1}, false},
		{"no bool", `claims.name`, nil, false},
		{"too much work", `claims.groups.all(a, claims.groups.all(b, claims.groups.all(c, a != "x" + b + c)))`,
			map[string]any{"groups": strings.Split(strings.Repeat("g,", 199)+"g", ",")}, false},
	} {
		w := newWorld(t, oidc(func(o *config.OIDC) { o.RequiredClaims = c.expression }))
		p := w.browser().signedIn(t, issuertest.Login{Claims: c.claims})
		want := http.StatusForbidden
		if c.allowed {
			want = http.StatusSeeOther
		}
		if p.Code != want {
			t.Errorf("%s: got %d, want %d\n%s", c.reason, p.Code, want, w.logs)
		}
	}
}

// TestIdentity proves that issuer and subject are the identity, and that a claim beside them decides nothing. // C32
func TestIdentity(t *testing.T) {
	login := func(w *world, token string, claims map[string]any) (link.Identity, page) {
		b := w.browser()
		q := w.Issuer.SignIn(t, b.get(t, "/authorize?linkToken="+token).Location, issuertest.Login{Claims: claims})
		p := b.get(t, "/callback?"+q.Encode())
		if p.Code != http.StatusSeeOther {
			return link.Identity{}, p
		}
		back := b.press(t, b.get(t, below(t, p.Location)), pages.ChoiceLink)
		u, err := url.Parse(back.Location)
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.Store.LinkByCode(t.Context(), w.options.ID, link.HashCode(u.Query().Get("nonce")))
		if err != nil {
			t.Fatal(err)
		}
		return got.Identity, p
	}
	byEmail := newWorld(t, oidc(func(o *config.OIDC) { o.UserClaim = "email" }))
	first, _ := login(byEmail, "token-1", nil)
	renamed, _ := login(byEmail, "token-2", map[string]any{"email": "j.smith@vision.example"})
	if !first.Same(renamed) || renamed.Account != "j.smith@vision.example" {
		t.Errorf("after a change of address %+v is another person than %+v", renamed, first)
	}
	taken, _ := login(byEmail, "token-3", map[string]any{"sub": "newcomer"}) // who got the address afterwards
	if first.Same(taken) {
		t.Errorf("the same address makes %+v the person %+v", taken, first)
	}
	for reason, claims := range map[string]map[string]any{
		"unverified":         {"email_verified": false},
		"said by nobody":     {"email_verified": nil},
		"missing":            {"email": nil},
		"empty":              {"email": ""},
		"no text":            {"email": map[string]any{"x": 1}},
		"longer than stored": {"email": strings.Repeat("a", 256)},
	} {
		if _, p := login(byEmail, "token-4", claims); p.Code != http.StatusForbidden {
			t.Errorf("an address that is %s: got %d, want 403", reason, p.Code)
		}
	}
	want := link.Identity{Issuer: byEmail.Issuer.URL, Subject: issuertest.Subject, Account: "j.dupont@vision.example"}
	if diff := cmp.Diff(want, first); diff != "" {
		t.Errorf("identity (-want +got):\n%s", diff)
	}
}

// TestDisplayClaims shows what the owner chose, as plain text. // C24
func TestDisplayClaims(t *testing.T) {
	w := newWorld(t, oidc(func(o *config.OIDC) { o.DisplayClaims = []string{"name", "groups", "employee"} }))
	b := w.browser()
	p := b.signedIn(t, issuertest.Login{Claims: map[string]any{
		"name": "<img src=x onerror=alert(1)>\u202egnp.exe\x00", "groups": []any{"hr", 7, "staff"}, "employee": 4711,
	}})
	consent := b.get(t, below(t, p.Location))
	for _, want := range []string{"&lt;img src=x onerror=alert(1)&gt;gnp.exe", "hr, staff", "4711"} {
		if !strings.Contains(consent.Body, want) {
			t.Errorf("the page does not show %q:\n%s", want, consent.Body)
		}
	}
	if strings.ContainsAny(consent.Body, "\u202e\x00") {
		t.Error("the page has control characters of a claim")
	}
}

// TestChatNameIsPlain shows the name that a chat user has given himself, which is a stranger's word on the page that asks for
// consent: it cannot turn the writing direction, nor begin a line. // C1, C24
func TestChatNameIsPlain(t *testing.T) {
	w := newWorld(t)
	w.Platform.user = link.ChatUser{Name: " Mallory\u202e\r\n\u2066ecila\u200b "}
	page := w.browser().atConsent(t)
	if !strings.Contains(page.Body, "<strong>Malloryecila</strong>") || strings.ContainsAny(page.Body, "\u202e\u2066\u200b") {
		t.Errorf("the name stands on the page as it came:\n%q", page.Body)
	}
}

var codeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// TestCodes looks at the codes that the platform gets: random and never the same, or the person's pseudonym. // C28
func TestCodes(t *testing.T) {
	press := func(w *world, token string, claims map[string]any) string {
		b := w.browser()
		q := w.Issuer.SignIn(t, b.get(t, "/authorize?linkToken="+token).Location, issuertest.Login{Claims: claims})
		back := b.press(t, b.get(t, below(t, b.get(t, "/callback?"+q.Encode()).Location)), pages.ChoiceLink)
		u, err := url.Parse(back.Location)
		if err != nil {
			t.Fatal(err)
		}
		code := u.Query().Get("nonce")
		if !codeForm.MatchString(code) || strings.Contains(code, issuertest.Subject) {
			t.Errorf("code %q is not 43 characters of base64url", code)
		}
		return code
	}
	opaque := newWorld(t)
	if press(opaque, "one", nil) == press(opaque, "two", nil) {
		t.Error("one person got one code twice")
	}

	stable := func(key string) option {
		return func(_ *world, o *authorize.Options) {
			o.Channel.Linking.StableCode = true
			o.Secrets.CodeKey = secret(key)
		}
	}
	one := newWorld(t, stable(canary+"-key"))
	other := newWorld(t, stable(canary+"-key"), func(w *world, o *authorize.Options) {
		w.Issuer = one.Issuer
		o.Channel.OIDC.IssuerURL = one.Issuer.URL
		o.ID = link.NewChannelID("LINE", "another")
	})
	rekeyed := newWorld(t, stable(canary+"-other"), func(w *world, o *authorize.Options) {
		w.Issuer = one.Issuer
		o.Channel.OIDC.IssuerURL = one.Issuer.URL
	})
	pseudonym := press(one, "one", nil)
	if press(other, "one", nil) != pseudonym {
		t.Error("one person has two pseudonyms with one key")
	}
	if press(one, "two", map[string]any{"sub": "another"}) == pseudonym {
		t.Error("two people have one pseudonym")
	}
	if press(rekeyed, "one", nil) == pseudonym {
		t.Error("the pseudonym does not depend on the key")
	}

	// 1e6 of the generator that every code, state and nonce comes from.
	seen := make(map[string]struct{}, 1_000_000)
	for range 1_000_000 {
		code := link.NewCode()
		if len(code) != 43 {
			t.Fatalf("code %q", code)
		}
		seen[code] = struct{}{}
	}
	if len(seen) != 1_000_000 {
		t.Errorf("of a million codes %d differ", len(seen))
	}
}

// TestCodeKeyMissing links nobody under a pseudonym that cannot be made.
func TestCodeKeyMissing(t *testing.T) {
	w := newWorld(t, func(_ *world, o *authorize.Options) { o.Channel.Linking.StableCode = true })
	b := w.browser()
	if p := b.press(t, b.atConsent(t), pages.ChoiceLink); p.Code != http.StatusServiceUnavailable || len(w.pending(t)) != 0 {
		t.Errorf("got %d and %d links, want 503 and none", p.Code, len(w.pending(t)))
	}
}
