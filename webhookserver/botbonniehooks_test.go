package webhookserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
)

// customers is BotBonnie's API as far as the server asks it.
type customers struct {
	*httptest.Server
	mu      sync.Mutex
	records string
	asked   []http.Header
}

func newCustomers(t testing.TB) *customers {
	c := &customers{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked = append(c.asked, r.Header)
		if r.URL.Path != "/v1/api/bot/customers" || r.URL.Query().Get("botId") != "bot-M-BOieOXZ" || len(r.URL.Query().Get("from")) != 13 {
			t.Errorf("asked for %s", r.URL)
		}
		_, _ = fmt.Fprintf(rw, `{"res":{"records":[%s],"next":null},"status":200}`, c.records)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *customers) api() string { return strings.Replace(c.URL, "127.0.0.1", "localhost", 1) }

func (c *customers) set(records string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records = records
}

func moduleCall(user, extra string) string {
	return fmt.Sprintf(`{"bot_id":"bot-M-BOieOXZ","bot_raw_uid":%q,"bot_pid":"507oftxz","bot_channel":1%s}`, user, extra)
}

// said is the text of a BotBonnie message, and its buttons.
func said(t *testing.T, a answer) (text, module string) {
	t.Helper()
	var m struct {
		Type, Text string
		Buttons    []struct{ Type, Value string }
	}
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil || a.Code != http.StatusOK || m.Type != "text" {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	if len(m.Buttons) > 0 {
		module = m.Buttons[0].Value
	}
	return m.Text, module
}

// The way of a login behind BotBonnie from the redirect on: its module asks, BotBonnie's record confirms, the user unlinks.
// C2, C3
func TestBotBonnieModules(t *testing.T) {
	var dir string
	upstream := newCustomers(t)
	w := newWorld(t, behindBotBonnie(upstream.api()), keepStore(&dir))
	w.untilReady(t)
	kept := openLinks(t, dir, "LINE", oaID)
	call := func(module, user string) (string, string) {
		t.Helper()
		body := moduleCall(user, `,"user":{"locale":"en_US"}`)
		return said(t, w.post(t, "/hr/botbonnie/"+module+"?k=urlkey&fields=user", body, byBotBonnie(body)))
	}

	if text, module := call("linked", lineUser); !strings.Contains(text, "not linked") || module != "module-ry49xXQU2" {
		t.Errorf("without a login: %q, button %q", text, module)
	}
	kept.pending(t, lineUser, aliceCode, time.Now(), 10*time.Minute)
	upstream.set(`{"id":"U0","platform":"LINE","pageId":"507oftxz","extId":"` + aliceCode + `"},{"id":"` + lineUser + `","platform":"LINE","pageId":"507oftxz","extId":"old"}`)
	if text, _ := call("linked", lineUser); !strings.Contains(text, "being confirmed") || kept.active(t, lineUser) || kept.active(t, "U0") {
		t.Errorf("the code stands with somebody else: %q", text)
	}
	upstream.set(`{"id":"` + lineUser + `","platform":"LINE","pageId":"507oftxz","extId":"` + aliceCode + `"}`)
	if text, _ := call("linked", lineUser); text != "Linked as j.dupont. You can unlink here in the chat at any time." || !kept.active(t, lineUser) {
		t.Errorf("confirmed: %q", text)
	}
	w.untilStatus(t, "a confirmation", func(s adminapi.Status) bool { return s.Confirmation != nil && s.Confirmation.Ever })
	if text, module := call("unlinked", lineUser); !strings.Contains(text, "not linked any more") || module == "" || kept.active(t, lineUser) {
		t.Errorf("unlinked: %q", text)
	}
	if text, _ := call("linked", lineUser); !strings.Contains(text, "not linked") {
		t.Errorf("after that: %q", text)
	}
	for _, header := range upstream.asked {
		if header.Get("Authorization") != "Bearer "+canary+"-token" {
			t.Errorf("asked with %v", header)
		}
	}
}

// Without a module that calls, the confirmer finds the link by itself.
func TestBotBonnieConfirmsByItself(t *testing.T) {
	var dir string
	upstream := newCustomers(t)
	upstream.set(`{"id":"` + lineUser + `","platform":"LINE","pageId":"507oftxz","extId":"` + aliceCode + `"}`)
	w := newWorld(t, behindBotBonnie(upstream.api()), keepStore(&dir))
	w.untilReady(t)
	kept := openLinks(t, dir, "LINE", oaID)
	kept.pending(t, "U0", strings.Repeat("c", 43), time.Now(), 10*time.Minute)
	kept.pending(t, lineUser, aliceCode, time.Now(), 10*time.Minute)
	body := moduleCall("U0", "") // of another user: it wakes nothing but the look-up that serves all
	if a := w.post(t, "/hr/botbonnie/linked?k=urlkey", body, byBotBonnie(body)); a.Code != http.StatusOK {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if !kept.active(t, lineUser) || kept.active(t, "U0") {
		t.Error("one look-up did not serve all, or served the wrong one")
	}
}

// C34, C39: what BotBonnie has not signed for this bot and page, or what lacks the URL's key, moves nothing.
func TestBotBonnieModulesRefuse(t *testing.T) {
	upstream := newCustomers(t)
	w := newWorld(t, behindBotBonnie(upstream.api()))
	w.untilReady(t)
	good := moduleCall(lineUser, "")
	for _, c := range []struct {
		reason, query, body string
		header              http.Header
		want                int
	}{
		{"good", "?k=urlkey", good, byBotBonnie(good), http.StatusOK},
		{"good, with the channel as a string", "?k=urlkey", strings.Replace(good, ":1", `:"1"`, 1), byBotBonnie(strings.Replace(good, ":1", `:"1"`, 1)), http.StatusOK},
		{"unsigned, as others take it", "?k=urlkey", good, nil, http.StatusUnauthorized},
		{"Meta's signature", "?k=urlkey", good, byMeta(good), http.StatusUnauthorized},
		{"no key", "", good, byBotBonnie(good), http.StatusUnauthorized},
		{"another key", "?k=urlkex", good, byBotBonnie(good), http.StatusUnauthorized},
		{"two keys", "?k=urlkey&k=urlkey", good, byBotBonnie(good), http.StatusUnauthorized},
		{"not JSON", "?k=urlkey", "hello", byBotBonnie("hello"), http.StatusBadRequest},
		{"another bot", "?k=urlkey", strings.Replace(good, "bot-M", "bot-N", 1), byBotBonnie(strings.Replace(good, "bot-M", "bot-N", 1)), http.StatusForbidden},
		{"another page", "?k=urlkey", strings.Replace(good, "507", "508", 1), byBotBonnie(strings.Replace(good, "507", "508", 1)), http.StatusForbidden},
		{"another platform", "?k=urlkey", strings.Replace(good, ":1", ":0", 1), byBotBonnie(strings.Replace(good, ":1", ":0", 1)), http.StatusForbidden},
		{"gzip", "?k=urlkey", good, http.Header{"Content-Encoding": {"gzip"}}, http.StatusUnsupportedMediaType},
	} {
		for _, module := range []string{"linked", "unlinked"} {
			if a := w.post(t, "/hr/botbonnie/"+module+c.query, c.body, c.header); a.Code != c.want {
				t.Errorf("%s: %s: %d %s, want %d", module, c.reason, a.Code, a.Body, c.want)
			}
		}
	}
	// C40
	large := do(t, http.MethodPost, w.Public+"/hr/botbonnie/linked?k=urlkey", func(r *http.Request) {
		r.Host = visionHost
		announceLarge(r)
	})
	if large.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("1 GiB announced: %d", large.Code)
	}
	if len(upstream.asked) != 0 {
		t.Errorf("BotBonnie was asked %d times with nothing to ask for", len(upstream.asked))
	}
}

// A login that nothing confirms is told in the status, by every replica and after every restart.
func TestUnconfirmedLoginIsTold(t *testing.T) {
	var dir string
	upstream := newCustomers(t)
	w := newWorld(t, behindBotBonnie(upstream.api()), keepStore(&dir))
	w.untilReady(t)
	kept := openLinks(t, dir, "LINE", oaID)
	is := func(want adminapi.Confirmation) func(adminapi.Status) bool {
		return func(s adminapi.Status) bool { return s.Confirmation != nil && *s.Confirmation == want }
	}
	w.untilStatus(t, "nothing yet", is(adminapi.Confirmation{}))
	kept.pending(t, lineUser, strings.Repeat("c", 43), time.Now(), 10*time.Minute)
	w.untilStatus(t, "a login that may still be confirmed", is(adminapi.Confirmation{}))
	kept.pending(t, lineUser, strings.Repeat("d", 43), time.Now().Add(-20*time.Minute), 10*time.Minute)
	w.untilStatus(t, "a login that was not confirmed", is(adminapi.Confirmation{Unconfirmed: true}))
	kept.pending(t, lineUser, aliceCode, time.Now(), 10*time.Minute)
	upstream.set(`{"id":"` + lineUser + `","platform":"LINE","pageId":"507oftxz","extId":"` + aliceCode + `"}`)
	body := moduleCall(lineUser, "")
	w.post(t, "/hr/botbonnie/linked?k=urlkey", body, byBotBonnie(body))
	w.untilStatus(t, "a confirmation after it", is(adminapi.Confirmation{Ever: true}))
}
