//go:build apiserver

package plugin_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/internal/plugin"
	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/signature"
)

// webhooks take calls as the server does, by its own judgement of signatures and events.
type webhooks struct {
	t      *testing.T
	secret string
	events []event.Event
	hosts  []string
}

func (h *webhooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	channel(w, r)
	h.hosts = append(h.hosts, r.Host)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.t.Error(err)
	}
	secrets := []secretfile.Secret{secretfile.NewSecret(h.secret)}
	var batch event.Batch
	switch r.Method + " " + r.URL.Path {
	case "GET /shop/webhook":
		challenge, ok := messenger.Challenge(r.URL.Query(), secrets)
		if !ok {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = fmt.Fprint(w, challenge)
		return
	case "POST /shop/webhook":
		var verified signature.Verified
		if verified, err = signature.Messenger(r.Header, secrets, body, false); err == nil {
			batch, err = messenger.Events(verified, "1234779123812", time.Now())
		}
	case "POST /line/webhook":
		var verified signature.Verified
		if verified, err = signature.LINE(r.Header, secrets, body); err == nil {
			batch, err = line.Events(verified, "", time.Now())
		}
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if err != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	h.events = append(h.events, batch.Events...)
}

// TestSimulate sends every event, and the server's own code reads it as what it is.
func TestSimulate(t *testing.T) {
	d := newDesk(t, "vision-line", "vision-shop")
	for _, c := range []struct {
		reason, line, secret string
		want                 []event.Kind
	}{
		{"LINE's Verify button", "simulate vision-line", canary + "-line", nil},
		{"a message on LINE", "simulate vision-line message", canary + "-line", nil},
		{"a link on LINE", "simulate vision-line linked --user=" + lineUser + " --code=0123456789", canary + "-line", []event.Kind{event.Linked}},
		{"one that failed", "simulate vision-line failed --code=0123456789", canary + "-line", []event.Kind{event.Refused}},
		{"Meta's verification", "simulate vision-shop", canary + "-verify", nil},
		{"a message on Messenger", "simulate vision-shop message", canary + "-app", nil},
		{"a link on Messenger, signed with the newer secret", "simulate vision-shop linked --user=7051340731987654 --code=0123456789", canary + "-app", []event.Kind{event.Linked}},
		{"its end", "simulate vision-shop unlinked --user=7051340731987654", canary + "-app", []event.Kind{event.Unlinked}},
	} {
		h := &webhooks{t: t, secret: c.secret}
		d.hosts.serve("link.example.com", h.ServeHTTP)
		got := d.run(t, c.line)
		var kinds []event.Kind
		for _, e := range h.events {
			kinds = append(kinds, e.Kind)
		}
		if got.failure != nil || !slices.Equal(kinds, c.want) || strings.Contains(got.all, lineUser) {
			t.Errorf("%s: %v, read as %v, want %v\n%s", c.reason, got.failure, kinds, c.want, got.all)
		}
	}
	for _, line := range []string{
		"simulate vision-line unlinked", "simulate vision-line linked", "simulate vision-line failed", "simulate vision-line dance",
		"simulate vision-shop unlinked", "simulate vision-shop linked --user=1", "simulate vision-shop failed", "simulate vision-shop message --to=nowhere",
	} {
		if got := d.run(t, line); got.failure == nil || errors.Is(got.failure, plugin.ErrUnwell) {
			t.Errorf("%q is sent: %v", line, got.failure)
		}
	}
}

func TestSimulateTells(t *testing.T) {
	d := newDesk(t, "vision-line", "vision-hr")
	h := &webhooks{t: t, secret: canary + "-line"}
	d.hosts.serve("link.example.com", h.ServeHTTP)
	d.golden(t, "simulate", "simulate vision-line message", nil)
	h.secret = "another"
	d.golden(t, "simulate-refused", "simulate vision-line message", plugin.ErrUnwell)

	// Through a port-forward the server still has to know whom it is for.
	forwarded := httptest.NewServer(h)
	t.Cleanup(forwarded.Close)
	h.secret, h.hosts = canary+"-line", nil
	d.hosts.direct(forwarded.Listener.Addr().String())
	if got := d.run(t, "simulate vision-line message --to="+forwarded.URL); got.failure != nil || !slices.Equal(h.hosts, []string{"link.example.com"}) {
		t.Errorf("%v, as %q\n%s", got.failure, h.hosts, got.all)
	}
	if got := d.run(t, "simulate vision-hr message"); got.failure == nil || !strings.Contains(got.failure.Error(), "line.channelSecretRef") {
		t.Errorf("without a secret: %v", got.failure)
	}
	d.kubeconfig = env.Kubeconfig(t, viewer(t, d))
	if got := d.run(t, "simulate vision-line"); got.failure == nil || !strings.Contains(got.failure.Error(), "you may not read the Secret vision-line") {
		t.Errorf("somebody who may not read the secret: %v", got.failure)
	}
}
