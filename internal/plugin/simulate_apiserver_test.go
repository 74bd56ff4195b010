//go:build apiserver

package plugin_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/plugin"
	"channellink.dev/operator/webhookserver/botbonnie"
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
	calls  []botbonnie.Call
	keys   []string // of the URLs of BotBonnie's calls
	hosts  []string
	// answers is what BotBonnie's calls are answered; empty for a message.
	answers string
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
	case "POST /page/webhook":
		var verified signature.Verified
		if verified, err = signature.Messenger(r.Header, secrets, body, false); err == nil {
			batch, err = messenger.Events(verified, "5550001112223", time.Now())
		}
	case "POST /page/botbonnie/linked", "POST /page/botbonnie/unlinked", "POST /page/services/leave-balance", "POST /page/services/payslip",
		"POST /hr/botbonnie/linked", "POST /hr/services/leave-balance":
		err = h.module(w, r, secrets, body)
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

// module takes a call of BotBonnie's as the server does.
func (h *webhooks) module(w http.ResponseWriter, r *http.Request, secrets []secretfile.Secret, body []byte) error {
	verified, err := signature.BotBonnie(r.Header, secrets, body)
	if err != nil {
		return err
	}
	call, err := botbonnie.ReadCall(verified)
	if err != nil {
		return err
	}
	h.calls, h.keys = append(h.calls, call), append(h.keys, r.URL.Query().Get("k"))
	if h.answers != "" {
		_, _ = fmt.Fprint(w, h.answers)
		return nil
	}
	return json.NewEncoder(w).Encode(botbonnie.Text("Please log in and link your account first to use this.", botbonnie.Postback("Log in", "module-ry49xXQU2")))
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

// TestSimulateBotBonnie sends every call of the bot's modules, and the server's own code reads it as what it is. What a relay
// passes on is the platform's.
func TestSimulateBotBonnie(t *testing.T) {
	const psid = "7051340731987654"
	d := newDesk(t, "vision-hr", "vision-page")
	page := botbonnie.Call{BotID: "bot-M-BOieOXZ", PageID: "5550001112223", UserID: psid, Channel: botbonnie.Facebook}
	nobody := page
	nobody.UserID = "1000000000000000"
	for _, c := range []struct {
		reason, line string
		want         botbonnie.Call
		key          string
		says         string
	}{
		{"somebody tries the signature, and harms nobody", "simulate vision-page", nobody, canary + "-key",
			`/page/botbonnie/linked: verify as BotBonnie sends it`},
		{"a user has logged in", "simulate vision-page linked --user=" + psid, page, canary + "-key", "/page/botbonnie/linked: linked as"},
		{"and out", "simulate vision-page unlinked --user=" + psid, page, canary + "-key", "/page/botbonnie/unlinked: unlinked as"},
		{"his id is on the standard input", "simulate vision-page unlinked --user=-", page, canary + "-key", "what it says to this user is not printed"},
		{"nobody asks a service", "simulate vision-page service --service=payslip", nobody, canary + "-key", `"Please log in and link your account first to use this." [Log in]`},
		{"the only service, on LINE, without a key", "simulate vision-hr service",
			botbonnie.Call{BotID: "bot-M-BOieOXZ", PageID: "507oftxz", UserID: "Udeadbeefdeadbeefdeadbeefdeadbeef", Channel: botbonnie.LINE}, "", "/hr/services/leave-balance"},
	} {
		h := &webhooks{t: t, secret: canary + "-secret"}
		d.hosts.serve("link.example.com", h.ServeHTTP)
		d.in = psid + "\n"
		got := d.run(t, c.line)
		if diff := cmp.Diff([]botbonnie.Call{c.want}, h.calls); diff != "" || got.failure != nil {
			t.Errorf("%s: %v (-want +read):\n%s\n%s", c.reason, got.failure, diff, got.all)
		}
		if !slices.Equal(h.keys, []string{c.key}) || !strings.Contains(got.out, c.says) || strings.Contains(got.all, psid) {
			t.Errorf("%s: keys %d, want %q in\n%s", c.reason, len(h.keys), c.says, got.all)
		}
	}

	h := &webhooks{t: t, secret: canary + "-app"}
	d.hosts.serve("link.example.com", h.ServeHTTP)
	got := d.run(t, "simulate vision-page unlinked --relayed --user="+psid)
	if got.failure != nil || len(h.events) != 1 || h.events[0].Kind != event.Unlinked || !strings.Contains(got.out, "as Facebook sends it") {
		t.Errorf("through the relay: %v, read as %+v\n%s", got.failure, h.events, got.all)
	}
}

// What BotBonnie does not tell, and what only it can know, is refused before anything is sent.
func TestSimulateRefusesWhatBotBonnieKnows(t *testing.T) {
	d := newDesk(t, "vision-hr", "vision-page", "vision-line")
	d.hosts.serve("link.example.com", func(http.ResponseWriter, *http.Request) { t.Error("it is sent") })
	for _, c := range []struct{ line, says string }{
		{"simulate vision-page linked --user=1 --code=0123456789", "its own record of the user"},
		{"simulate vision-page linked", "wants --user"},
		{"simulate vision-page unlinked", "wants --user"},
		{"simulate vision-page verify --user=1", "about nobody"},
		{"simulate vision-page message", "--relayed"},
		{"simulate vision-page failed", "--relayed"},
		{"simulate vision-page dance", "say verify, linked, unlinked or service"},
		{"simulate vision-page service", "by --service: leave-balance, payslip"},
		{"simulate vision-hr service --service=payslip", "by --service: leave-balance"},
		{"simulate vision-hr linked --user=1 --service=leave-balance", "goes with service"},
		{"simulate vision-hr message --relayed", "line.channelSecretRef"},
		{"simulate vision-line message --relayed", "leave --relayed out"},
		{"simulate vision-line service", "by BotBonnie alone"},
	} {
		got := d.run(t, c.line)
		if got.failure == nil || errors.Is(got.failure, plugin.ErrUnwell) || !strings.Contains(got.failure.Error(), c.says) {
			t.Errorf("%q: %v, want %q", c.line, got.failure, c.says)
		}
	}
}

// Nothing that a secret was used for goes to an address that the operator has not accepted, unless the user names it.
func TestSimulateSendsNothingForAnUnacceptedSpec(t *testing.T) {
	d := newDesk(t, "vision-shop")
	var sent int
	d.hosts.serve("elsewhere.example", func(w http.ResponseWriter, r *http.Request) {
		sent++
		(&webhooks{t: t, secret: canary + "-verify"}).ServeHTTP(w, r)
	})
	var link v1alpha1.ChannelLink
	d.object(t, "vision-shop", &link)
	link.Spec.PublicURL = "https://elsewhere.example/shop"
	if err := env.Client.Update(t.Context(), &link); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"simulate vision-shop", "simulate vision-shop message"} {
		if got := d.run(t, line); got.failure == nil || !strings.Contains(got.failure.Error(), "has not accepted vision-shop") || sent > 0 {
			t.Errorf("%q: %v, sent %d times", line, got.failure, sent)
		}
	}
	if got := d.run(t, "simulate vision-shop --to=https://elsewhere.example"); got.failure != nil || sent != 1 {
		t.Errorf("to an address that the user names: %v, sent %d times\n%s", got.failure, sent, got.all)
	}
}

