package chatsim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const goodNonce = "0123456789"

func accountLink(token, nonce string) string {
	return "/dialog/bot/accountLink?" + url.Values{"linkToken": {token}, "nonce": {nonce}}.Encode()
}

func TestLINELinksTheUserOfTheBrowser(t *testing.T) {
	w := newWorld(t)
	login := w.tap("line", alice)
	if got := param(t, login.URL, "linkToken"); got != login.Token || strings.Contains(login.URL, alice) {
		t.Errorf("the login URL %s should carry the token and name nobody", login.URL)
	}
	if status, page := w.get(w.browser(alice), accountLink(login.Token, goodNonce)); status != http.StatusOK {
		t.Fatalf("%d %s", status, page)
	}
	got := w.events()
	if len(got) != 1 || got[0].path != "/webhook" {
		t.Fatalf("want one webhook, got %v", got)
	}
	if want := signLINE("line-secret", got[0].body); got[0].header.Get("X-Line-Signature") != want {
		t.Error("the signature is not of the body")
	}
	var d lineDelivery
	if err := json.Unmarshal(got[0].body, &d); err != nil {
		t.Fatal(err)
	}
	e := d.Events[0]
	if d.Destination != "Ubot" || e.Link.Result != "ok" || e.Link.Nonce != goodNonce || e.Source == nil || e.Source.UserID != alice {
		t.Errorf("wrong event: %s", got[0].body)
	}
	if !w.state("line", alice).Linked {
		t.Error("the user is not linked")
	}
}

func TestLINETellsOfAnotherUserWithoutNamingHim(t *testing.T) { // C1
	w := newWorld(t)
	token := w.tap("line", alice).Token
	if status, _ := w.get(w.browser(bob), accountLink(token, goodNonce)); status != http.StatusBadRequest {
		t.Errorf("the page of another user has status %d", status)
	}
	got := w.events()
	if len(got) != 1 || !strings.Contains(string(got[0].body), `"result":"failed"`) {
		t.Fatalf("want one failed event, got %s", got)
	}
	if body := string(got[0].body); strings.Contains(body, "source") || strings.Contains(body, "replyToken") {
		t.Errorf("a failed event has neither source nor reply token: %s", body)
	}
	if status, _ := w.get(w.browser(alice), accountLink(token, goodNonce)); status != http.StatusBadRequest {
		t.Error("the token should be spent")
	}
}

func TestLINERefusesAndSendsNothing(t *testing.T) { // C29
	for name, tc := range map[string]struct {
		reason string
		nonce  string
		wait   time.Duration
		spend  bool
		query  string
		user   string
	}{
		"short nonce":      {reason: "a nonce has at least 10 characters", nonce: "012345678"},
		"long nonce":       {reason: "a nonce has at most 255 characters", nonce: strings.Repeat("n", 256)},
		"expired":          {reason: "a token is good for ten minutes", nonce: goodNonce, wait: 10 * time.Minute},
		"used":             {reason: "a token is good once", nonce: goodNonce, spend: true},
		"two nonces":       {reason: "it cannot be known which is meant", nonce: goodNonce, query: "&nonce=9876543210"},
		"unknown":          {reason: "nobody issued that token", nonce: goodNonce, query: "x"},
		"nobody signed in": {reason: "LINE would ask who it is", nonce: goodNonce, user: "-"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			who := alice
			if tc.user == "-" {
				who = ""
			}
			browser, token := w.browser(who), w.tap("line", alice).Token
			address := accountLink(token, tc.nonce) + tc.query
			if tc.query == "x" {
				address = accountLink(token+"x", tc.nonce)
			}
			before := 0
			if tc.spend {
				w.get(browser, address)
				before = 1
			}
			w.forward(tc.wait)
			if status, _ := w.get(browser, address); status < 400 {
				t.Errorf("accepted with %d, but %s", status, tc.reason)
			}
			if got := len(w.events()); got != before {
				t.Errorf("LINE sends no event when it refuses; %d were sent", got-before)
			}
		})
	}
}

func TestLINETakesANonceOfEachAllowedLength(t *testing.T) {
	for _, n := range []int{minNonce, maxNonce} {
		w := newWorld(t)
		token := w.tap("line", alice).Token
		if status, page := w.get(w.browser(alice), accountLink(token, strings.Repeat("n", n))); status != http.StatusOK {
			t.Errorf("%d characters: %d %s", n, status, page)
		}
	}
}

func TestLINEAPI(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		reason, method, path, token string
		status                      int
		says                        string
	}{
		{"a token for a friend", http.MethodPost, "/v2/bot/user/" + alice + "/linkToken", "line-token", 200, `"linkToken":"`},
		{"no bearer", http.MethodPost, "/v2/bot/user/" + alice + "/linkToken", "", 401, `"message":"Authentication failed`},
		{"another channel's bearer", http.MethodPost, "/v2/bot/user/" + alice + "/linkToken", "page-token", 401, `"message"`},
		{"GET issues nothing", http.MethodGet, "/v2/bot/user/" + alice + "/linkToken", "line-token", 405, ""},
		{"a profile", http.MethodGet, "/v2/bot/profile/" + alice, "line-token", 200, `"displayName":"Alice"`},
		{"no friend has no profile", http.MethodGet, "/v2/bot/profile/" + carol, "line-token", 404, `"Not found"`},
		{"a blocked bot sees no profile", http.MethodGet, "/v2/bot/profile/" + bob, "line-token", 404, `"Not found"`},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			status, said := w.api(tc.method, tc.path, tc.token)
			if status != tc.status || !strings.Contains(said, tc.says) {
				t.Errorf("got %d %s, want %d with %s", status, said, tc.status, tc.says)
			}
		})
	}
}

func TestLINERedelivers(t *testing.T) {
	w := newWorld(t)
	w.answer = http.StatusInternalServerError
	w.control(http.MethodPut, "channels/line/switches", Switches{Redeliver: 2}, nil)
	w.get(w.browser(alice), accountLink(w.tap("line", alice).Token, goodNonce))
	got := w.events()
	if len(got) != 3 {
		t.Fatalf("want the event three times, got it %d times", len(got))
	}
	first, again := string(got[0].body), string(got[1].body)
	if strings.Replace(first, `"isRedelivery":false`, `"isRedelivery":true`, 1) != again {
		t.Errorf("a redelivery differs in its mark alone:\n%s\n%s", first, again)
	}
}
