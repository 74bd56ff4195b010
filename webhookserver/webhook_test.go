package webhookserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
)

func metaEvent(page, user, linking string, at time.Time) string {
	return fmt.Sprintf(`{"object":"page","entry":[{"id":%q,"time":%d,"messaging":[{"sender":{"id":%q},"recipient":{"id":%q},"timestamp":%d,"account_linking":%s}]}]}`,
		page, at.UnixMilli(), user, page, at.UnixMilli(), linking)
}

func metaLinked(code string) string {
	return fmt.Sprintf(`{"status":"linked","authorization_code":%q}`, code)
}

const metaUnlinked = `{"status":"unlinked"}`

func lineEvent(result, source, nonce string, at time.Time) string {
	return fmt.Sprintf(`{"destination":"x","events":[{"type":"accountLink","timestamp":%d,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZR",%s"link":{"result":%q,"nonce":%q}}]}`,
		at.UnixMilli(), source, result, nonce)
}

func lineSource(user string) string {
	return fmt.Sprintf(`"source":{"type":"user","userId":%q},`, user)
}

// C2, C34, C39: only Meta's own word about this page links and unlinks.
func TestMessengerWebhook(t *testing.T) {
	var dir string
	w := newWorld(t, onFacebook, keepStore(&dir))
	w.untilReady(t)
	kept := openLinks(t, dir, "Facebook", pageID)
	now := time.Now()
	kept.pending(t, "", aliceCode, now, 5*time.Minute)
	linked := metaEvent(pageID, psid, metaLinked(aliceCode), now.Add(time.Second))

	for _, c := range []struct {
		reason, body string
		header       http.Header
		want         int
	}{
		{"no signature", linked, nil, http.StatusUnauthorized},
		{"an empty one", linked, http.Header{"X-Hub-Signature-256": {""}}, http.StatusUnauthorized},
		{"another body's", linked, byMeta(linked + " "), http.StatusUnauthorized},
		{"the weaker one", linked, byBotBonnie(linked), http.StatusUnauthorized},
		{"LINE's", linked, byLINE(linked), http.StatusUnauthorized},
	} {
		a := w.post(t, "/hr/webhook", c.body, c.header)
		if a.Code != c.want || a.Body != `{"error":"Unauthorized"}`+"\n" {
			t.Errorf("%s: %d %q, want %d and nothing of why", c.reason, a.Code, a.Body, c.want)
		}
	}
	for _, c := range []struct {
		reason, body string
		linked       bool
	}{
		{"another page of the app", metaEvent("999", psid, metaLinked(aliceCode), now), false},
		{"a code that nobody has", metaEvent(pageID, psid, metaLinked("somethingelse"), now), false},
		{"a message", `{"object":"page","entry":[{"id":"` + pageID + `","messaging":[{"sender":{"id":"1"},"message":{"text":"hi"}}]}]}`, false},
		{"linked", linked, true},
		{"linked, once more (C38)", linked, true},
		{"unlinked before it was linked (C44)", metaEvent(pageID, psid, metaUnlinked, now.Add(-time.Hour)), true},
		{"unlinked", metaEvent(pageID, psid, metaUnlinked, now.Add(2*time.Second)), false},
		{"linked, redelivered after all that (C44)", linked, false},
	} {
		if a := w.post(t, "/hr/webhook", c.body, byMeta(c.body)); a.Code != http.StatusOK {
			t.Errorf("%s: %d %s", c.reason, a.Code, a.Body)
		}
		if got := kept.active(t, psid); got != c.linked {
			t.Errorf("%s: linked %t, want %t", c.reason, got, c.linked)
		}
	}
}

// C2, C34: LINE's own word links; its no burns the code.
func TestLINEWebhook(t *testing.T) {
	var dir string
	w := newWorld(t, keepStore(&dir))
	w.untilReady(t)
	kept := openLinks(t, dir, "LINE", oaID)
	now := time.Now()
	other := strings.Repeat("b", 43)
	kept.pending(t, "", aliceCode, now, 10*time.Minute)
	kept.pending(t, "", other, now, 10*time.Minute)

	ok := lineEvent("ok", lineSource(lineUser), aliceCode, now)
	if a := w.post(t, "/hr/webhook", ok, nil); a.Code != http.StatusUnauthorized || kept.active(t, lineUser) {
		t.Errorf("unsigned: %d", a.Code)
	}
	for _, c := range []struct {
		reason, body string
		user         string
		linked       bool
	}{
		{"the Verify button", `{"destination":"xxxxxxxxxx","events":[]}`, lineUser, false},
		{"failed, without a source", lineEvent("failed", "", other, now), lineUser, false},
		{"ok for a burnt code", lineEvent("ok", lineSource("U2"), other, now), "U2", false},
		{"ok", ok, lineUser, true},
		{"ok for another user, with a code that was spent", lineEvent("ok", lineSource("U3"), aliceCode, now), "U3", false},
		{"a block", `{"destination":"x","events":[{"type":"unfollow","source":{"type":"user","userId":"` + lineUser + `"}}]}`, lineUser, true},
	} {
		if a := w.post(t, "/hr/webhook", c.body, byLINE(c.body)); a.Code != http.StatusOK {
			t.Errorf("%s: %d %s", c.reason, a.Code, a.Body)
		}
		if got := kept.active(t, c.user); got != c.linked {
			t.Errorf("%s: linked %t, want %t", c.reason, got, c.linked)
		}
	}
	w.untilStatus(t, "a confirmation", func(s adminapi.Status) bool {
		return s.Confirmation != nil && *s.Confirmation == adminapi.Confirmation{Ever: true}
	})
}

