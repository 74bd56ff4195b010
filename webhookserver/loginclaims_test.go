package webhookserver_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
)

// C22: a login waits in the store. It goes on after its server was stopped and started again, at the issuer as well as at the
// question.
func TestLoginOutlivesTheProcess(t *testing.T) {
	var settings config.Settings
	w := readyToLogIn(t, func(_ *world, s *config.Settings) { settings = *s })
	cookies := map[string]string{}
	begun := w.visit(t, http.MethodGet, "/hr/authorize?linkToken=NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY", cookies, nil)
	query := w.Issuer.SignIn(t, begun.Header.Get("Location"), issuertest.Login{})

	w = w.restarted(t, settings)
	back := w.visit(t, http.MethodGet, "/hr/callback?"+query.Encode(), cookies, nil)
	path, ok := strings.CutPrefix(back.Header.Get("Location"), "https://"+visionHost)
	if back.Code != http.StatusSeeOther || !ok {
		t.Fatalf("/callback answered %d to %q\n%s", back.Code, back.Header.Get("Location"), back.Body)
	}
	consent := w.visit(t, http.MethodGet, path, cookies, nil)
	token := formField.FindStringSubmatch(consent.Body)
	if token == nil {
		t.Fatalf("the consent page is %d\n%s", consent.Code, consent.Body)
	}

	w = w.restarted(t, settings)
	linked := w.visit(t, http.MethodPost, path, cookies, url.Values{"token": {html.UnescapeString(token[1])}, "choice": {"link"}})
	if linked.Code != http.StatusSeeOther || !strings.HasPrefix(linked.Header.Get("Location"), accountLink+"?") {
		t.Errorf("the press got %d to %q\n%s", linked.Code, linked.Header.Get("Location"), linked.Body)
	}
}

// restarted stops the server and starts another one on its store.
func (w *world) restarted(t *testing.T, settings config.Settings) *world {
	t.Helper()
	w.stop()
	if err := <-w.ended; err != nil {
		t.Fatal(err)
	}
	w.ended <- nil // for the cleanup of that start
	again := *w
	again.ended = make(chan error, 1)
	again.start(t, settings)
	again.untilStatus(t, "the issuer discovered and the store open", func(s adminapi.Status) bool {
		return s.Issuer.State == adminapi.IssuerDiscovered && s.Store.State == adminapi.StoreOpen
	})
	return &again
}

// C25, C26: where a login sends the browser is a matter of publicURL alone, whatever a request says of its host.
func TestLoginIgnoresForwardingHeaders(t *testing.T) {
	w := readyToLogIn(t, func(_ *world, s *config.Settings) { s.Channels[0].TrustedProxyHops = 1 })
	for _, header := range []string{
		"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Uri", "X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-For",
		"X-Forwarded-Server", "X_Forwarded_Host", "X-Original-Url", "X-Rewrite-Url", "X-Real-Ip", "Forwarded", "X-Host",
	} {
		a := do(t, http.MethodGet, w.Public+"/hr/authorize?linkToken=NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY", func(r *http.Request) {
			r.Host = visionHost
			r.Header[header] = []string{"evil.example"}
		})
		location, err := url.Parse(a.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := location.Query().Get("redirect_uri"), "https://"+visionHost+"/hr/callback"; a.Code != http.StatusFound || got != want {
			t.Errorf("%s: %d, redirect_uri is %q, want %q", header, a.Code, got, want)
		}
		if said := fmt.Sprint(a.Header); strings.Contains(said, "evil") {
			t.Errorf("%s is repeated: %s", header, said)
		}
	}
}
