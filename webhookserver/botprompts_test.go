package webhookserver_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/line/linetest"
	"channellink.dev/operator/webhookserver/messenger/messengertest"
)

func promptsOf(user string) string { return "/hr/api/v1/users/" + user + "/prompts" }

// The messages are those of the first seed, with the channel's own words; sending delivers the very message that is returned.
func TestPromptsOnMessenger(t *testing.T) {
	meta := messengertest.New(t, psid)
	w := newWorld(t, onFacebook, atMeta(meta), branded, withBotAPI)
	w.untilReady(t)
	card := func(title, image, button string) string {
		return `{"attachment":{"type":"template","payload":{"template_type":"generic","elements":[{"title":"` + title + `","image_url":"` + image + `","buttons":[` + button + `]}]}}}`
	}
	const image = "https://vision.example/hr.jpeg"
	const login, logout = `{"type":"account_link","url":"https://link.vision.example/hr/authorize"}`, `{"type":"account_unlink"}`
	for _, c := range []struct {
		reason, body, want string
		sent               bool
	}{
		{"log in", `{"kind":"login"}`, card("Bienvenue à Vision RH", image, login), false},
		{"log out", `{"kind":"logout","send":false}`, card("Vision RH", image, logout), false},
		{"in words of the bot's", `{"kind":"login","title":"Hello","imageURL":"https://cdn.example/a.png"}`, card("Hello", "https://cdn.example/a.png", login), false},
		{"a title that is too long", `{"kind":"logout","title":"` + strings.Repeat("x", 100) + `"}`, card(strings.Repeat("x", 79)+"…", image, logout), false},
		{"sent", `{"kind":"login","send":true}`, card("Bienvenue à Vision RH", image, login), true},
		{"sent as well", `{"kind":"logout","send":true}`, card("Vision RH", image, logout), true},
	} {
		before := len(meta.Sent())
		a := w.asBot(t, http.MethodPost, promptsOf(psid), c.body)
		if a.Code != 200 {
			t.Errorf("%s: %d %s", c.reason, a.Code, a.Body)
			continue
		}
		var got struct {
			Message   json.RawMessage `json:"message"`
			Sent      bool            `json:"sent"`
			ExpiresAt *string         `json:"expiresAt"`
		}
		if err := json.Unmarshal([]byte(a.Body), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, string(got.Message)); diff != "" || got.Sent != c.sent || got.ExpiresAt != nil {
			t.Errorf("%s: sent %t, expires %v (-want +got)\n%s", c.reason, got.Sent, got.ExpiresAt, diff)
		}
		sent := meta.Sent()[before:]
		if c.sent && (len(sent) != 1 || sent[0].To != psid || string(sent[0].Message) != c.want) || !c.sent && len(sent) != 0 {
			t.Errorf("%s: sent %+v", c.reason, sent)
		}
	}
}