// An answer is told from that of a gateway, and a message from what no bot can show.
func TestSimulateTellsWhoAnswers(t *testing.T) {
	d := newDesk(t, "vision-hr")
	for _, c := range []struct {
		reason string
		answer http.HandlerFunc
		says   string
		ends   error
	}{
		{"an ingress without a backend", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
			"503: a gateway answers that it does not reach the server", plugin.ErrUnwell},
		{"a parked domain", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }, "200: something else answers there", plugin.ErrUnwell},
		{"another key", (&webhooks{t: t, secret: "another"}).ServeHTTP, "401: the signature, or the key in the URL, is wrong", plugin.ErrUnwell},
		{"no message", (&webhooks{t: t, secret: canary + "-secret", answers: "{}"}).ServeHTTP, "which the bot cannot show", nil},
		{"another bot", func(w http.ResponseWriter, r *http.Request) {
			channel(w, r)
			w.WriteHeader(http.StatusForbidden)
		}, "403: the server takes it for a call of another bot", plugin.ErrUnwell},
	} {
		d.hosts.serve("link.example.com", c.answer)
		if got := d.run(t, "simulate vision-hr"); !errors.Is(got.failure, c.ends) || !strings.Contains(got.out, c.says) {
			t.Errorf("%s: %v, want %q in\n%s", c.reason, got.failure, c.says, got.all)
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
	h.secret = canary + "-secret"
	d.golden(t, "simulate-botbonnie", "simulate vision-hr service", nil)
	d.kubeconfig = env.Kubeconfig(t, viewer(t, d))
	if got := d.run(t, "simulate vision-line"); got.failure == nil || !strings.Contains(got.failure.Error(), "you may not read the Secret vision-line") {
		t.Errorf("somebody who may not read the secret: %v", got.failure)
	}
}
