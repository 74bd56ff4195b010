package chatsim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	alice = "U00000000000000000000000000000a11"
	bob   = "U00000000000000000000000000000b0b"
	carol = "1000000000000001"
	dan   = "1000000000000002"

	leaverTag = "tag-4VW8DDgwu"
)

// world is a simulator with a server beside it that takes whatever it is sent.
type world struct {
	t *testing.T
	*Simulator
	url string

	mu       sync.Mutex
	got      []delivered
	answer   int
	answered string
}

// delivered is a request that the server was sent.
type delivered struct {
	path   string
	query  string
	header http.Header
	body   []byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, answer: http.StatusOK, answered: `{"type":"text","text":"hello"}`}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.got = append(w.got, delivered{r.URL.Path, r.URL.RawQuery, r.Header, body})
		if r.Method == http.MethodGet && r.FormValue("hub.verify_token") == "vt" {
			_, _ = io.WriteString(rw, r.FormValue("hub.challenge"))
			return
		}
		rw.WriteHeader(w.answer)
		_, _ = io.WriteString(rw, w.answered)
	}))
	t.Cleanup(server.Close)
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.ServeHTTP(rw, r) }))
	t.Cleanup(front.Close)
	w.url = front.URL
	bot := func(id string) *BotBonnie {
		return &BotBonnie{BotID: id, APIToken: id + "-token", APISecret: id + "-secret", Tags: []string{leaverTag}, Modules: []Module{
			{ID: "module-start", Kind: StartLinking, Keywords: []string{"log in"}, Text: "Please log in.", Button: "Log in"},
			{ID: "module-stop", Kind: StopLinking, Keywords: []string{"log out"}, Text: "Log out?", Button: "Log out"},
			{ID: "module-leave", Kind: JSONAPI, Keywords: []string{"leave"}, Path: "/services/leave?fields=user,userParams"},
			{ID: "module-else", Kind: Words, Text: "I know of leave."},
		}}
	}
	line := Channel{
		Name: "line", Kind: LINE, PageID: "507oftxz", BotUserID: "Ubot", Secret: "line-secret", AccessToken: "line-token",
		Server: server.URL, Users: []User{{ID: alice, Name: "Alice"}, {ID: bob, Name: "Bob", Hidden: true}},
	}
	meta := Channel{
		Name: "messenger", Kind: Messenger, PageID: "4711", Secret: "app-secret", AccessToken: "page-token", VerifyToken: "vt",
		Server: server.URL, Users: []User{{ID: carol, Name: "Carol Jones"}, {ID: dan, Hidden: true}},
	}
	lineBot, metaBot := line, meta
	lineBot.Name, lineBot.AccessToken, lineBot.BotBonnie = "line-bot", "line-token-2", bot("bot-1")
	metaBot.Name, metaBot.AccessToken, metaBot.BotBonnie = "messenger-bot", "page-token-2", bot("bot-2")
	simulator, err := New(Config{
		URL: front.URL, RecordBodies: true, Channels: []Channel{line, lineBot, meta, metaBot},
	}, Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.Simulator = simulator
	return w
}

// browser is somebody's browser, which is signed in at LINE as user unless that is empty.
func (w *world) browser(user string) *http.Client {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	if user != "" {
		if status, _ := w.get(c, "/sim/browser?user="+user); status != http.StatusOK {
			w.t.Fatalf("cannot sign in: %d", status)
		}
	}
	return c
}

// get opens a path or URL.
func (w *world) get(c *http.Client, address string) (int, string) {
	w.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = w.url + address
	}
	resp, err := c.Get(address)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(resp)
}

func (w *world) read(resp *http.Response) (int, string) {
	w.t.Helper()
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// api calls one of the platforms' APIs.
func (w *world) api(method, path, token string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(resp)
}

// post calls one of the platforms' APIs with a body, and with pairs of a header's name and value.
func (w *world) post(method, path, token, body string, headers ...string) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	status, said := w.read(resp)
	return status, said, resp.Header
}

// chat is what stands in the user's chat.
func (w *world) chat(channel, user string) []Message {
	w.t.Helper()
	var all []Message
	w.control(http.MethodGet, "channels/"+channel+"/users/"+user+"/messages", nil, &all)
	return all
}

// last is the newest message of the user's chat.
func (w *world) last(channel, user string) Message {
	w.t.Helper()
	all := w.chat(channel, user)
	if len(all) == 0 {
		w.t.Fatal("the chat is empty")
	}
	return all[len(all)-1]
}

// say has the user say something.
func (w *world) say(channel, user, text string) {
	w.t.Helper()
	w.control(http.MethodPost, "channels/"+channel+"/users/"+user+"/messages", Said{text}, nil)
}

// press taps a button, and returns what that opens.
func (w *world) press(channel, user string, b Button) string {
	w.t.Helper()
	var p Pressed
	w.control(http.MethodPost, "channels/"+channel+"/users/"+user+"/press", Press{b.ID}, &p)
	return p.Open
}

// control calls the control API and reads the answer into out.
func (w *world) control(method, path string, in, out any) {
	w.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/sim/"+path, bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	status, said := w.read(resp)
	if status > 299 {
		w.t.Fatalf("%s %s: %d %s", method, path, status, said)
	}
	if out != nil && said != "" {
		if err := json.Unmarshal([]byte(said), out); err != nil {
			w.t.Fatalf("%s %s: %v in %s", method, path, err, said)
		}
	}
}

func (w *world) tap(channel, user string) Login {
	w.t.Helper()
	var l Login
	w.control(http.MethodPost, "channels/"+channel+"/users/"+user+"/login", nil, &l)
	return l
}

func (w *world) state(channel, user string) UserState {
	w.t.Helper()
	var s UserState
	w.control(http.MethodGet, "channels/"+channel+"/users/"+user, nil, &s)
	return s
}

func (w *world) forward(by time.Duration) {
	w.t.Helper()
	w.control(http.MethodPut, "clock", map[string]int{"offsetSeconds": int(by / time.Second)}, nil)
}

func (w *world) events() []delivered {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]delivered(nil), w.got...)
}

// param is a parameter of a login URL.
func param(t *testing.T, raw, name string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}
