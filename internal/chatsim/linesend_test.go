package chatsim

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

const retryKey = "X-Line-Retry-Key"

// event is the newest event that the server was sent.
func (w *world) event() lineEvent {
	w.t.Helper()
	got := w.events()
	if len(got) == 0 {
		w.t.Fatal("no webhook was sent")
	}
	var d lineDelivery
	if err := json.Unmarshal(got[len(got)-1].body, &d); err != nil || len(d.Events) != 1 {
		w.t.Fatalf("want one event, got %s", got[len(got)-1].body)
	}
	return d.Events[0]
}

func reply(token string) string {
	return `{"replyToken":"` + token + `","messages":[{"type":"text","text":"hi"}]}`
}

func TestLINETakesAReplyOnceWithinAMinute(t *testing.T) {
	for _, tc := range []struct {
		reason string
		late   time.Duration
		token  string
		header []string
		status int
	}{
		{"in time", 0, "line-token", nil, 200},
		{"after a minute", 61 * time.Second, "line-token", nil, 400},
		{"of another channel", 0, "line-token-2", nil, 400},
		{"no retry key on a reply", 0, "line-token", []string{retryKey, newUUID()}, 400},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			w.say("line", alice, "leave balance")
			e := w.event()
			if e.Type != "message" || e.Message.Text != "leave balance" || e.Source.UserID != alice || e.ReplyToken == "" {
				t.Fatalf("the event is %+v", e)
			}
			w.forward(tc.late)
			if status, said, _ := w.post(http.MethodPost, "/v2/bot/message/reply", tc.token, reply(e.ReplyToken), tc.header...); status != tc.status {
				t.Fatalf("%d %s, want %d", status, said, tc.status)
			}
			if tc.status != http.StatusOK {
				return
			}
			if m := w.last("line", alice); m.By != ByBot || m.Text != "hi" {
				t.Errorf("the chat shows %+v", m)
			}
			if status, _, _ := w.post(http.MethodPost, "/v2/bot/message/reply", tc.token, reply(e.ReplyToken)); status != http.StatusBadRequest {
				t.Errorf("the same reply token again: %d", status)
			}
		})
	}
}

func TestLINETakesARetryKeyOnce(t *testing.T) {
	w := newWorld(t)
	const body = `{"to":"` + alice + `","messages":[{"type":"text","text":"hi"}]}`
	key := newUUID()
	status, said, first := w.post(http.MethodPost, "/v2/bot/message/push", "line-token", body, retryKey, key)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, said)
	}
	status, said, again := w.post(http.MethodPost, "/v2/bot/message/push", "line-token", body, retryKey, key)
	if status != http.StatusConflict || !strings.Contains(said, "already accepted") ||
		again.Get("X-Line-Accepted-Request-Id") != first.Get("X-Line-Request-Id") {
		t.Errorf("the same key: %d %s %v", status, said, again)
	}
	if n := len(w.chat("line", alice)); n != 1 {
		t.Errorf("the user sees %d messages", n)
	}
	if status, _, _ := w.post(http.MethodPost, "/v2/bot/message/push", "line-token", body, retryKey, "1"); status != http.StatusBadRequest {
		t.Errorf("a key that is no UUID: %d", status)
	}
	w.forward(25 * time.Hour)
	if status, _, _ := w.post(http.MethodPost, "/v2/bot/message/push", "line-token", body, retryKey, key); status != http.StatusOK {
		t.Errorf("the same key after a day: %d", status)
	}
}

