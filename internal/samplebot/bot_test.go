package samplebot

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/internal/chatsim"
)

const (
	amy   = "U00000000000000000000000000000a11"
	carol = "1000000000000001"
)

// world is the bot with the simulator's platforms before it, and beside it what stands for server and leave service.
type world struct {
	t      *testing.T
	bot    *Bot
	front  *httptest.Server // the bot's webhooks
	chat   *httptest.Server
	linked atomic.Bool // what the leave service believes
	down   atomic.Bool
	status atomic.Int32 // of the last webhook
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	server := httptest.NewServer(http.HandlerFunc(w.server))
	t.Cleanup(server.Close)
	simulator := httptest.NewUnstartedServer(nil)
	w.chat = simulator
	at := "http://" + simulator.Listener.Addr().String()
	channel := func(name string, kind chatsim.Kind, user string) chatsim.Channel {
		return chatsim.Channel{
			Name: name, Kind: kind, PageID: name, BotUserID: "Ubot", Secret: name + "-secret", AccessToken: name + "-token",
			RequireProof: true, Server: server.URL + "/" + name, Users: []chatsim.User{{ID: user, Name: "Somebody"}},
		}
	}
	playing, err := chatsim.New(chatsim.Config{
		URL: at, Channels: []chatsim.Channel{channel("line", chatsim.LINE, amy), channel("messenger", chatsim.Messenger, carol)},
	}, chatsim.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	simulator.Config.Handler = playing
	simulator.Start()
	t.Cleanup(simulator.Close)

	own := func(name, platform, api string) Channel {
		return Channel{name, platform, name + "-secret", name + "-token", at + api, server.URL + "/" + name, "bot-token"}
	}
	w.bot, err = New(Config{
		Channels: []Channel{own("line", onLINE, ""), own("messenger", onMessenger, "/v25.0")},
		Leave:    Leave{server.URL + "/leave", "hr-key"},
	}, Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); w.bot.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	w.front = httptest.NewServer(w.bot.Handler())
	t.Cleanup(w.front.Close)
	return w
}

// server forwards webhooks, makes prompts, and is the leave service.
func (w *world) server(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case rest == "webhook":
		req, _ := http.NewRequestWithContext(r.Context(), http.MethodPost, w.front.URL+"/"+name, bytes.NewReader(body))
		req.Header = r.Header.Clone()
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			w.t.Error(err)
			return
		}
		_ = resp.Body.Close()
		w.status.Store(int32(resp.StatusCode))
		rw.WriteHeader(resp.StatusCode)
	case name == "leave":
		var pair struct{ Channel, Code, UserID string }
		_ = json.Unmarshal(bytes.ReplaceAll(body, []byte("user_id"), []byte("UserID")), &pair)
		switch {
		case w.down.Load():
			rw.WriteHeader(http.StatusBadGateway)
		case r.Header.Get("Authorization") != "Bearer hr-key" || !w.linked.Load() || pair.Code != "0123456789":
			rw.WriteHeader(http.StatusForbidden)
		default:
			_, _ = io.WriteString(rw, `{"account":"jo","text":"12 days for `+pair.Channel+`"}`)
		}
	case strings.HasSuffix(rest, "/prompts") && r.Header.Get("Authorization") == "Bearer bot-token":
		w.prompt(rw, name, string(body))
	default:
		w.t.Errorf("nobody serves %s", r.URL.Path)
	}
}

func (w *world) prompt(rw http.ResponseWriter, channel, body string) {
	kind := "login"
	if strings.Contains(body, "logout") {
		kind = "logout"
	}
	if channel == "line" {
		action := `{"type":"uri","label":"login","uri":"https://hr.example/authorize"}`
		if kind == "logout" {
			action = `{"type":"postback","label":"logout","data":"` + logoutPostback + `"}`
		}
		_, _ = io.WriteString(rw, `{"sent":false,"message":{"type":"template","altText":"x","template":{"type":"buttons","text":"`+kind+
			`","actions":[`+action+`]}}}`)
		return
	}
	if !strings.Contains(body, `"send":true`) {
		w.t.Errorf("on Messenger the server sends; asked for %s", body)
	}
	_, _ = io.WriteString(rw, `{"sent":true,"message":{}}`)
}

// control calls the simulator.
func (w *world) control(method, path, body string, into any) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.chat.URL+"/sim/"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		w.t.Fatalf("%s %s: %d %s %v", method, path, resp.StatusCode, answer, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			w.t.Fatal(err)
		}
	}
}

// hears waits for the bot's next message after the n-th of the chat.
func (w *world) hears(path string, n int) chatsim.Message {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var all []chatsim.Message
		w.control(http.MethodGet, path+"/messages", "", &all)
		for _, m := range all {
			if m.ID > n && m.By == chatsim.ByBot {
				return m
			}
		}
		select {
		case <-ctx.Done():
			w.t.Fatalf("the bot says nothing; the chat is %+v", all)
		case <-tick.C:
		}
	}
}

// says has the user say something and returns the bot's answer.
func (w *world) says(path, text string) chatsim.Message {
	w.t.Helper()
	var all []chatsim.Message
	w.control(http.MethodPost, path+"/messages", `{"text":"`+text+`"}`, &all)
	for _, m := range all {
		if m.By == chatsim.ByUser && m.Text == text {
			return w.hears(path, m.ID)
		}
	}
	w.t.Fatalf("%q is not in the chat", text)
	return chatsim.Message{}
}

