package webhookserver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/line/linetest"
	"channellink.dev/operator/webhookserver/messenger/messengertest"
)

const (
	botToken           = canary + "-bot"
	introspectionToken = canary + "-introspection"

	fieldBotToken           = "api.tokenSecretRef"
	fieldIntrospectionToken = "api.introspectionTokenSecretRef"
)

// withBotAPI turns both parts of the bot's API on. The token for the bot has two values, as in a rotation.
func withBotAPI(w *world, s *config.Settings) {
	w.files[fieldBotToken] = botToken + "\n" + botToken + "-before\n"
	w.files[fieldIntrospectionToken] = introspectionToken + "\n"
	s.Channels[0].API = config.API{
		Token:              &config.File{Field: fieldBotToken, Path: w.References.Path(fieldBotToken)},
		IntrospectionToken: &config.File{Field: fieldIntrospectionToken, Path: w.References.Path(fieldIntrospectionToken)},
	}
}

// atLINE has the world's channel call the given Messaging API.
func atLINE(api *linetest.API) option {
	return func(w *world, s *config.Settings) {
		const field = "line.channelAccessTokenSecretRef"
		w.files[field] = linetest.Token + "\n"
		l := s.Channels[0].LINE
		l.APIEndpoint, l.ChannelAccessToken = api.Endpoint, &config.File{Field: field, Path: w.References.Path(field)}
	}
}

// atMeta has the world's channel, which is on Facebook, call the given Graph API.
func atMeta(api *messengertest.API) option {
	return func(w *world, s *config.Settings) {
		const field = "messenger.pageAccessTokenSecretRef"
		w.files[field] = messengertest.Token + "\n"
		w.files["messenger.appSecretRef"] = messengertest.AppSecret + "\n"
		m := s.Channels[0].Messenger
		m.GraphEndpoint, m.PageAccessToken = api.Endpoint, &config.File{Field: field, Path: w.References.Path(field)}
	}
}

// branded is a channel whose prompts have titles and a picture of their own.
func branded(_ *world, s *config.Settings) {
	s.Channels[0].Branding = config.Branding{LoginTitle: "Bienvenue à Vision RH", LogoutTitle: "Vision RH", ImageURL: "https://vision.example/hr.jpeg"}
}

// asBot calls as the bot does; changes may alter the request.
func (w *world) asBot(t *testing.T, method, path, body string, changes ...func(*http.Request)) answer {
	t.Helper()
	return do(t, method, w.Public+path, func(r *http.Request) {
		r.Host = visionHost
		r.Header.Set("Authorization", "Bearer "+botToken)
		if body != "" {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Type", "application/json")
		}
		for _, change := range changes {
			change(r)
		}
	})
}

// introspect asks about a code and a user as the company's service does.
func (w *world) introspect(t *testing.T, form string, changes ...func(*http.Request)) answer {
	t.Helper()
	return w.asBot(t, http.MethodPost, "/hr/introspect", form, append([]func(*http.Request){func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+introspectionToken)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}}, changes...)...)
}

// header sets a header of a request; an empty value takes it away.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
}

// decoded is the JSON of an answer.
func (a answer) decoded(t *testing.T) map[string]any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal([]byte(a.Body), &value); err != nil {
		t.Fatalf("%d %q: %v", a.Code, a.Body, err)
	}
	return value
}

// problem is what an answer says went wrong.
func (a answer) problem(t *testing.T) string {
	t.Helper()
	cause, _ := a.decoded(t)["cause"].(string)
	return cause
}

// differs is an error unless got is what is wanted.
func differs(got, want int) error {
	if got != want {
		return fmt.Errorf("got %d, want %d", got, want)
	}
	return nil
}

// link makes the user's link active, as the platform's event does.
func (l *links) link(t *testing.T, w *world, userID, code string, at time.Time) {
	t.Helper()
	l.pending(t, userID, code, at, 10*time.Minute)
	event := lineEvent("ok", lineSource(userID), code, at)
	head := byLINE(event)
	if strings.HasPrefix(string(l.channel), "Facebook") {
		event = metaEvent(pageID, userID, metaLinked(code), at)
		head = byMeta(event)
	}
	if a := w.post(t, "/hr/webhook", event, head); a.Code != http.StatusOK || !l.active(t, userID) {
		t.Fatalf("link: %d %s", a.Code, a.Body)
	}
}