func TestLINERefusesWhatItCannotShow(t *testing.T) {
	long := func(n int) string { return strings.Repeat("字", n) }
	const uri = `{"type":"uri","label":"Log in","uri":"https://hr.example/authorize?linkToken=x"}`
	template := func(inner string) string { return `{"type":"template","altText":"Log in",` + inner + `}` }
	for _, tc := range []struct {
		reason, message string
		good            bool
	}{
		{"a text", `{"type":"text","text":"hi"}`, true},
		{"no text", `{"type":"text","text":""}`, false},
		{"a text too long", `{"type":"text","text":"` + long(5001) + `"}`, false},
		{"a type of no meaning", `{"type":"txt","text":"hi"}`, false},
		{"a template with a link", template(`"template":{"type":"buttons","text":"Hello","actions":[` + uri + `]}`), true},
		{"a template without altText", `{"type":"template","template":{"type":"buttons","text":"Hello","actions":[` + uri + `]}}`, false},
		{"no template", template(`"x":1`), false},
		{"a titled text too long", template(`"template":{"type":"buttons","title":"t","text":"` + long(61) + `","actions":[` + uri + `]}`), false},
		{"an untitled text just right", template(`"template":{"type":"buttons","text":"` + long(160) + `","actions":[` + uri + `]}`), true},
		{"five actions", template(`"template":{"type":"buttons","text":"Hello","actions":[` + strings.Repeat(uri+",", 4) + uri + `]}`), false},
		{"no action", template(`"template":{"type":"buttons","text":"Hello","actions":[]}`), false},
		{"a label too long", template(`"template":{"type":"buttons","text":"Hello","actions":[{"type":"message","label":"` + long(21) + `","text":"x"}]}`), false},
		{"a scheme that LINE does not open", template(`"template":{"type":"buttons","text":"Hello","actions":[{"type":"uri","label":"x","uri":"ftp://x"}]}`), false},
		{"a picture by http", template(`"template":{"type":"buttons","thumbnailImageUrl":"http://x.example/a.png","text":"Hello","actions":[` + uri + `]}`), false},
		{"a postback", template(`"template":{"type":"confirm","text":"Hello","actions":[` + uri + `,{"type":"postback","label":"x","data":"y"}]}`), true},
		{"one action to confirm", template(`"template":{"type":"confirm","text":"Hello","actions":[` + uri + `]}`), false},
		{"a carousel", template(`"template":{"type":"carousel","columns":[{"text":"Hello","actions":[` + uri + `]}]}`), true},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			status, said, _ := w.post(http.MethodPost, "/v2/bot/message/push", "line-token", `{"to":"`+alice+`","messages":[`+tc.message+`]}`)
			if (status == http.StatusOK) != tc.good || status != http.StatusOK && !strings.Contains(said, `"details":[{`) {
				t.Errorf("%d %s", status, said)
			}
		})
	}
}

func TestLINEPostbackGoesToTheBot(t *testing.T) {
	w := newWorld(t)
	const push = `{"to":"` + alice + `","messages":[{"type":"template","altText":"Log out","template":{"type":"buttons","text":"Bye?",` +
		`"actions":[{"type":"postback","label":"Log out","data":"bye","displayText":"Log me out"}]}}]}`
	if status, said, _ := w.post(http.MethodPost, "/v2/bot/message/push", "line-token", push); status != http.StatusOK {
		t.Fatalf("%d %s", status, said)
	}
	w.press("line", alice, w.last("line", alice).Cards[0].Buttons[0])
	if e := w.event(); e.Type != "postback" || e.Postback.Data != "bye" || e.Source.UserID != alice {
		t.Errorf("the event is %+v", e)
	}
	if m := w.last("line", alice); m.By != ByUser || m.Text != "Log me out" {
		t.Errorf("the chat shows %+v", m)
	}
}

func TestLINEWebhookSettings(t *testing.T) {
	w := newWorld(t)
	const endpoint = "/v2/bot/channel/webhook/endpoint"
	if _, said := w.api(http.MethodGet, endpoint, "line-token"); !strings.Contains(said, `/webhook"`) || !strings.Contains(said, `"active":true`) {
		t.Errorf("set is %s", said)
	}
	_, said, _ := w.post(http.MethodPost, "/v2/bot/channel/webhook/test", "line-token", "{}")
	if !strings.Contains(said, `"success":true`) {
		t.Errorf("tested: %s", said)
	}
	got := w.events()
	if len(got) != 1 || string(got[0].body) != `{"destination":"Ubot","events":[]}` ||
		got[0].header.Get("X-Line-Signature") != signLINE("line-secret", got[0].body) {
		t.Errorf("a test is a signed webhook without events, got %v", got)
	}
	for _, tc := range []struct {
		reason, endpoint string
		status           int
	}{
		{"plain http elsewhere", "http://bot.example/webhook", 400},
		{"too long", "https://bot.example/" + strings.Repeat("x", 500), 400},
		{"a place where nobody is", "http://127.0.0.1:1/webhook", 200},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			body := `{"endpoint":"` + tc.endpoint + `"}`
			if status, said, _ := w.post(http.MethodPut, endpoint, "line-token", body); status != tc.status {
				t.Errorf("%d %s", status, said)
			}
		})
	}
	if _, said, _ := w.post(http.MethodPost, "/v2/bot/channel/webhook/test", "line-token", "{}"); !strings.Contains(said, `"success":false`) {
		t.Errorf("nobody is there, and the test says %s", said)
	}
	w.control(http.MethodPut, "channels/line/switches", Switches{WebhookOff: true}, nil)
	if _, said := w.api(http.MethodGet, endpoint, "line-token"); !strings.Contains(said, `"active":false`) {
		t.Errorf("switched off, it is %s", said)
	}
}
