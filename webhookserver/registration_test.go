package webhookserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
)

const ourWebhook = "https://" + visionHost + "/hr/webhook"

// settingsAt is the part of LINE or Graph that tells what is set there.
type settingsAt struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]string // JSON by method and path; "404 {…}" has another status
	asked   []string
}

func newSettingsAt(t *testing.T) *settingsAt {
	t.Helper()
	p := &settingsAt{answers: map[string]string{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		what := r.Method + " " + r.URL.Path
		if r.URL.Path == "/100/subscriptions" {
			what += " as " + r.URL.Query().Get("access_token")
		}
		p.asked = append(p.asked, what)
		answer, ok := p.answers[what]
		if !ok {
			answer = `500 {"message":"` + canary + `"}`
		}
		var code int
		if n, _ := fmt.Sscanf(answer, "%d ", &code); n == 1 {
			rw.WriteHeader(code)
			answer = answer[4:]
		}
		_, _ = rw.Write([]byte(answer))
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *settingsAt) set(what, answer string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[what] = answer
}

func (p *settingsAt) atLocalhost() string { return strings.Replace(p.URL, "127.0.0.1", "localhost", 1) }

const fieldLINEToken, fieldPageToken = "line.channelAccessTokenSecretRef", "messenger.pageAccessTokenSecretRef"

// observingLINE has the server look at what is set at LINE; without a token until one is mounted.
func observingLINE(p *settingsAt) option {
	return func(w *world, s *config.Settings) {
		l := s.Channels[0].LINE
		l.APIEndpoint, l.ChannelAccessToken = p.atLocalhost(), &config.File{Field: fieldLINEToken, Path: w.References.Path(fieldLINEToken)}
		s.Channels[0].Webhook.Observe = true
	}
}

func observingMeta(p *settingsAt) option {
	return func(w *world, s *config.Settings) {
		m := s.Channels[0].Messenger
		m.GraphEndpoint, m.PageAccessToken = p.atLocalhost(), &config.File{Field: fieldPageToken, Path: w.References.Path(fieldPageToken)}
		m.SiblingWebhooks = []string{"https://" + visionHost + "/fr/webhook"}
		s.Channels[0].Webhook.Observe = true
	}
}

// untilRegistration waits for a registration in the status. The token is mounted anew, which has the server look at once.
func untilRegistration(t *testing.T, w *world, field string, round int, want adminapi.Registration) {
	t.Helper()
	w.mount(t, map[string]string{field: fmt.Sprintf("%s-token-%d\n", canary, round)})
	wanted, _ := json.Marshal(want)
	w.untilStatus(t, string(wanted), func(s adminapi.Status) bool { return s.Registration != nil && *s.Registration == want })
}

// The server says what is set at LINE, in words of its own.
func TestRegistrationAtLINE(t *testing.T) {
	const endpoint = "GET /v2/bot/channel/webhook/endpoint"
	line := newSettingsAt(t)
	w := newWorld(t, observingLINE(line))
	w.untilStatus(t, "nothing without a token", func(s adminapi.Status) bool {
		return s.Registration != nil && s.Registration.State == adminapi.RegistrationPending
	})
	for round, c := range []struct {
		answer string
		want   adminapi.RegistrationState
	}{
		{`500 {}`, adminapi.RegistrationUnreachable},
		{`{"endpoint":"` + canary + `://elsewhere","active":true}`, adminapi.RegistrationOtherURL},
		{`{"endpoint":"` + ourWebhook + `/","active":true}`, adminapi.RegistrationOtherURL},
		{`404 {"message":"Webhook endpoint not found"}`, adminapi.RegistrationNoURL},
		{`{"endpoint":"` + ourWebhook + `","active":false}`, adminapi.RegistrationInactive},
		{`401 {"message":"Authentication failed"}`, adminapi.RegistrationTokenRejected},
		{`{"endpoint":"HTTPS://LINK.Vision.Example:443/hr/webhook","active":true}`, adminapi.RegistrationInPlace},
		{`503 {}`, adminapi.RegistrationInPlace}, // what was seen within the hour counts on
		{`403 {}`, adminapi.RegistrationTokenRejected},
	} {
		line.set(endpoint, c.answer)
		untilRegistration(t, w, fieldLINEToken, round, adminapi.Registration{State: c.want})
	}
}

// At Meta a page and its app must both ask for linking events, and the app's webhook must be ours or a sibling's.
func TestRegistrationAtMeta(t *testing.T) {
	const (
		app  = "GET /app"
		page = "GET /" + pageID + "/subscribed_apps"
		hook = "GET /100/subscriptions as 100|new" // the newest app secret
	)
	subscribed := func(url, active, fields string) string {
		return fmt.Sprintf(`{"data":[{"object":"user","callback_url":"https://elsewhere.example/","active":true,"fields":[]},{"object":"page","callback_url":%q,"active":%s,"fields":[%s]}]}`, url, active, fields)
	}
	const fields = `{"name":"messages","version":"v23.0"},{"name":"messaging_account_linking","version":"v23.0"}`
	meta := newSettingsAt(t)
	meta.set(app, `{"id":"100"}`)
	w := newWorld(t, onFacebook, observingMeta(meta))
	pageYes := `{"data":[{"id":"99","subscribed_fields":["messages"]},{"id":"100","subscribed_fields":["messages","messaging_account_linking"]}]}`
	for round, c := range []struct {
		reason, page, hook string
		want               adminapi.RegistrationState
	}{
		{"all there", pageYes, subscribed(ourWebhook, "true", fields), adminapi.RegistrationInPlace},
		{"fields as plain names", pageYes, subscribed(ourWebhook, "true", `"messaging_account_linking"`), adminapi.RegistrationInPlace},
		{"another app has the page", `{"data":[{"id":"99","subscribed_fields":["messaging_account_linking"]}]}`, subscribed(ourWebhook, "true", fields), adminapi.RegistrationNotSubscribed},
		{"a sibling's webhook", pageYes, subscribed("https://"+visionHost+"/fr/webhook", "true", fields), adminapi.RegistrationInPlace},
		{"the app does not ask", pageYes, subscribed(ourWebhook, "true", `{"name":"messages"}`), adminapi.RegistrationNotSubscribed},
		{"another URL", pageYes, subscribed("https://"+canary+".example/", "true", fields), adminapi.RegistrationOtherURL},
		{"not active", pageYes, subscribed(ourWebhook, "false", fields), adminapi.RegistrationInactive},
		{"no webhook", pageYes, `{"data":[]}`, adminapi.RegistrationNoURL},
		{"a token that may not", `403 {"error":{"message":"` + canary + `","code":200}}`, "{}", adminapi.RegistrationTokenRejected},
	} {
		t.Run(c.reason, func(t *testing.T) {
			meta.set(page, c.page)
			meta.set(hook, c.hook)
			untilRegistration(t, w, fieldPageToken, round, adminapi.Registration{State: c.want})
		})
	}
}

// Without the app secret only the page's side can be read.
func TestRegistrationAtMetaWithoutAppSecret(t *testing.T) {
	meta := newSettingsAt(t)
	meta.set("GET /app", `{"id":"100"}`)
	meta.set("GET /"+pageID+"/subscribed_apps", `{"data":[{"id":"100","subscribed_fields":["messaging_account_linking"]}]}`)
	w := newWorld(t, onFacebook, observingMeta(meta), func(_ *world, s *config.Settings) { s.Channels[0].Messenger.AppSecret = nil })
	untilRegistration(t, w, fieldPageToken, 1, adminapi.Registration{State: adminapi.RegistrationSubscribed})
}

// Nobody is asked, and nothing is said, unless somebody wants to know.
func TestRegistrationUnasked(t *testing.T) {
	line := newSettingsAt(t)
	w := newWorld(t, observingLINE(line), func(w *world, s *config.Settings) {
		s.Channels[0].Webhook.Observe = false
		w.files[fieldLINEToken] = canary + "-token\n"
	})
	w.untilReady(t)
	if s, err := w.status(t); err != nil || s.Registration != nil || len(line.asked) != 0 {
		t.Errorf("%+v, %v, asked %v", s.Registration, err, line.asked)
	}
}