// C39: a LINE channel's secret signs the events of its one bot. What is signed with it and addressed to another bot is taken,
// so that LINE does not send it again, and has no effect.
func TestLINEWebhookOfAnotherBot(t *testing.T) {
	const bot = "Ub21f25d1c6b9a3a1ab3f4c60a2c5e7d9"
	var dir string
	w := newWorld(t, keepStore(&dir), func(_ *world, s *config.Settings) { s.Channels[0].LINE.BotUserID = bot })
	w.untilReady(t)
	kept := openLinks(t, dir, "LINE", oaID)
	now := time.Now()
	kept.pending(t, "", aliceCode, now, 10*time.Minute)
	to := func(destination string) string {
		return strings.Replace(lineEvent("ok", lineSource(lineUser), aliceCode, now), `"destination":"x"`, `"destination":"`+destination+`"`, 1)
	}
	for _, c := range []struct {
		destination string
		linked      bool
	}{{"U00000000000000000000000000000000", false}, {"", false}, {bot, true}} {
		body := to(c.destination)
		if a := w.post(t, "/hr/webhook", body, byLINE(body)); a.Code != http.StatusOK || kept.active(t, lineUser) != c.linked {
			t.Errorf("to %q: %d, linked %t; want 200, %t", c.destination, a.Code, !c.linked, c.linked)
		}
	}
}

// C40, C42, C43: what is too much, compressed or not readable is refused, and the connection with it.
func TestWebhookLimits(t *testing.T) {
	w := newWorld(t)
	w.untilReady(t)
	for _, c := range []struct {
		reason, body string
		header       http.Header
		want         int
	}{
		{"gzip", "{}", http.Header{"Content-Encoding": {"gzip"}}, http.StatusUnsupportedMediaType},
		{"anything but identity", "{}", http.Header{"Content-Encoding": {"1"}}, http.StatusUnsupportedMediaType},
		{"signed and not JSON", "hello", byLINE("hello"), http.StatusBadRequest},
		{"a key twice", `{"events":[],"events":[]}`, byLINE(`{"events":[],"events":[]}`), http.StatusBadRequest},
		{"too deep", strings.Repeat("[", 1000), byLINE(strings.Repeat("[", 1000)), http.StatusRequestEntityTooLarge},
	} {
		if a := w.post(t, "/hr/webhook", c.body, c.header); a.Code != c.want {
			t.Errorf("%s: %d, want %d", c.reason, a.Code, c.want)
		}
	}
	a := do(t, http.MethodPost, w.Public+"/hr/webhook", func(r *http.Request) {
		r.Host = visionHost
		announceLarge(r)
	})
	if a.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("1 GiB announced: %d", a.Code)
	}
}

// A channel answers on no webhook whose calls it could not verify.
func TestNoWebhookWithoutSecret(t *testing.T) {
	w := newWorld(t, behindBotBonnie("https://api.botbonnie.com"))
	w.untilReady(t)
	body := `{"destination":"x","events":[]}`
	if a := w.post(t, "/hr/webhook", body, byLINE(body)); a.Code != http.StatusNotFound {
		t.Errorf("behind BotBonnie: %d", a.Code)
	}
	if a := w.get(t, "/hr/webhook"); a.Code != http.StatusNotFound {
		t.Errorf("GET: %d", a.Code)
	}
}

// C46
func TestMessengerChallenge(t *testing.T) {
	w := newWorld(t, onFacebook)
	w.untilReady(t)
	const token = canary + "-verify"
	for _, c := range []struct {
		reason, query string
		want          int
		body          string
	}{
		{"the documentation's example", "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=" + token, 200, "1158201444"},
		{"a challenge that is no number (bottender)", "hub.mode=subscribe&hub.verify_token=" + token + "&hub.challenge=abc", 200, "abc"},
		{"another token", "hub.mode=subscribe&hub.verify_token=3edc4rfv&hub.challenge=abc", 403, ""},
		{"no token", "hub.mode=subscribe&hub.challenge=abc", 403, ""},
		{"two tokens", "hub.mode=subscribe&hub.verify_token=x&hub.challenge=abc&hub.verify_token=" + token, 403, ""},
		{"another mode", "hub.mode=unsubscribe&hub.challenge=abc&hub.verify_token=" + token, 403, ""},
		{"a page as challenge", "hub.mode=subscribe&hub.challenge=%3Cscript%3E&hub.verify_token=" + token, 403, ""},
		{"no challenge", "hub.mode=subscribe&hub.verify_token=" + token, 403, ""},
		{"a long one", "hub.mode=subscribe&hub.challenge=" + strings.Repeat("1", 257) + "&hub.verify_token=" + token, 403, ""},
		{"nothing", "", 403, ""},
	} {
		a := w.get(t, "/hr/webhook?"+c.query)
		if a.Code != c.want || c.body != "" && a.Body != c.body {
			t.Errorf("%s: %d %q", c.reason, a.Code, a.Body)
		}
		if a.Code == http.StatusOK && (a.Header.Get("Content-Type") != "text/plain; charset=utf-8" || a.Header.Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s: headers %v", c.reason, a.Header)
		}
	}
}

