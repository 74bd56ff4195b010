package webhookserver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/outbound/outboundtest"
)

// oldBot is the bot that was there before. It notes what it gets.
type oldBot struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	got    []gotCall
	// before is called for each call before it is answered.
	before func()
}

type gotCall struct {
	Path, Body string
	Header     http.Header
}

func newOldBot(t *testing.T) *oldBot {
	t.Helper()
	b := &oldBot{status: http.StatusOK, before: func() {}}
	b.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.got = append(b.got, gotCall{r.URL.RequestURI(), string(body), r.Header})
		status, before := b.status, b.before
		b.mu.Unlock()
		before()
		if status == http.StatusFound {
			rw.Header().Set("Location", "http://169.254.169.254/")
		}
		rw.WriteHeader(status)
		if status != http.StatusNoContent {
			_, _ = io.WriteString(rw, canary+" is nobody's business")
		}
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *oldBot) answers(status int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.status = status
}

// calls returns what has come since the last time.
func (b *oldBot) calls() []gotCall {
	b.mu.Lock()
	defer b.mu.Unlock()
	got := b.got
	b.got = nil
	return got
}

// forwarding has the channel forward to the bot.
func forwarding(b *oldBot, timeout time.Duration) option {
	return func(_ *world, s *config.Settings) {
		s.Channels[0].Webhook = config.Webhook{ForwardTo: b.atLocalhost() + "/chat?bot=1", Timeout: config.Duration(timeout)}
	}
}

// atLocalhost is the bot's address by name: plain http to a bare address stays refused.
func (b *oldBot) atLocalhost() string { return strings.Replace(b.URL, "127.0.0.1", "localhost", 1) }

// The bot gets what the platform sent, byte for byte, with the headers that belong to it; and its answer is what the platform
// sees, but for its body.
func TestForward(t *testing.T) {
	old := newOldBot(t)
	w := newWorld(t, forwarding(old, time.Second))
	w.untilReady(t)
	body := "{ \"destination\":\"x\",\r\n\"events\":[{\"type\":\"message\",\"message\":{\"text\":\"\\u00e4 \\/\"}}] }"
	header := byLINE(body)
	for name, value := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "User-Agent": "LineBotWebhook/2.0", "X-Line-Something-New": "1",
		"Connection": "X-Per-Hop, close", "X-Per-Hop": "1", "Keep-Alive": "5", "Te": "trailers",
		"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Host": "x", "Forwarded": "for=x", "X-Real-Ip": "203.0.113.7",
		"Cookie": "a=b", "Authorization": "Bearer x", "X-Channellink-Bot": "x",
	} {
		header.Set(name, value)
	}
	if a := w.post(t, "/hr/webhook", body, header); a.Code != http.StatusOK || a.Body != "ok\n" {
		t.Errorf("answered %d %q", a.Code, a.Body)
	}
	want := []gotCall{{"/chat?bot=1", body, http.Header{
		"Content-Type": {"application/json; charset=utf-8"}, "User-Agent": {"LineBotWebhook/2.0"}, "X-Line-Something-New": {"1"},
		"X-Line-Signature": header["X-Line-Signature"], "Accept-Encoding": {"gzip"}, "Content-Length": {fmt.Sprint(len(body))},
	}}}
	if diff := cmp.Diff(want, old.calls()); diff != "" {
		t.Errorf("the bot got (-want +got)\n%s", diff)
	}

	for _, c := range []struct {
		reason    string
		bot, want int
	}{
		{"created", http.StatusCreated, http.StatusOK},
		{"nothing to say", http.StatusNoContent, http.StatusOK},
		{"a fault of the bot's", http.StatusInternalServerError, http.StatusInternalServerError},
		{"the bot does not take it", http.StatusBadRequest, http.StatusBadRequest},
		{"a redirect, which nobody follows", http.StatusFound, http.StatusBadGateway},
		{"a code that nobody knows", 599, http.StatusBadGateway},
	} {
		old.answers(c.bot)
		a := w.post(t, "/hr/webhook", body, byLINE(body))
		if a.Code != c.want || strings.Contains(a.Body, canary) {
			t.Errorf("%s: %d %q, want %d", c.reason, a.Code, a.Body, c.want)
		}
		if got := old.calls(); len(got) != 1 {
			t.Errorf("%s: the bot was called %d times", c.reason, len(got))
		}
	}

	// What is not signed or not readable is not the bot's either.
	for reason, c := range map[string]struct {
		body   string
		header http.Header
		want   int
	}{
		"forged":   {body, byLINE(body + " "), http.StatusUnauthorized},
		"not JSON": {"hello", byLINE("hello"), http.StatusBadRequest},
	} {
		if a := w.post(t, "/hr/webhook", c.body, c.header); a.Code != c.want || len(old.calls()) != 0 {
			t.Errorf("%s: %d, want %d and no call", reason, a.Code, c.want)
		}
	}

	old.Close()
	if a := w.post(t, "/hr/webhook", body, byLINE(body)); a.Code != http.StatusBadGateway {
		t.Errorf("no bot there: %d", a.Code)
	}
	metrics := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body
	for _, line := range []string{
		`channellink_outbound_calls_total{channel="vision-hr",class="2xx",target="forward"} 3`,
		`channellink_outbound_calls_total{channel="vision-hr",class="3xx",target="forward"} 1`,
		`channellink_outbound_calls_total{channel="vision-hr",class="4xx",target="forward"} 1`,
		`channellink_outbound_calls_total{channel="vision-hr",class="5xx",target="forward"} 2`,
		`channellink_outbound_calls_total{channel="vision-hr",class="unreachable",target="forward"} 1`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}

