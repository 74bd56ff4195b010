package chatsim

import (
	"net/http"
	"strings"
	"testing"
)

// Graph tells a page how its events get to a webhook, and an app which that is; each with its own token.
func TestGraphTellsWhatIsSet(t *testing.T) {
	w := newWorld(t)
	const page, app = "?access_token=page-token", "?access_token=14711|app-secret"
	server := w.channels[2].Server
	for _, c := range []struct {
		reason, path string
		off          bool
		status       int
		says         string
	}{
		{"the app of a token", "/v25.0/app" + page, false, http.StatusOK, `{"id":"14711"}`},
		{"nobody's token", "/v25.0/app?access_token=x", false, http.StatusUnauthorized, `"code":190`},
		{"the page's events", "/v25.0/4711/subscribed_apps" + page, false, http.StatusOK, `"id":"14711","name":"messenger","subscribed_fields":["messages","messaging_postbacks","messaging_account_linking"]`},
		{"without those of linking", "/v25.0/me/subscribed_apps" + page, true, http.StatusOK, `["messages","messaging_postbacks"]`},
		{"another page", "/v25.0/4712/subscribed_apps" + page, false, http.StatusBadRequest, `"code":100`},
		{"the app's webhook", "/v25.0/14711/subscriptions" + app, false, http.StatusOK, `"callback_url":"` + server + `/webhook"`},
		{"its fields have versions", "/v25.0/14711/subscriptions" + app, false, http.StatusOK, `{"name":"messaging_account_linking","version":"v25.0"}`},
		{"a webhook that is the app's own business", "/v25.0/14711/subscriptions" + page, false, http.StatusUnauthorized, `"code":190`},
		{"another app", "/v25.0/14712/subscriptions" + app, false, http.StatusBadRequest, `"code":100`},
	} {
		w.control(http.MethodPut, "channels/messenger/switches", Switches{WebhookOff: c.off}, nil)
		status, said := w.get(http.DefaultClient, c.path)
		if status != c.status || !strings.Contains(said, c.says) {
			t.Errorf("%s: %d %s", c.reason, status, said)
		}
	}
}