// C38: an event that comes a hundred times at once has its effect once, and everybody is answered 200.
func TestWebhookStorm(t *testing.T) {
	var dir string
	w := newWorld(t, onFacebook, keepStore(&dir))
	w.untilReady(t)
	kept := openLinks(t, dir, "Facebook", pageID)
	now := time.Now()
	kept.pending(t, psid, aliceCode, now, 5*time.Minute)
	body := metaEvent(pageID, psid, metaLinked(aliceCode), now)
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if a := w.post(t, "/hr/webhook", body, byMeta(body)); a.Code != http.StatusOK {
				t.Errorf("%d %s", a.Code, a.Body)
			}
		})
	}
	all.Wait()
	metrics := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body
	for _, line := range []string{
		`channellink_link_events_total{channel="vision-hr",kind="linked",outcome="activated"} 1`,
		`channellink_link_events_total{channel="vision-hr",kind="linked",outcome="repeated"} 99`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}

// One app, two pages: whichever server Meta calls, each takes what is its own, and 200 means that all have.
func TestSiblings(t *testing.T) {
	var dir string
	second := newWorld(t, onFacebook, keepStore(&dir), func(_ *world, s *config.Settings) { s.Channels[0].PageID = "222" })
	second.untilReady(t)
	var refuse atomic.Bool
	var handed atomic.Int32
	service := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		handed.Add(1)
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Channellink-Hop") != "1" || r.URL.Path != "/hr/webhook" {
			t.Errorf("handed on to %s with %v", r.URL.Path, r.Header)
		}
		if refuse.Load() {
			rw.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		rw.WriteHeader(second.post(t, r.URL.Path, string(body), r.Header).Code)
	}))
	defer service.Close()
	first := newWorld(t, onFacebook, func(_ *world, s *config.Settings) {
		s.Channels[0].Messenger.Siblings = []string{service.URL + "/hr"}
	})
	first.untilReady(t)
	kept := openLinks(t, dir, "Facebook", "222")
	now := time.Now()
	kept.pending(t, psid, aliceCode, now, 5*time.Minute)
	body := metaEvent("222", psid, metaLinked(aliceCode), now)

	if a := first.post(t, "/hr/webhook", body, byLINE(body)); a.Code != http.StatusUnauthorized || handed.Load() != 0 {
		t.Errorf("a forgery: %d, handed on %d times", a.Code, handed.Load())
	}
	hopped := byMeta(body)
	hopped["X-Channellink-Hop"] = []string{"1"}
	if a := first.post(t, "/hr/webhook", body, hopped); a.Code != http.StatusOK || handed.Load() != 0 {
		t.Errorf("handed on by another already: %d, handed on %d times", a.Code, handed.Load())
	}
	refuse.Store(true) // Meta must hear of it, or the event would be lost
	if a := first.post(t, "/hr/webhook", body, byMeta(body)); a.Code != http.StatusServiceUnavailable || kept.active(t, psid) {
		t.Errorf("a sibling refuses: %d", a.Code)
	}
	refuse.Store(false)
	if a := first.post(t, "/hr/webhook", body, byMeta(body)); a.Code != http.StatusOK || !kept.active(t, psid) {
		t.Errorf("a sibling takes it: %d, linked %t", a.Code, kept.active(t, psid))
	}
}

// C45: without a store the platform is told to come again, and the Verify button and forgeries get what they always get.
func TestWebhookWithoutStore(t *testing.T) {
	const field = "store.postgres.dsnSecretRef"
	w := newWorld(t, func(w *world, s *config.Settings) {
		s.Store.SQLite = nil
		s.Store.Postgres = &config.Postgres{DSN: config.File{Field: field, Path: w.References.Path(field)}, MaxConns: 4}
	})
	body := lineEvent("ok", lineSource(lineUser), aliceCode, time.Now())
	if a := w.post(t, "/hr/webhook", body, byLINE(body)); a.Code != http.StatusServiceUnavailable {
		t.Errorf("an event: %d", a.Code)
	}
	if a := w.post(t, "/hr/webhook", body, nil); a.Code != http.StatusUnauthorized {
		t.Errorf("a forgery: %d", a.Code)
	}
	body = `{"destination":"x","events":[]}`
	if a := w.post(t, "/hr/webhook", body, byLINE(body)); a.Code != http.StatusOK {
		t.Errorf("the Verify button: %d", a.Code)
	}
}
