package chatsim

import (
	"net/http"
	"strings"
	"testing"
)

func TestAModulesAnswerIsJudged(t *testing.T) {
	buttons := func(inner string) string { return `{"type":"text","text":"hi","buttons":[` + inner + `]}` }
	const start = `{"title":"Log in","type":"postback","value":"module-start"}`
	for _, tc := range []struct {
		reason string
		status int
		answer string
		good   bool
	}{
		{"a text", 200, `{"type":"text","text":"hi"}`, true},
		{"no status but 200", 204, ``, false},
		{"no JSON", 200, `ok`, false},
		{"a list", 200, `[{"type":"text","text":"hi"}]`, false},
		{"a field of no meaning", 200, `{"type":"text","text":"hi","days":12}`, false},
		{"no type", 200, `{"text":"hi"}`, false},
		{"no text", 200, `{"type":"text"}`, false},
		{"a text too long", 200, `{"type":"text","text":"` + strings.Repeat("字", 321) + `"}`, false},
		{"the longest text", 200, `{"type":"text","text":"` + strings.Repeat("字", 320) + `"}`, true},
		{"a button to a module", 200, buttons(start), true},
		{"a button to no module", 200, buttons(`{"title":"x","type":"postback","value":"module-none"}`), false},
		{"a link", 200, buttons(`{"title":"x","type":"web_url","value":"https://vision.example"}`), true},
		{"a link to nowhere", 200, buttons(`{"title":"x","type":"web_url","value":"vision"}`), false},
		{"a login button, which BotBonnie has not", 200, buttons(`{"title":"x","type":"account_link","value":"https://vision.example"}`), false},
		{"four buttons", 200, buttons(strings.Repeat(start+",", 3) + start), false},
		{"quick replies", 200, `{"type":"text","text":"hi","quickReplies":[{"title":"x","type":"text","payload":"module-leave"}]}`, true},
		{"a quick reply with a value", 200, `{"type":"text","text":"hi","quickReplies":[{"title":"x","type":"text","value":"module-leave"}]}`, false},
		{"a picture", 200, `{"type":"image","imageUrl":"https://vision.example/a.png"}`, true},
		{"a picture with buttons", 200, `{"type":"image","imageUrl":"https://vision.example/a.png","buttons":[` + start + `]}`, false},
		{"a picture of another kind", 200, `{"type":"image","imageUrl":"https://vision.example/a.svg"}`, false},
		{"a film", 200, `{"type":"video","videoUrl":"https://vision.example/a.mp4"}`, true},
		{"a gallery", 200, `{"type":"gallery","cards":[{"title":"t","subtitle":"s","imageUrl":"https://vision.example/a.jpg","buttons":[` + start + `]}]}`, true},
		{"a gallery of nothing", 200, `{"type":"gallery","cards":[]}`, false},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			w.answer, w.answered = tc.status, tc.answer
			w.say("line-bot", alice, "my leave, please")
			if shown := w.last("line-bot", alice).By == ByBot; shown != tc.good {
				t.Errorf("shown is %v: %+v", shown, w.last("line-bot", alice))
			}
		})
	}
}

func TestAModuleAsksTheService(t *testing.T) {
	w := newWorld(t)
	w.say("line-bot", alice, "My LEAVE")
	got := w.events()
	if len(got) != 1 || got[0].path != "/services/leave" || got[0].query != "fields=user,userParams" {
		t.Fatalf("want one call of the service, got %v", got)
	}
	if got[0].header.Get("X-Hub-Signature") != signBotBonnie("bot-1-secret", got[0].body) {
		t.Error("the call is not signed")
	}
	for _, want := range []string{
		`"bot_id":"bot-1"`, `"bot_raw_uid":"` + alice + `"`, `"bot_channel":1`, `"bot_isLinked":false`, `"rawId":"` + alice + `"`,
		`"userParams":{"input":"My LEAVE"}`,
	} {
		if !strings.Contains(string(got[0].body), want) {
			t.Errorf("the body does not say %s: %s", want, got[0].body)
		}
	}
	w.say("line-bot", alice, "hello?")
	if m := w.last("line-bot", alice); m.Text != "I know of leave." || len(w.events()) != 1 {
		t.Errorf("the bot has words of its own for the rest: %+v", m)
	}
}

