//go:build apiserver

package plugin_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"channellink.dev/operator/api/v1alpha1"
)

// answers has a platform answer one question.
func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

// A platform is asked for what it tells to the owner of a token alone. What it says beyond yes and no is not printed.
func TestDoctorTriesTokens(t *testing.T) {
	d := newDesk(t, "vision-hr", "vision-bots")
	for _, c := range []struct {
		reason, link, host string
		serve              http.HandlerFunc
		says               string
	}{
		{"BotBonnie takes it", "vision-hr", "api.botbonnie.com", botBonnieAPI, "ok Token of BotBonnie BotBonnie takes it"},
		{"BotBonnie does not", "vision-hr", "api.botbonnie.com", answers(401, `{"errorMessage":"CANARY","errorCode":401}`),
			"FAIL Token of BotBonnie BotBonnie refuses it, with 401 > Put a valid one"},
		{"BotBonnie says so in the body", "vision-hr", "api.botbonnie.com", answers(200, `{"errorMessage":"CANARY","errorCode":403}`), "refuses it, with 403"},
		{"BotBonnie has a bad day", "vision-hr", "api.botbonnie.com", answers(503, ""), "? Token of BotBonnie BotBonnie answers 503, which says nothing of it"},
		{"BotBonnie is not to be seen from here", "vision-hr", "", nil, "? Token of BotBonnie the name api.botbonnie.com does not resolve here, seen from this machine"},
		{"LINE's bot", "bot-line", "api.line.me", answers(200, `{"userId":"U8e742f61d673b39c7fff3cecb7536ef0"}`), "ok Token of LINE LINE takes it"},
		{"another bot", "bot-line", "api.line.me", answers(200, `{"userId":"Ub21f25d1c6b9a3a1ab3f4c60a2c5e7d9"}`), "FAIL Token of LINE LINE takes it for another bot"},
		{"a token that has run out", "bot-line", "api.line.me", answers(401, `{"message":"CANARY"}`), "FAIL Token of LINE LINE refuses it"},
		{"the page, with the app's proof", "bot-messenger", "graph.facebook.com", graph, "ok Token of Graph Graph takes it"},
		{"another page", "bot-messenger", "graph.facebook.com", answers(200, `{"id":"1234779123800"}`), "FAIL Token of Graph Graph takes it for another page"},
		{"Graph's own code", "bot-messenger", "graph.facebook.com", answers(400, `{"error":{"code":190,"message":"CANARY"}}`), "FAIL Token of Graph Graph refuses it, with 401"},
	} {
		d.hosts.serve(c.host, c.serve)
		if got := d.run(t, "doctor "+c.link); !strings.Contains(strings.Join(strings.Fields(got.out), " "), c.says) {
			t.Errorf("%s: want %q in\n%s", c.reason, c.says, got.out)
		}
		d.hosts.serve(c.host, nil)
	}
}

// graph knows the page of a token, if the call bears the proof that its sender has the app secret.
func graph(w http.ResponseWriter, r *http.Request) {
	mac := hmac.New(sha256.New, []byte(canary+"-secret"))
	_, _ = mac.Write([]byte(canary + "-token"))
	if q := r.URL.Query(); q.Get("access_token") != canary+"-token" || q.Get("appsecret_proof") != hex.EncodeToString(mac.Sum(nil)) {
		w.WriteHeader(http.StatusBadRequest)
	}
	_, _ = fmt.Fprint(w, `{"id":"1234779123899"}`)
}

// A spec that the operator has not accepted may name any address: no token goes there.
func TestDoctorSendsNoTokenForAnUnacceptedSpec(t *testing.T) {
	d := newDesk(t, "vision-hr")
	d.hosts.serve("elsewhere.example", func(http.ResponseWriter, *http.Request) { t.Error("the token is sent") })
	var link v1alpha1.ChannelLink
	d.object(t, "vision-hr", &link)
	link.Spec.BotBonnie.Endpoints = &v1alpha1.BotBonnieEndpoints{API: "https://elsewhere.example"}
	if err := env.Client.Update(t.Context(), &link); err != nil {
		t.Fatal(err)
	}
	if got := d.run(t, "doctor vision-hr"); strings.Contains(got.out, "Token of BotBonnie") {
		t.Errorf("it is tried:\n%s", got.out)
	}
}
