package chatsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// back is where a login on Messenger returns to.
func back(t *testing.T, login Login, more string) string {
	t.Helper()
	return param(t, login.URL, "redirect_uri") + more
}

func TestMessengerLinksWhenTheWebhookIsAcknowledged(t *testing.T) {
	for _, tc := range []struct {
		reason string
		answer int
		title  string
		linked bool
	}{
		{"the server took the event", http.StatusOK, "Accounts linked", true},
		{"an event that is not acknowledged aborts the linking", http.StatusInternalServerError, "Account linking failed", false},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			w.answer = tc.answer
			_, page := w.get(w.browser(""), back(t, w.tap("messenger", carol), "&authorization_code=c0de"))
			if !strings.Contains(page, tc.title) {
				t.Errorf("the page does not say %q: %s", tc.title, page)
			}
			if got := w.state("messenger", carol).Linked; got != tc.linked {
				t.Errorf("linked is %v", got)
			}
			got := w.events()
			if len(got) != 1 || got[0].header.Get("X-Hub-Signature-256") != signMeta("app-secret", got[0].body) {
				t.Fatalf("want one signed event, got %v", got)
			}
			var d metaDelivery
			if err := json.Unmarshal(got[0].body, &d); err != nil {
				t.Fatal(err)
			}
			m := d.Entry[0].Messaging[0]
			if d.Entry[0].ID != "4711" || m.Sender.ID != carol || *m.AccountLinking != (metaAccountLink{"linked", "c0de"}) {
				t.Errorf("wrong event: %s", got[0].body)
			}
		})
	}
}

func TestMessengerRefusesAndSendsNothing(t *testing.T) { // C29, C30
	for name, tc := range map[string]struct {
		reason string
		more   string
		wait   time.Duration
		spend  bool
		token  string
		says   string
	}{
		"cancelled":  {reason: "without a code the linking is aborted", says: "Linking cancelled"},
		"empty code": {reason: "an empty code is none", more: "&authorization_code=", says: "is empty"},
		"two codes":  {reason: "it cannot be known which is meant", more: "&authorization_code=a&authorization_code=b", says: "want one"},
		"expired":    {reason: "a token is good for five minutes", more: "&authorization_code=c0de", wait: 5 * time.Minute, says: "expired"},
		"unknown":    {reason: "nobody issued that token", more: "&authorization_code=c0de", token: "ARx", says: "unknown"},
		"used":       {reason: "a token is good once", more: "&authorization_code=c0de", spend: true, says: "used"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			address := back(t, w.tap("messenger", carol), tc.more)
			if tc.token != "" {
				address = w.url + linkingPath + "?account_linking_token=" + tc.token + tc.more
			}
			before := 0
			if tc.spend {
				w.get(w.browser(""), address)
				before = 1
			}
			w.forward(tc.wait)
			if _, page := w.get(w.browser(""), address); !strings.Contains(page, tc.says) {
				t.Errorf("the page does not say %q, but %s: %s", tc.says, tc.reason, page)
			}
			if got := len(w.events()); got != before {
				t.Errorf("%d events were sent, but %s", got-before, tc.reason)
			}
		})
	}
}

func TestMessengerUnlinks(t *testing.T) {
	w := newWorld(t)
	w.get(w.browser(""), back(t, w.tap("messenger", carol), "&authorization_code=c0de"))
	w.control(http.MethodPost, "channels/messenger/users/"+carol+"/logout", nil, nil)
	got := w.events()
	if last := string(got[len(got)-1].body); !strings.Contains(last, `"account_linking":{"status":"unlinked"}`) {
		t.Errorf("an unlinked event has no code: %s", last)
	}
}

func TestMessengerVerifiesTheWebhook(t *testing.T) {
	w := newWorld(t)
	var said struct{ Verified bool }
	w.control(http.MethodPost, "channels/messenger/verify", nil, &said)
	if !said.Verified {
		t.Error("the challenge came back, but the webhook is not verified")
	}
	w.channels[2].VerifyToken = "another"
	w.control(http.MethodPost, "channels/messenger/verify", nil, &said)
	if said.Verified {
		t.Error("the challenge did not come back, but the webhook is verified")
	}
}

func TestGraph(t *testing.T) {
	w := newWorld(t)
	token := url.QueryEscape(w.tap("messenger", carol).Token)
	used := w.tap("messenger", carol)
	w.get(w.browser(""), back(t, used, "&authorization_code=c0de"))
	proof := "&appsecret_proof=" + appSecretProof("app-secret", "page-token")
	for _, tc := range []struct {
		reason, path string
		status       int
		says         string
	}{
		{"who it is", "/v25.0/me?fields=recipient&access_token=page-token&account_linking_token=" + token, 200, `{"id":"4711","recipient":"` + carol + `"}`},
		{"asking spends nothing", "/v25.0/me?fields=recipient&access_token=page-token&account_linking_token=" + token, 200, carol},
		{"with proof", "/v25.0/me?fields=recipient&access_token=page-token&account_linking_token=" + token + proof, 200, carol},
		{"with wrong proof", "/v25.0/me?fields=recipient&access_token=page-token&appsecret_proof=00&account_linking_token=" + token, 400, "appsecret_proof"},
		{"without page token", "/v25.0/me?fields=recipient&account_linking_token=" + token, 400, `"code":104`},
		{"another's page token", "/v25.0/me?fields=recipient&access_token=x&account_linking_token=" + token, 401, `"code":190`},
		{"a token of another page", "/v25.0/me?fields=recipient&access_token=page-token-2&account_linking_token=" + token, 400, `"code":100`},
		{"a spent token", "/v25.0/me?fields=recipient&access_token=page-token&account_linking_token=" + url.QueryEscape(used.Token), 400, `"code":100`},
		{"no version", "/latest/me?fields=recipient&access_token=page-token&account_linking_token=" + token, 400, `"code":2500`},
		{"a profile", "/v25.0/" + carol + "?fields=first_name,last_name&access_token=page-token", 200, `{"first_name":"Carol","id":"` + carol + `","last_name":"Jones"}`},
		{"no profile", "/v25.0/" + dan + "?access_token=page-token", 400, `"error_subcode":2018218`},
		{"nobody", "/v25.0/1?access_token=page-token", 400, `"error_subcode":33`},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			status, said := w.api(http.MethodGet, tc.path, "")
			if status != tc.status || !strings.Contains(said, tc.says) {
				t.Errorf("got %d %s, want %d with %s", status, said, tc.status, tc.says)
			}
		})
	}
}

func TestGraphCanRequireProof(t *testing.T) {
	w := newWorld(t)
	w.channels[2].RequireProof = true
	if status, said := w.api(http.MethodGet, "/v25.0/"+carol+"?access_token=page-token", ""); status != http.StatusBadRequest {
		t.Errorf("a call without proof was answered: %d %s", status, said)
	}
}