func TestModulesOfTheLinkingKit(t *testing.T) {
	for _, tc := range []struct{ channel, user string }{{"line-bot", alice}, {"messenger-bot", carol}} {
		t.Run(tc.channel, func(t *testing.T) {
			w := newWorld(t)
			w.say(tc.channel, tc.user, "log in")
			address := w.press(tc.channel, tc.user, w.last(tc.channel, tc.user).Buttons[0])
			if !strings.Contains(address, "/authorize?userId="+tc.user) || param(t, address, "carry") == "" {
				t.Fatalf("Log in opens %s", address)
			}
			w.get(w.browser(tc.user), "/account/link?"+home(t, Login{URL: address}, goodNonce).Encode())
			if !w.state(tc.channel, tc.user).Linked {
				t.Fatal("not linked")
			}
			w.say(tc.channel, tc.user, "log out")
			w.press(tc.channel, tc.user, w.last(tc.channel, tc.user).Buttons[0])
			if got := w.state(tc.channel, tc.user); got.Linked || got.ExtID != "" {
				t.Errorf("BotBonnie still has %+v", got)
			}
		})
	}
}

// unlinkBody is a good call; each of the pairs replaces a part of it.
func unlinkBody(replace ...string) string {
	return strings.NewReplacer(replace...).Replace(`{"bot_id":"bot-1","bot_raw_uid":"` + alice + `","bot_pid":"507oftxz","bot_channel":1,"actions":[]}`)
}

func TestBotBonnieRefusesAnUnlinking(t *testing.T) {
	action := func(inner string) string { return unlinkBody(`[]`, `[`+inner+`]`) }
	for _, tc := range []struct {
		reason, token, body string
		status              int
	}{
		{"as documented", "bot-1-token", unlinkBody(), 200},
		{"no bearer", "", unlinkBody(), 401},
		{"no bot's bearer", "x", unlinkBody(), 401},
		{"another bot's bearer", "bot-2-token", unlinkBody(), 403},
		{"bot_channel as a string", "bot-1-token", unlinkBody(`:1`, `:"1"`), 400},
		{"the other platform", "bot-1-token", unlinkBody(`:1`, `:0`), 404},
		{"another page", "bot-1-token", unlinkBody("507oftxz", "507oftxy"), 404},
		{"nobody", "bot-1-token", unlinkBody(alice, "U0"), 404},
		{"no user", "bot-1-token", unlinkBody(`"bot_raw_uid":"`+alice+`",`, ""), 400},
		{"a user id as a number", "bot-1-token", unlinkBody(`"`+alice+`"`, "7"), 400},
		{"a field of no meaning", "bot-1-token", unlinkBody(`"bot_pid"`, `"bot_uid":"x","bot_pid"`), 400},
		{"no JSON", "bot-1-token", "bot_id=bot-1", 400},
		{"an action of no type", "bot-1-token", action(`{"value":"x"}`), 400},
		{"an action of no meaning", "bot-1-token", action(`{"type":"sendMail"}`), 400},
		{"a tag that is not there", "bot-1-token", action(`{"type":"addTag","value":"tag-none"}`), 400},
		{"a tag with a name", "bot-1-token", action(`{"type":"addTag","value":"` + leaverTag + `","name":"x"}`), 400},
		{"a parameter without a value", "bot-1-token", action(`{"type":"saveParams","name":"age"}`), 400},
		{"a parameter with a number", "bot-1-token", action(`{"type":"saveParams","name":"age","value":18}`), 400},
		{"one bad action among good ones", "bot-1-token", action(`{"type":"notifyAgent"},{"type":"removeTag","value":"x"}`), 400},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			status, said, _ := w.post(http.MethodPost, "/v1/api/accountLink/unlink", tc.token, tc.body)
			if status != tc.status || (status != http.StatusOK) != strings.Contains(said, `"errorCode"`) {
				t.Errorf("%d %s, want %d", status, said, tc.status)
			}
			if got := w.state("line-bot", alice); len(got.Notices) > 0 {
				t.Errorf("a call that is refused does nothing: %+v", got)
			}
		})
	}
}