// On LINE a log-in prompt has a link token of its own, issued for its user; a log-out prompt is the postback that the webhook
// obeys.
func TestPromptsOnLINE(t *testing.T) {
	line := linetest.New(t, lineUser)
	w := newWorld(t, atLINE(line), branded, withBotAPI, func(_ *world, s *config.Settings) { s.Channels[0].OIDC.ExternalBrowser = true })
	w.untilReady(t)

	type prompt struct {
		Message struct {
			AltText  string
			Template struct {
				ThumbnailImageURL, Title, Text string
				Actions                        []struct{ Type, Label, URI, Data string }
			}
		}
		Sent      bool
		ExpiresAt time.Time
	}
	ask := func(body string, changes ...func(*http.Request)) (p prompt) {
		t.Helper()
		a := w.asBot(t, http.MethodPost, promptsOf(lineUser), body, changes...)
		if a.Code != 200 {
			t.Fatalf("%s: %d %s", body, a.Code, a.Body)
		}
		if err := json.Unmarshal([]byte(a.Body), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	tokens := map[string]bool{}
	for range 2 {
		p := ask(`{"kind":"login"}`)
		u, err := url.Parse(p.Message.Template.Actions[0].URI)
		if err != nil {
			t.Fatal(err)
		}
		token := u.Query().Get("linkToken")
		if u.Host != visionHost || u.Path != "/hr/authorize" || u.Query().Get("openExternalBrowser") != "1" || line.Issued()[token] != lineUser {
			t.Errorf("the button opens %s", u)
		}
		if life := time.Until(p.ExpiresAt); life < 9*time.Minute || life > 10*time.Minute || p.Sent {
			t.Errorf("expires in %s, sent %t", life, p.Sent)
		}
		tokens[token] = true
	}
	if len(tokens) != 2 {
		t.Error("two prompts have one link token")
	}

	out := ask(`{"kind":"logout"}`)
	if action := out.Message.Template.Actions[0]; action.Type != "postback" || action.Data != "channellink:logout" || !out.ExpiresAt.IsZero() {
		t.Errorf("the log-out button: %+v, expires %s", action, out.ExpiresAt)
	}
	if p := out.Message.Template; p.Title != "Vision RH" || p.ThumbnailImageURL != "https://vision.example/hr.jpeg" {
		t.Errorf("the channel's own words: %+v", p)
	}
	for preferred, want := range map[string]string{
		"": "Log out", "ja": "ログアウト", "th-TH,en;q=0.5": "ออกจากระบบ", "zh-Hant-TW": "登出", "fr": "Se déconnecter", "de": "Log out",
	} {
		if got := ask(`{"kind":"logout"}`, header("Accept-Language", preferred)).Message.Template.Actions[0].Label; got != want {
			t.Errorf("%q: the button says %q, want %q", preferred, got, want)
		}
	}

	sent := ask(`{"kind":"login","title":"Hello","send":true}`)
	pushed := line.Pushed()
	if !sent.Sent || len(pushed) != 1 || pushed[0].To != lineUser || !strings.Contains(string(pushed[0].Message), `"Hello"`) {
		t.Errorf("sent %t: %+v", sent.Sent, pushed)
	}
}

// What a platform says is told by a cause of ours and a sentence of ours, with the code that fits it.
func TestPromptFailures(t *testing.T) {
	line := linetest.New(t, lineUser)
	onLINE := newWorld(t, atLINE(line), withBotAPI)
	meta := messengertest.New(t, psid)
	onMeta := newWorld(t, onFacebook, atMeta(meta), withBotAPI)
	onLINE.untilReady(t)
	onMeta.untilReady(t)
	const usage = `{"1234779123812":[{"estimated_time_to_regain_access":7}]}`
	for _, c := range []struct {
		reason string
		user   string
		line   []linetest.Step
		meta   []messengertest.Step
		code   int
		cause  string
		retry  string
	}{
		{"no friend of the bot", stranger, nil, nil, 422, "UserUnreachable", ""},
		{"token rejected when the link token is issued", lineUser, []linetest.Step{{Status: 401, Body: canary}}, nil, 502, "TokenRejected", ""},
		{"LINE limits us", lineUser, []linetest.Step{{Status: 429, Body: "The API rate limit has been exceeded. Try again later."}}, nil, 429, "RateLimited", "10"},
		{"LINE is down before anything was sent", lineUser, []linetest.Step{{Status: 500}}, nil, 503, "PlatformUnavailable", "30"},
		{"no user of the page", "1", nil, nil, 422, "UserUnreachable", ""},
		{"wrote too long ago", psid, nil, []messengertest.Step{{Status: 403, Code: 10, Subcode: 2018278}}, 422, "UserUnreachable", ""},
		{"Meta finds fault with the message", psid, nil, []messengertest.Step{{Status: 400, Code: 100}}, 422, "MessageRefused", ""},
		{"Meta rejects the token", psid, nil, []messengertest.Step{{Status: 400, Code: 190}}, 502, "TokenRejected", ""},
		{"Meta limits the page, and says how long", psid, nil, []messengertest.Step{{Status: 400, Code: 32, Usage: usage}}, 429, "RateLimited", "420"},
		{"Meta does not feel well", psid, nil, []messengertest.Step{{Status: 400, Code: 1200}}, 503, "PlatformUnavailable", "30"},
		{"Meta does not answer: nobody knows", psid, nil, []messengertest.Step{{Cut: true}}, 504, "DeliveryUnknown", ""},
	} {
		w := onLINE
		if strings.Trim(c.user, "0123456789") == "" {
			w = onMeta
		}
		line.Next(c.line...)
		meta.Next(c.meta...)
		a := w.asBot(t, http.MethodPost, promptsOf(c.user), `{"kind":"login","send":true}`)
		if a.Code != c.code || a.problem(t) != c.cause || a.Header.Get("Retry-After") != c.retry {
			t.Errorf("%s: %d %s, Retry-After %q; want %d %s %q", c.reason, a.Code, a.Body, a.Header.Get("Retry-After"), c.code, c.cause, c.retry)
		}
		if strings.Contains(a.Body, canary) || strings.Contains(a.Body, c.user) {
			t.Errorf("%s: the answer tells too much: %s", c.reason, a.Body) // C27
		}
	}
	if len(line.Pushed()) != 0 {
		t.Errorf("pushed %+v", line.Pushed())
	}

	// A push that is answered by nobody is tried again with its key; what LINE takes once arrives once.
	line.Next(linetest.Step{Delivered: true, Cut: true})
	if a := onLINE.asBot(t, http.MethodPost, promptsOf(lineUser), `{"kind":"logout","send":true}`); a.Code != 200 || len(line.Pushed()) != 1 {
		t.Errorf("%d %s, %d delivered", a.Code, a.Body, len(line.Pushed()))
	}
	line.Next(linetest.Step{Status: 429, Body: "You have reached your monthly limit."})
	if a := onLINE.asBot(t, http.MethodPost, promptsOf(lineUser), `{"kind":"logout","send":true}`); a.Code != 422 || a.problem(t) != "QuotaReached" {
		t.Errorf("the month's messages: %d %s", a.Code, a.Body)
	}
	for _, w := range []*world{onLINE, onMeta} { // C27
		for _, secret := range []string{lineUser, psid, linetest.Token, messengertest.Token, "NMZTNuVrPTqlr2IF8Bnymkb7rXfY"} {
			if strings.Contains(w.logs.String(), secret) {
				t.Errorf("%s is in the log", secret)
			}
		}
	}
}

// What the bot asks for is checked before anything is called.
func TestPromptRequests(t *testing.T) {
	line := linetest.New(t, lineUser)
	w := newWorld(t, atLINE(line), withBotAPI)
	w.untilReady(t)
	for _, c := range []struct {
		reason, body string
		change       func(*http.Request)
		code         int
		cause        string
	}{
		{"no kind", `{}`, nil, 400, "InvalidRequest"},
		{"a kind that nobody knows", `{"kind":"Login"}`, nil, 400, "InvalidRequest"},
		{"a field that nobody knows", `{"kind":"login","tilte":"Hello"}`, nil, 400, "InvalidRequest"},
		{"a field in capitals, which Go would take", `{"Kind":"login"}`, nil, 400, "InvalidRequest"},
		{"C43: a field twice, of which others take the first", `{"kind":"login","kind":"logout"}`, nil, 400, "InvalidRequest"},
		{"cut off", `{"kind":"login"`, nil, 400, "InvalidRequest"},
		{"two objects", `{"kind":"login"}{"kind":"login"}`, nil, 400, "InvalidRequest"},
		{"a list", `["login"]`, nil, 400, "InvalidRequest"},
		{"no JSON", `kind=login`, nil, 400, "InvalidRequest"},
		{"nothing", ``, header("Content-Type", "application/json"), 400, "InvalidRequest"},
		{"send as a word", `{"kind":"login","send":"true"}`, nil, 400, "InvalidRequest"},
		{"a picture that LINE would refuse", `{"kind":"login","imageURL":"http://vision.example/a.png"}`, nil, 400, "InvalidRequest"},
		{"a picture that is a script", `{"kind":"login","imageURL":"javascript:alert(1)"}`, nil, 400, "InvalidRequest"},
		{"a picture with a very long address", `{"kind":"login","imageURL":"https://vision.example/` + strings.Repeat("a", 1000) + `"}`, nil, 400, "InvalidRequest"},
		{"a form", `{"kind":"login"}`, header("Content-Type", "application/x-www-form-urlencoded"), 415, "InvalidRequest"},
		{"no type", `{"kind":"login"}`, header("Content-Type", ""), 415, "InvalidRequest"},
		{"compressed", `{"kind":"login"}`, header("Content-Encoding", "gzip"), 415, ""},
		{"too much", `{"kind":"login","title":"` + strings.Repeat("x", 8<<10) + `"}`, nil, 413, ""},
		{"1 GiB is announced", "", announceLarge, 413, ""},
	} {
		changes := []func(*http.Request){}
		if c.change != nil {
			changes = append(changes, c.change)
		}
		a := w.asBot(t, http.MethodPost, promptsOf(lineUser), c.body, changes...)
		if a.Code != c.code || a.problem(t) != c.cause {
			t.Errorf("%s: %d %s, want %d %s", c.reason, a.Code, a.Body, c.code, c.cause)
		}
	}
	if a := w.asBot(t, http.MethodPost, promptsOf(lineUser), `{"kind":"logout"}`, header("Content-Type", "application/json; charset=utf-8")); a.Code != 200 {
		t.Errorf("with a charset: %d %s", a.Code, a.Body)
	}
	if line.Calls() != 0 {
		t.Errorf("LINE was called %d times", line.Calls())
	}
}

// A channel that lacks a field, or whose platform has no such prompt, says so.
func TestPromptsNotConfigured(t *testing.T) {
	bare := newWorld(t, withBotAPI)
	page := newWorld(t, onFacebook, withBotAPI)
	bonnie := newWorld(t, behindBotBonnie("http://localhost:1"), withBotAPI)
	noModule := newWorld(t, behindBotBonnie("http://localhost:1"), withBotAPI, func(_ *world, s *config.Settings) { s.Channels[0].BotBonnie.StartLinkingModule = "" })
	for _, w := range []*world{bare, page, bonnie, noModule} {
		w.untilReady(t)
	}
	for _, c := range []struct {
		reason     string
		w          *world
		user, body string
		code       int
		cause      string
		names      string
	}{
		{"LINE issues link tokens to those with a token", bare, lineUser, `{"kind":"login"}`, 409, "NotConfigured", "line.channelAccessTokenSecretRef"},
		{"and pushes for them", bare, lineUser, `{"kind":"logout","send":true}`, 409, "NotConfigured", "line.channelAccessTokenSecretRef"},
		{"the log-out prompt needs none", bare, lineUser, `{"kind":"logout"}`, 200, "", ""},
		{"Messenger's buttons need none either", page, psid, `{"kind":"login"}`, 200, "", ""},
		{"but sending does", page, psid, `{"kind":"login","send":true}`, 409, "NotConfigured", "messenger.pageAccessTokenSecretRef"},
		{"BotBonnie's prompt starts its own module", bonnie, lineUser, `{"kind":"login"}`, 200, "", "module-ry49xXQU2"},
		{"which the channel must name", noModule, lineUser, `{"kind":"login"}`, 409, "NotConfigured", "botBonnie.startLinkingModule"},
		{"BotBonnie logs out by itself", bonnie, lineUser, `{"kind":"logout"}`, 409, "NotSupported", ""},
		{"and sends by itself", bonnie, lineUser, `{"kind":"login","send":true}`, 409, "NotSupported", ""},
	} {
		a := c.w.asBot(t, http.MethodPost, promptsOf(c.user), c.body)
		if a.Code != c.code || a.problem(t) != c.cause || !strings.Contains(a.Body, c.names) {
			t.Errorf("%s: %d %s, want %d %s %s", c.reason, a.Code, a.Body, c.code, c.cause, c.names)
		}
	}
	a := bonnie.asBot(t, http.MethodPost, promptsOf(lineUser), `{"kind":"login"}`, header("Accept-Language", "zh-TW"))
	want := map[string]any{
		"type": "text", "text": visionName + "\n請登入，將您的帳號與這個聊天綁定。",
		"buttons": []any{map[string]any{"title": "登入", "type": "postback", "value": "module-ry49xXQU2"}},
	}
	if diff := cmp.Diff(want, a.decoded(t)["message"]); diff != "" {
		t.Errorf("BotBonnie's message (-want +got)\n%s", diff)
	}
}

// C1, C2: a login that a prompt has begun is known to be its user's: consent shows who that is, his event links, and
// another's burns the code.
func TestPromptedLogin(t *testing.T) {
	line := linetest.New(t, lineUser)
	var dir string
	w := readyToLogIn(t, atLINE(line), withBotAPI, keepStore(&dir))
	kept := openLinks(t, dir, "LINE", oaID)
	for _, c := range []struct {
		reason, tapper string
		linked         bool
	}{
		{"another one taps the button, whom LINE did not stop", stranger, false},
		{"the user himself taps it", lineUser, true},
	} {
		a := w.asBot(t, http.MethodPost, promptsOf(lineUser), `{"kind":"login","send":true}`)
		if a.Code != 200 {
			t.Fatal(a.Body)
		}
		var pushed struct {
			Template struct{ Actions []struct{ URI string } }
		}
		all := line.Pushed()
		if err := json.Unmarshal(all[len(all)-1].Message, &pushed); err != nil {
			t.Fatal(err)
		}
		path, _ := strings.CutPrefix(pushed.Template.Actions[0].URI, "https://"+visionHost)
		cookies := map[string]string{}
		begun := w.visit(t, http.MethodGet, path, cookies, nil)
		if begun.Code != http.StatusFound {
			t.Fatalf("%s: /authorize answered %d\n%s", c.reason, begun.Code, begun.Body)
		}
		query := w.Issuer.SignIn(t, begun.Header.Get("Location"), issuertest.Login{})
		back := w.visit(t, http.MethodGet, "/hr/callback?"+query.Encode(), cookies, nil)
		consentPath, _ := strings.CutPrefix(back.Header.Get("Location"), "https://"+visionHost)
		consent := w.visit(t, http.MethodGet, consentPath, cookies, nil)
		token := formField.FindStringSubmatch(consent.Body)
		if consent.Code != http.StatusOK || token == nil || !strings.Contains(consent.Body, "LINE taro") {
			t.Fatalf("%s: the consent page does not name the chat user: %d\n%s", c.reason, consent.Code, consent.Body)
		}
		pressed := w.visit(t, http.MethodPost, consentPath, cookies, url.Values{"token": {token[1]}, "choice": {"link"}})
		location, err := url.Parse(pressed.Header.Get("Location"))
		if err != nil || pressed.Code != http.StatusSeeOther {
			t.Fatalf("%s: the press got %d, %v", c.reason, pressed.Code, err)
		}
		event := lineEvent("ok", lineSource(c.tapper), location.Query().Get("nonce"), time.Now())
		if a := w.post(t, "/hr/webhook", event, byLINE(event)); a.Code != http.StatusOK {
			t.Errorf("%s: %d", c.reason, a.Code)
		}
		if kept.active(t, lineUser) != c.linked || kept.active(t, stranger) {
			t.Errorf("%s: linked %t, the other one %t", c.reason, kept.active(t, lineUser), kept.active(t, stranger))
		}
		if !c.linked { // the code is burnt: the right event comes too late for it
			event = lineEvent("ok", lineSource(lineUser), location.Query().Get("nonce"), time.Now())
			if w.post(t, "/hr/webhook", event, byLINE(event)); kept.active(t, lineUser) {
				t.Errorf("%s: the code lives on", c.reason)
			}
		}
	}
}