func TestOnLINE(t *testing.T) {
	w := newWorld(t)
	const path = "channels/line/users/" + amy
	if m := w.says(path, "hello"); m.Text != greeting {
		t.Errorf("greeted with %+v", m)
	}
	prompt := w.says(path, "My leave, please")
	if len(prompt.Cards) != 1 || prompt.Cards[0].Buttons[0].Label != "login" {
		t.Fatalf("who is not linked is asked to log in, got %+v", prompt)
	}
	w.link(path, amy)
	if m := w.hears(path, prompt.ID); m.Text != welcome {
		t.Errorf("linked, the bot says %+v", m)
	}
	w.linked.Store(true)
	if m := w.says(path, "leave balance"); m.Text != "12 days for line" {
		t.Errorf("linked, the answer is %+v", m)
	}
	w.down.Store(true)
	if m := w.says(path, "leave balance again"); m.Text != cannotNow {
		t.Errorf("the leave service is down, the answer is %+v", m)
	}
	w.down.Store(false)
	m := w.says(path, "log out")
	var none struct{}
	w.control(http.MethodPost, path+"/press", button(m.Cards[0].Buttons[0]), &none)
	if m := w.hears(path, m.ID); m.Text != goodbye {
		t.Errorf("logged out, the bot says %+v", m)
	}
	if m := w.says(path, "and my leave?"); len(m.Cards) != 1 {
		t.Errorf("logged out, the answer is %+v", m)
	}
}

// link ends a login at LINE as the user.
func (w *world) link(path, user string) {
	w.t.Helper()
	var login chatsim.Login
	w.control(http.MethodPost, path+"/login", "", &login)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet,
		w.chat.URL+"/dialog/bot/accountLink?nonce=0123456789&linkToken="+login.Token, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.AddCookie(&http.Cookie{Name: "chatsim-line-user", Value: user})
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func button(b chatsim.Button) string {
	raw, _ := json.Marshal(chatsim.Press{Button: b.ID})
	return string(raw)
}

func TestOnMessenger(t *testing.T) {
	w := newWorld(t)
	const path = "channels/messenger/users/" + carol
	w.control(http.MethodPost, path+"/messages", `{"text":"leave"}`, nil) // the server sends the prompt, which here sends nothing
	var login chatsim.Login
	w.control(http.MethodPost, path+"/login", "", &login)
	resp, err := http.Get(w.chat.URL + "/messenger_platform/account_linking/?authorization_code=0123456789&account_linking_token=" + login.Token)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if m := w.hears(path, 0); m.Text != welcome {
		t.Errorf("linked, the bot says %+v", m)
	}
	w.linked.Store(true)
	if m := w.says(path, "solde de congés ?"); m.Text != "12 days for messenger" {
		t.Errorf("linked, the answer is %+v", m)
	}
	w.control(http.MethodPost, path+"/logout", "", nil)
	var all []chatsim.Message
	w.control(http.MethodGet, path+"/messages", "", &all)
	if m := w.hears(path, all[len(all)-1].ID-1); m.Text != goodbye {
		t.Errorf("logged out, the bot says %+v", m)
	}
}

func TestSignaturesAreLookedAt(t *testing.T) {
	w := newWorld(t)
	for name, header := range map[string][2]string{
		"line without":      {"", ""},
		"line wrong":        {"X-Line-Signature", "t7Hn4ZDHqs6e+wdvI5TyQIvzie0DmMUmuXEBqyyE/tM="},
		"messenger without": {"", ""},
		"messenger by SHA1": {"X-Hub-Signature", "sha1=0d814d436b45c33ef664a317ff4b8dc2d3d8fe2a"},
		"messenger wrong":   {"X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
	} {
		channel, _, _ := strings.Cut(name, " ")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.front.URL+"/"+channel, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if header[0] != "" {
			req.Header.Set(header[0], header[1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
}

func TestEventsComeOnce(t *testing.T) {
	w := newWorld(t)
	w.control(http.MethodPut, "channels/line/switches", `{"duplicates":2}`, nil)
	const path = "channels/line/users/" + amy
	first := w.says(path, "hello")
	w.control(http.MethodPut, "channels/line/switches", `{}`, nil)
	if second := w.says(path, "hello again"); second.ID != first.ID+2 {
		t.Errorf("an event that came three times was answered more than once: messages %d and %d", first.ID, second.ID)
	}
}

func TestConfigRefuses(t *testing.T) {
	good := `{"leave":{"url":"http://hr","key":"k"},"channels":[{"name":"a","platform":"line","secret":"s","accessToken":"t","api":"http://l",` +
		`"server":"http://s","serverToken":"x"}]}`
	for reason, replace := range map[string][2]string{
		"nothing":          {"", ""},
		"no such platform": {`"line"`, `"wechat"`},
		"no secret":        {`"s"`, `""`},
		"no leave service": {`"k"`, `""`},
		"unknown field":    {`"api"`, `"apis":"","api"`},
	} {
		c, err := ReadConfig(strings.NewReader(strings.Replace(good, replace[0], replace[1], 1)))
		if err == nil {
			_, err = New(c, Options{Log: slog.New(slog.DiscardHandler)})
		}
		if (err == nil) != (reason == "nothing") {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
