package chatsim

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clusterOf is a Kubernetes that holds what a test puts into it.
type clusterOf struct{ Resource }

func (c *clusterOf) ChannelLink(_ context.Context, namespace, name string) (Resource, error) {
	if namespace != c.Namespace || name != c.Name {
		return Resource{}, errors.New("no such ChannelLink")
	}
	return c.Resource, nil
}

// view asks for what the page shows.
func (w *world) view(channel, user string) View {
	w.t.Helper()
	var v View
	status, body := w.get(w.browser(""), "/sim/view?"+url.Values{"channel": {channel}, "user": {user}}.Encode())
	if err := json.Unmarshal([]byte(body), &v); err != nil || status != http.StatusOK {
		w.t.Fatalf("%d %s: %v", status, body, err)
	}
	return v
}

func (v View) done() int {
	n := 0
	for _, step := range v.Steps {
		if step.Done {
			n++
		}
	}
	return n
}

// A person plays the whole story, and the page says at each step how far it is.
func TestThePagePlaysTheStory(t *testing.T) {
	w := newWorld(t)
	kube := &clusterOf{Resource{Namespace: "vision", Name: "hr"}}
	w.resources = kube
	w.channels[1].Resource = "vision/hr"
	browser := w.browser("")
	browser.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	says := func(text string) {
		t.Helper()
		w.control(http.MethodPost, "channels/line-bot/users/"+alice+"/messages", Said{text}, nil)
	}

	if v := w.view("line-bot", alice); v.done() != 0 || !v.BotBonnie || v.App != "LINE" {
		t.Fatalf("before anything the page shows %+v", v)
	}
	says("log in")
	v := w.view("line-bot", alice)
	button := v.Messages[len(v.Messages)-1].Buttons[0]
	if v.done() != 1 || button.Action != OpenURL {
		t.Fatalf("asked, the page shows %+v", v)
	}

	resp, err := browser.PostForm(w.url+"/sim/open", url.Values{
		"channel": {"line-bot"}, "user": {alice}, "button": {"1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.read(resp)
	location := resp.Header.Get("Location")
	if resp.StatusCode != http.StatusSeeOther || !strings.Contains(location, "/authorize?") {
		t.Fatalf("a tap leads to %d %s", resp.StatusCode, location)
	}
	_, end := w.get(browser, accountLink(param(t, location, "linkToken"), goodNonce))
	if back := `href="/?channel=line-bot&amp;user=` + alice; !strings.Contains(end, back) {
		t.Errorf("the browser should be the tapping user's, and lead back to the chat: %s", end)
	}
	if v := w.view("line-bot", alice); v.done() != 2 || !v.User.Linked || strings.Contains(v.User.CRMID, goodNonce) {
		t.Fatalf("linked, the page shows %+v", v)
	}

	says("my leave?")
	v = w.view("line-bot", alice)
	if v.done() != 3 {
		t.Fatalf("answered, the page shows %+v", v.Steps)
	}
	kube.Unlinks = []Unlink{
		{Name: "theirs", Created: time.Now(), Complete: true, userID: bob},
		{Name: "old", Created: time.Now().Add(-time.Hour), Complete: true, userID: alice},
		{Name: "new", Created: time.Now(), userID: alice},
	}
	if v := w.view("line-bot", alice); v.done() != 3 || len(v.Resource.Unlinks) != 2 || v.Resource.Unlinks[0].Name != "new" {
		t.Errorf("with an unlinking under way the page shows %+v", v.Resource)
	}
	kube.Unlinks[2].Complete = true
	if v := w.view("line-bot", alice); v.done() != 4 {
		t.Errorf("unlinked, the page shows %+v", v.Steps)
	}
}

// What the page gives to paste names the user, the ChannelLink, and what BotBonnie is to do; who links again gets another name.
func TestThePagesCommands(t *testing.T) {
	w := newWorld(t)
	w.config.Shell = "export KUBECONFIG=x"
	w.resources = &clusterOf{Resource{Namespace: "vision", Name: "hr"}}
	for _, c := range w.channels {
		c.Resource = "vision/hr"
	}
	commands := w.view("line-bot", alice).Commands
	for _, want := range []string{
		"export KUBECONFIG=x\nkubectl apply -f - <<'END'\n", "namespace: vision}", "channelLinkRef: {name: hr}", `userID: "` + alice + `"`,
		"addTag, value: " + leaverTag, "notifyAgent", "\nEND\nkubectl -n vision wait --for=condition=Complete accountunlink/leaver-",
	} {
		if !strings.Contains(commands, want) {
			t.Errorf("the commands do not say %q:\n%s", want, commands)
		}
	}
	if direct := w.view("line", alice).Commands; strings.Contains(direct, "actions") {
		t.Errorf("without BotBonnie nobody carries actions out:\n%s", direct)
	}
	w.channels[1].users[0].code = "another"
	if w.view("line-bot", alice).Commands == commands {
		t.Error("an AccountUnlink is one request: another linking needs another object")
	}
}

func TestThePageSaysWhyItShowsNoResource(t *testing.T) {
	w := newWorld(t)
	w.resources = &clusterOf{}
	w.channels[0].Resource = "vision/hr"
	if v := w.view("line", alice); v.Resource == nil || v.Resource.Problem == "" {
		t.Errorf("%+v", v.Resource)
	}
}

// The stream tells of what is new without being asked.
func TestTheStreamTells(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/sim/stream?channel=messenger-bot", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	events := bufio.NewScanner(resp.Body)
	next := func() View {
		t.Helper()
		for events.Scan() {
			if data, ok := strings.CutPrefix(events.Text(), "data: "); ok {
				var v View
				if err := json.Unmarshal([]byte(data), &v); err != nil {
					t.Fatal(err)
				}
				return v
			}
		}
		t.Fatalf("the stream ended: %v", events.Err())
		return View{}
	}
	if v := next(); v.User.ID != carol || len(v.Messages) != 0 {
		t.Fatalf("at first it says %+v", v)
	}
	w.control(http.MethodPost, "channels/messenger-bot/users/"+carol+"/messages", Said{"my leave"}, nil)
	for v := next(); len(v.Messages) < 2; v = next() {
		continue
	}
}

// Who asks whom is on the record, and each page shows its own user's requests.
func TestTheWireNamesBothSides(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{carol, dan} {
		w.control(http.MethodPost, "channels/messenger-bot/users/"+id+"/messages", Said{"my leave"}, nil)
	}
	wire := w.view("messenger-bot", carol).Wire
	if len(wire) != 1 {
		t.Fatalf("want one request, got %+v", wire)
	}
	got := wire[0]
	want := Request{From: "BotBonnie", To: "server", User: carol, Signed: "X-Hub-Signature", Status: http.StatusOK}
	if diff := cmp.Diff(want, Request{From: got.From, To: got.To, User: got.User, Signed: got.Signed, Status: got.Status}); diff != "" {
		t.Error(diff)
	}
	for _, tc := range []struct{ path, agent, from, to string }{
		{"/account/link", "Mozilla", "browser", "BotBonnie"},
		{"/dialog/bot/accountLink", "Mozilla", "browser", "LINE"},
		{"/messenger_platform/account_linking/", "Mozilla", "browser", "Messenger"},
		{"/v1/api/bot/customers", "Go-http-client/1.1", "server", "BotBonnie"},
		{"/v2/bot/message/reply", "samplebot", "samplebot", "LINE"},
		{"/v25.0/me/messages", "Go-http-client/1.1", "server", "Messenger"},
		{"/elsewhere", "", "", ""},
	} {
		r := &http.Request{URL: &url.URL{Path: tc.path}, Header: http.Header{"User-Agent": {tc.agent}}}
		if from, to := parties(r); from != tc.from || to != tc.to {
			t.Errorf("%s: %q asks %q, want %q and %q", tc.path, from, to, tc.from, tc.to)
		}
	}
}

// The page takes everything from its own origin, runs no script in its text, and every file that it names is there.
func TestThePageIsWhole(t *testing.T) {
	w := newWorld(t)
	resp, err := http.Get(w.url + "/?channel=messenger")
	if err != nil {
		t.Fatal(err)
	}
	_, text := w.read(resp)
	if policy := resp.Header.Get("Content-Security-Policy"); policy != pagePolicy {
		t.Errorf("Content-Security-Policy: %q", policy)
	}
	for _, found := range regexp.MustCompile(`(?:src|href)="(/sim/[^"]+)"`).FindAllStringSubmatch(text, -1) {
		if status, _ := w.get(w.browser(""), found[1]); status != http.StatusOK {
			t.Errorf("%s: %d", found[1], status)
		}
	}
	if !strings.Contains(text, `aria-current="page"><strong>Messenger</strong> <span>directly`) {
		t.Error("the tab of this chat should be the current one")
	}
	files, err := fs.Glob(web, "web/*.js")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		script, err := web.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, unsafe := range []string{"innerHTML", "insertAdjacentHTML", "document.write", "eval("} {
			if strings.Contains(string(script), unsafe) {
				t.Errorf("%s uses %s: what a bot says would be markup", file, unsafe)
			}
		}
	}
	if status, _ := w.get(w.browser(""), "/?channel=none"); status != http.StatusBadRequest {
		t.Errorf("a chat that is not there: %d", status)
	}
}