func TestBotBonnieUnlinksAndActs(t *testing.T) {
	for _, echo := range []bool{false, true} {
		w := newWorld(t)
		w.control(http.MethodPut, "channels/line-bot/switches", Switches{EchoUnlink: echo}, nil)
		w.get(w.browser(alice), "/account/link?"+home(t, w.tap("line-bot", alice), goodNonce).Encode())
		before := len(w.events())
		status, said, _ := w.post(http.MethodPost, "/v1/api/accountLink/unlink", "bot-1-token", unlinkBody(`[]`, `[`+
			`{"type":"saveParams","name":"age","value":"18"},{"type":"addTag","value":"`+leaverTag+`"},{"type":"notifyAgent","message":"用戶已解除綁定"}]`))
		if status != http.StatusOK || strings.TrimSpace(said) != `{"res":"ok","status":200}` {
			t.Fatalf("%d %s", status, said)
		}
		got := w.state("line-bot", alice)
		if got.Linked || got.ExtID != "" || got.Params["age"] != "18" || len(got.Tags) != 1 || len(got.Notices) != 1 || got.Notices[0] != "用戶已解除綁定" {
			t.Errorf("BotBonnie has %+v", got)
		}
		if told := len(w.events()) - before; (told == 1) != echo {
			t.Errorf("echo %v: the server was told %d times", echo, told)
		}
		w.post(http.MethodPost, "/v1/api/accountLink/unlink", "bot-1-token", unlinkBody(`[]`, `[{"type":"removeTag","value":"`+leaverTag+`"}]`))
		if got := w.state("line-bot", alice); len(got.Tags) != 0 {
			t.Errorf("the tag is still there: %+v", got)
		}
	}
}

func TestFaultsOfAnUnlinking(t *testing.T) {
	for _, tc := range []struct {
		reason string
		fault  Fault
		status int
		says   string
		header string
		done   bool
	}{
		{"too many calls", Fault{Status: 429, RetryAfter: 7}, 429, "", "7", false},
		{"an error in a 200", Fault{Body: `{"errorCode":500,"errorMessage":"x"}`}, 200, `"errorCode":500`, "", false},
		{"done, and nobody is told", Fault{Status: 500, Done: true}, 500, "", "", true},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			tc.fault.Path = "/v1/api/accountLink"
			w.control(http.MethodPost, "faults", tc.fault, nil)
			body := unlinkBody(`[]`, `[{"type":"notifyAgent"}]`)
			status, said, header := w.post(http.MethodPost, "/v1/api/accountLink/unlink", "bot-1-token", body)
			if status != tc.status || !strings.Contains(said, tc.says) || header.Get("Retry-After") != tc.header {
				t.Errorf("%d %s %v", status, said, header)
			}
			if done := len(w.state("line-bot", alice).Notices) == 1; done != tc.done {
				t.Errorf("done is %v", done)
			}
		})
	}
}

func TestRenewedCredentials(t *testing.T) {
	w := newWorld(t)
	w.control(http.MethodPut, "channels/line-bot/credentials", Credentials{APIToken: "new", AccessToken: "newer"}, nil)
	for token, want := range map[string]int{"bot-1-token": 401, "new": 200} {
		if status, _, _ := w.post(http.MethodPost, "/v1/api/accountLink/unlink", token, unlinkBody()); status != want {
			t.Errorf("%s: %d, want %d", token, status, want)
		}
	}
	for token, want := range map[string]int{"line-token-2": 401, "newer": 200} {
		if status, _ := w.api(http.MethodGet, "/v2/bot/profile/"+alice, token); status != want {
			t.Errorf("%s: %d, want %d", token, status, want)
		}
	}
}

func TestAChannelCanBeOpened(t *testing.T) {
	w := newWorld(t)
	c := Channel{Kind: Messenger, PageID: "99", Secret: "s", AccessToken: "t99", Server: "http://127.0.0.1:1", Users: []User{{ID: "1"}}}
	w.control(http.MethodPut, "channels/more", c, nil)
	if got := w.state("more", "1"); got.ID != "1" {
		t.Errorf("the channel's user is %+v", got)
	}
	w.control(http.MethodPut, "channels/more", c, nil) // anew
	if status, said := w.api(http.MethodGet, "/sim/channels/more/users", ""); status != http.StatusOK || strings.Count(said, `"id"`) != 1 {
		t.Errorf("%d %s", status, said)
	}
}