// C38: an event is carried out before the bot hears of it, and once, however often the platform brings it because of the bot.
func TestForwardAfterOurOwn(t *testing.T) {
	for platform, c := range map[string]struct {
		options        []option
		page, user     string
		linked, unlink func(time.Time) string
		signed         func(string) http.Header
	}{
		"Facebook": {
			[]option{onFacebook}, pageID, psid,
			func(at time.Time) string { return metaEvent(pageID, psid, metaLinked(aliceCode), at) },
			func(at time.Time) string { return metaEvent(pageID, psid, metaUnlinked, at) }, byMeta,
		},
		"LINE": {
			nil, oaID, lineUser,
			func(at time.Time) string { return lineEvent("ok", lineSource(lineUser), aliceCode, at) },
			func(at time.Time) string { return lineLogout(lineUser, at) }, byLINE,
		},
	} {
		t.Run(platform, func(t *testing.T) {
			var dir string
			old := newOldBot(t)
			w := newWorld(t, append(c.options, keepStore(&dir), forwarding(old, time.Second))...)
			w.untilReady(t)
			kept := openLinks(t, dir, platform, c.page)
			now := time.Now()
			kept.pending(t, "", aliceCode, now, 5*time.Minute)
			var linkedAtCall []bool
			old.before = func() { linkedAtCall = append(linkedAtCall, kept.active(t, c.user)) }

			linked := c.linked(now)
			old.answers(http.StatusInternalServerError)
			for range 2 {
				if a := w.post(t, "/hr/webhook", linked, c.signed(linked)); a.Code != http.StatusInternalServerError {
					t.Errorf("the bot fails: %d", a.Code)
				}
			}
			old.answers(http.StatusOK)
			unlink := c.unlink(now.Add(time.Second))
			for _, body := range []string{linked, unlink, linked, unlink} {
				if a := w.post(t, "/hr/webhook", body, c.signed(body)); a.Code != http.StatusOK {
					t.Errorf("the bot is well again: %d", a.Code)
				}
			}
			if want := []bool{true, true, true, false, false, false}; !slices.Equal(linkedAtCall, want) {
				t.Errorf("linked when the bot was called: %v, want %v", linkedAtCall, want)
			}
			metrics := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body
			for _, line := range []string{`kind="linked",outcome="activated"} 1`, `kind="linked",outcome="repeated"} 3`, `kind="unlinked",outcome="removed"} 1`, `kind="unlinked",outcome="repeated"} 1`} {
				if !strings.Contains(metrics, line+"\n") {
					t.Errorf("no %s in\n%s", line, metrics)
				}
			}
		})
	}
}

// lineLogout is the tap on the log-out button.
func lineLogout(user string, at time.Time) string {
	return fmt.Sprintf(`{"destination":"x","events":[{"type":"postback","timestamp":%d,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZS",%s"postback":{"data":"channellink:logout"}}]}`,
		at.UnixMilli(), lineSource(user))
}

// A call of which our own part fails is not the bot's yet: the platform brings it again, to both.
func TestForwardWithoutStore(t *testing.T) {
	const field = "store.postgres.dsnSecretRef"
	old := newOldBot(t)
	w := newWorld(t, forwarding(old, time.Second), func(w *world, s *config.Settings) {
		s.Store.SQLite = nil
		s.Store.Postgres = &config.Postgres{DSN: config.File{Field: field, Path: w.References.Path(field)}, MaxConns: 4}
	})
	event := lineLogout(lineUser, time.Now())
	if a := w.post(t, "/hr/webhook", event, byLINE(event)); a.Code != http.StatusServiceUnavailable || len(old.calls()) != 0 {
		t.Errorf("an event of ours: %d", a.Code)
	}
	message := `{"destination":"x","events":[{"type":"message"}]}`
	if a := w.post(t, "/hr/webhook", message, byLINE(message)); a.Code != http.StatusOK || len(old.calls()) != 1 {
		t.Errorf("an event of the bot's needs no store of ours: %d", a.Code)
	}
}

