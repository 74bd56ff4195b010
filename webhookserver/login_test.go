package webhookserver_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
)

const accountLink = "https://access.line.me/dialog/bot/accountLink"

func withAccountLink(_ *world, s *config.Settings) {
	s.Channels[0].LINE.AccountLinkEndpoint = accountLink
}

// readyToLogIn starts a server and waits until it can log somebody in.
func readyToLogIn(t *testing.T, options ...option) *world {
	t.Helper()
	w := newWorld(t, append([]option{withAccountLink}, options...)...)
	w.untilStatus(t, "the issuer discovered and the store open", func(s adminapi.Status) bool {
		return s.Issuer.State == adminapi.IssuerDiscovered && s.Store.State == adminapi.StoreOpen
	})
	return w
}

// visit asks the public port with the cookies that a browser has by now.
func (w *world) visit(t *testing.T, method, path string, cookies map[string]string, form url.Values) answer {
	t.Helper()
	got := do(t, method, w.Public+path, func(r *http.Request) {
		r.Host = visionHost
		for name, value := range cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		if form != nil {
			body := form.Encode()
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", "https://"+visionHost)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
	})
	for _, c := range (&http.Response{Header: got.Header}).Cookies() {
		cookies[c.Name] = c.Value
	}
	return got
}

var formField = regexp.MustCompile(`name="token"[^>]* value="([^"]*)"`)

// TestLoginRoutes goes from the button to LINE through the whole server, below the channel's path.
func TestLoginRoutes(t *testing.T) {
	w := readyToLogIn(t)
	cookies := map[string]string{}
	begun := w.visit(t, http.MethodGet, "/hr/authorize?linkToken=NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY", cookies, nil)
	if begun.Code != http.StatusFound {
		t.Fatalf("/authorize answered %d\n%s", begun.Code, begun.Body)
	}
	query := w.Issuer.SignIn(t, begun.Header.Get("Location"), issuertest.Login{})
	back := w.visit(t, http.MethodGet, "/hr/callback?"+query.Encode(), cookies, nil)
	consentPath, ok := strings.CutPrefix(back.Header.Get("Location"), "https://"+visionHost)
	if back.Code != http.StatusSeeOther || !ok {
		t.Fatalf("/callback answered %d to %q\n%s", back.Code, back.Header.Get("Location"), back.Body)
	}
	consent := w.visit(t, http.MethodGet, consentPath, cookies, nil)
	token := formField.FindStringSubmatch(consent.Body)
	if consent.Code != http.StatusOK || token == nil {
		t.Fatalf("the consent page is %d\n%s", consent.Code, consent.Body)
	}
	for name, want := range map[string]string{ // C18, C19
		"Referrer-Policy": "same-origin", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
	} {
		if got := consent.Header.Get(name); got != want {
			t.Errorf("the consent page has %s: %q, want %q", name, got, want)
		}
	}
	policy := consent.Header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "form-action") {
		t.Errorf("the consent page has the policy %q", policy)
	}

	if huge := w.visit(t, http.MethodPost, consentPath, cookies, url.Values{"token": {strings.Repeat("x", 64<<10)}}); huge.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a form of 64 KiB got %d, want 413", huge.Code) // C40
	}
	linked := w.visit(t, http.MethodPost, consentPath, cookies, url.Values{"token": {html.UnescapeString(token[1])}, "choice": {"link"}})
	if linked.Code != http.StatusSeeOther || !strings.HasPrefix(linked.Header.Get("Location"), accountLink+"?") {
		t.Errorf("the press got %d to %q\n%s", linked.Code, linked.Header.Get("Location"), linked.Body)
	}
	for _, a := range []answer{begun, back, linked} {
		if got := a.Header.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("a redirect has Referrer-Policy %q", got) // C18
		}
	}
	metrics := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body
	for _, step := range []string{"begin", "return", "look", "link"} {
		if !strings.Contains(metrics, `channellink_login_steps_total{channel="vision-hr",reason="ok",step="`+step+`"} 1`) {
			t.Errorf("the step %s is not counted", step)
		}
	}
}

// TestLoginSecretOfAnotherIssuer has a Secret say that it belongs to another issuer than the channel's: whoever changed
// issuerURL gets nobody signed in, and no secret. // C57
func TestLoginSecretOfAnotherIssuer(t *testing.T) {
	w := readyToLogIn(t, func(w *world, _ *config.Settings) { w.files["issuer"] = "https://sso.vision.example" })
	got := w.get(t, "/hr/authorize?linkToken=NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY")
	if got.Code != http.StatusServiceUnavailable || got.Header.Get("Location") != "" || len(w.Issuer.TokenRequests()) != 0 {
		t.Errorf("got %d to %q, want a 503 page", got.Code, got.Header.Get("Location"))
	}
}

// TestLoginIssuerDown shows a friendly page while the issuer was never reached; the server itself is ready. // C55
func TestLoginIssuerDown(t *testing.T) {
	w := newWorld(t, withAccountLink, func(w *world, _ *config.Settings) {
		w.Issuer.Handle(issuertest.DiscoveryPath, issuertest.Answer(http.StatusServiceUnavailable, canary))
	})
	w.untilReady(t)
	got := w.get(t, "/hr/authorize?linkToken=NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY")
	if got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body, "<html") || strings.Contains(got.Body, canary) {
		t.Errorf("got %d\n%s", got.Code, got.Body)
	}
}