// A bot that hangs costs its time-out, and LINE has its answer within two seconds whatever the settings say.
func TestForwardInTime(t *testing.T) {
	for reason, c := range map[string]struct {
		timeout, most time.Duration
	}{
		"its own time-out":          {200 * time.Millisecond, time.Second},
		"more than LINE's patience": {10 * time.Second, 2 * time.Second},
	} {
		t.Run(reason, func(t *testing.T) {
			old := newOldBot(t)
			release := make(chan struct{})
			old.before = func() { <-release }
			defer close(release)
			w := newWorld(t, forwarding(old, c.timeout))
			w.untilReady(t)
			body := `{"destination":"x","events":[]}`
			began := time.Now()
			a := w.post(t, "/hr/webhook", body, byLINE(body))
			if took := time.Since(began); a.Code != http.StatusGatewayTimeout || took > c.most {
				t.Errorf("%d after %v, want 504 within %v", a.Code, took, c.most)
			}
		})
	}
}

// C54, C55: a bot that changes the protocol has not taken the call, and holds up nothing: its connection is closed at once.
func TestForwardSwitchedProtocol(t *testing.T) {
	switcher := outboundtest.NewSwitcher(t)
	w := newWorld(t, func(_ *world, s *config.Settings) {
		s.Channels[0].Webhook = config.Webhook{ForwardTo: switcher.URL, Timeout: config.Duration(time.Second)}
	})
	w.untilReady(t)
	body := `{"destination":"x","events":[]}`
	if a := w.post(t, "/hr/webhook", body, byLINE(body)); a.Code != http.StatusBadGateway {
		t.Errorf("answered %d, want 502", a.Code)
	}
	left(t, switcher)
	const line = `channellink_outbound_calls_total{channel="vision-hr",class="unreachable",target="forward"} 1`
	if metrics := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body; !strings.Contains(metrics, line+"\n") {
		t.Errorf("no %s", line)
	}
}

// C54, C55: nor has a sibling, or what answers in its place.
func TestSiblingSwitchedProtocol(t *testing.T) {
	switcher := outboundtest.NewSwitcher(t)
	w := newWorld(t, onFacebook, func(_ *world, s *config.Settings) {
		s.Channels[0].Messenger.Siblings = []string{switcher.URL + "/hr"}
	})
	w.untilReady(t)
	body := metaEvent("222", psid, metaUnlinked, time.Now())
	if a := w.post(t, "/hr/webhook", body, byMeta(body)); a.Code != http.StatusServiceUnavailable {
		t.Errorf("answered %d, want 503", a.Code)
	}
	left(t, switcher)
	const line = `channellink_outbound_calls_total{channel="vision-hr",class="unusable",target="sibling"} 1`
	if metrics := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body; !strings.Contains(metrics, line+"\n") {
		t.Errorf("no %s", line)
	}
}

// left waits until the server has closed its connection to the switcher.
func left(t *testing.T, s outboundtest.Switcher) {
	t.Helper()
	select {
	case <-s.Left:
	case <-time.After(10 * time.Second):
		t.Fatal("the connection is left open")
	}
}

// Pages of one app with one bot: the bot gets each call once, from the server that Meta calls. A page with a bot of its own
// gets what is about that page.
func TestForwardWithSiblings(t *testing.T) {
	const secondPage = "222"
	common, own := newOldBot(t), newOldBot(t)
	secondPageIs := func(_ *world, s *config.Settings) { s.Channels[0].PageID = secondPage }
	for reason, c := range map[string]struct {
		second *oldBot
		page   string
		own    int
	}{
		"one bot":                               {common, secondPage, 0},
		"another bot, and its page":             {own, secondPage, 1},
		"another bot, and the first one's page": {own, pageID, 0},
	} {
		t.Run(reason, func(t *testing.T) {
			second := newWorld(t, onFacebook, secondPageIs, forwarding(c.second, time.Second))
			second.untilReady(t)
			service := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				rw.WriteHeader(second.post(t, r.URL.Path, string(body), r.Header).Code)
			}))
			defer service.Close()
			first := newWorld(t, onFacebook, forwarding(common, time.Second), func(_ *world, s *config.Settings) {
				s.Channels[0].Messenger.Siblings = []string{service.URL + "/hr"}
			})
			first.untilReady(t)
			body := metaEvent(c.page, psid, metaUnlinked, time.Now())
			for bot, answers := range map[*oldBot]int{own: 200, common: 200} {
				bot.answers(answers)
			}
			if a := first.post(t, "/hr/webhook", body, byMeta(body)); a.Code != http.StatusOK {
				t.Errorf("%d %s", a.Code, a.Body)
			}
			if got := common.calls(); len(got) != 1 || got[0].Body != body {
				t.Errorf("the app's bot got %v", got)
			}
			if got := own.calls(); len(got) != c.own {
				t.Errorf("the second page's bot got %v", got)
			}
		})
	}
}
