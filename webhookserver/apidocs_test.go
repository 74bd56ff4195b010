package webhookserver_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/line/linetest"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger/messengertest"
)

// The chat users of docs/api.md.
const (
	docsLinked   = lineUser
	docsUnlinked = "U4af4980629c0f7d11bc6a5d8e0c8f3b2"
)

// Every command of docs/api.md is run, in its order, and gets the answer that stands there.
func TestAPIDocs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	line, meta := linetest.New(t, docsLinked, docsUnlinked), messengertest.New(t, psid)
	var lineDir, metaDir string
	called := func(_ *world, s *config.Settings) { s.Channels[0].DisplayName = "Vision HR" }
	onLINE := newWorld(t, withBotAPI, atLINE(line), keepStore(&lineDir), called)
	onMeta := newWorld(t, onFacebook, withBotAPI, atMeta(meta), keepStore(&metaDir), called)
	onLINE.untilReady(t)
	onMeta.untilReady(t)
	linkedAt := time.Date(2026, 1, 31, 9, 30, 1, 123456000, time.UTC)
	for user, kept := range map[string]*links{
		docsLinked: openLinks(t, lineDir, "LINE", oaID), psid: openLinks(t, metaDir, "Facebook", pageID),
	} {
		stored, err := kept.Import(t.Context(), []link.Link{{
			Channel: kept.channel, UserID: user, Confirmed: true, CodeHash: link.HashCode(aliceCode),
			Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "00u1a2b3c4", Account: "j.dupont@vision.example"},
			LinkedAt: linkedAt, ConsentAt: linkedAt.Add(-6 * time.Second),
		}}, time.Now())
		if err != nil || stored != 1 {
			t.Fatal(stored, err)
		}
	}
	ran := 0
	for _, example := range examples(t, string(page)) {
		w := onLINE
		if strings.Contains(example.command, psid[:len(psid)-1]) {
			w = onMeta
		}
		example.run(t, w)
		ran++
	}
	if ran < 8 {
		t.Errorf("%d commands found, want all of them", ran)
	}
}

// Each cause of a problem stands in the table of docs/api.md and in the OpenAPI document, and none besides.
func TestAPIDocsNameEveryCause(t *testing.T) {
	source, err := os.ReadFile(filepath.Join("botapi", "problem.go"))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "api.md"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	named := func(pattern, text string) (names []string) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			names = append(names, m[1])
		}
		return names
	}
	want := named(`(?m)^\t\w+ +Cause = "(\w+)"`, string(source))
	if diff := cmp.Diff(want, named("(?m)^\\| `([A-Z]\\w+)` \\| [0-9]", string(page))); diff != "" {
		t.Errorf("docs/api.md (-in botapi +documented)\n%s", diff)
	}
	var documented []string
	for _, cause := range c.document.Components.Schemas["BotProblem"].Value.Properties["cause"].Value.Enum {
		documented = append(documented, fmt.Sprint(cause))
	}
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("docs/openapi.yaml (-in botapi +documented)\n%s", diff)
	}
}

// example is a command of a page and what it prints there.
type example struct{ command, prints string }

// examples are the console blocks that begin with curl.
func examples(t *testing.T, page string) (all []example) {
	t.Helper()
	for _, block := range regexp.MustCompile("(?ms)^```console\n\\$ (curl .*?)^```").FindAllStringSubmatch(page, -1) {
		lines := strings.SplitAfter(block[1], "\n")
		n := 1
		for strings.HasSuffix(lines[n-1], "\\\n") {
			n++
		}
		all = append(all, example{strings.Join(lines[:n], ""), strings.Join(lines[n:], "")})
	}
	return all
}

// run carries out what curl would, and compares what comes back. With -i a status line and some headers come first; without
// it the status must be 200.
func (e example) run(t *testing.T, w *world) {
	t.Helper()
	c := readCurl(t, e.command)
	a := do(t, c.method, w.Public+c.path, func(r *http.Request) {
		r.Host = visionHost
		r.Header = c.header
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.body)), int64(len(c.body))
	})
	want, body := http.StatusOK, e.prints
	if c.showHead {
		var head string
		head, body, _ = strings.Cut(e.prints, "\n\n")
		status, headers, _ := strings.Cut(strings.TrimSpace(head), "\n")
		if _, err := fmt.Sscanf(status, "HTTP/1.1 %d", &want); err != nil {
			t.Errorf("%s\nprints %q, want a status line", e.command, status)
		}
		for header := range strings.Lines(headers) {
			name, value, _ := strings.Cut(strings.TrimSpace(header), ": ")
			if a.Header.Get(name) != value {
				t.Errorf("%s\n%s: %q", e.command, name, a.Header.Get(name))
			}
		}
	}
	if a.Code != want {
		t.Errorf("%s\n%d %s", e.command, a.Code, a.Body)
	}
	if diff := cmp.Diff(parsed(t, body), parsed(t, a.Body)); diff != "" {
		t.Errorf("%s\n(-documented +got)\n%s", e.command, diff)
	}
}

// changing is what differs from call to call: a link token, and when it ends.
var changing = regexp.MustCompile(`linkToken=\w+|"expiresAt": ?"[^"]+"`)

func parsed(t *testing.T, body string) (value any) {
	t.Helper()
	body = changing.ReplaceAllStringFunc(body, func(s string) string {
		if strings.HasPrefix(s, "linkToken") {
			return "linkToken=TOKEN"
		}
		return `"expiresAt":"SOON"`
	})
	if strings.TrimSpace(body) == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(body), &value); err != nil {
		t.Errorf("%q: %v", body, err)
	}
	return value
}

// curl is a command line of curl, as far as the pages use it.
type curl struct {
	method, path, body string
	header             http.Header
	showHead           bool
}

func readCurl(t *testing.T, command string) curl {
	t.Helper()
	c := curl{header: http.Header{}}
	var form []string
	words := shellWords(t, command)
	for i := 1; i < len(words); i++ {
		value := func() string {
			if i++; i == len(words) {
				t.Fatalf("%s\nends too early", command)
			}
			return words[i]
		}
		switch word := words[i]; word {
		case "-sSi":
			c.showHead = true
		case "-sS":
		case "-X":
			c.method = value()
		case "-H":
			name, content, ok := strings.Cut(value(), ": ")
			if !ok {
				t.Errorf("%s\nhas a header without a value", command)
			}
			c.header.Set(name, content)
		case "-d":
			form = append(form, value())
		default:
			u, err := url.Parse(word)
			if err != nil || u.Scheme+"://"+u.Host != "https://"+visionHost || c.path != "" {
				t.Fatalf("%s\nhas %q, which curl knows and this test does not", command, word)
			}
			c.path = u.RequestURI()
		}
	}
	if c.method == "" {
		c.method = http.MethodGet
		if len(form) > 0 {
			c.method = http.MethodPost
		}
	}
	if c.body = strings.Join(form, "&"); c.body != "" && c.header.Get("Content-Type") == "" {
		c.header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return c
}

// shellWords takes a command line apart as a shell does: quotes, variables, lines that go on.
func shellWords(t *testing.T, command string) []string {
	t.Helper()
	variables := map[string]string{
		"$CHANNEL": "https://" + visionHost + "/hr", "$BOT_TOKEN": botToken, "$SERVICE_TOKEN": introspectionToken,
	}
	var words []string
	for _, word := range regexp.MustCompile(`'[^']*'|"[^"]*"|[^\s'"\\]+`).FindAllString(command, -1) {
		if content, ok := strings.CutPrefix(word, "'"); ok {
			words = append(words, strings.TrimSuffix(content, "'"))
			continue
		}
		word = regexp.MustCompile(`\$\w+`).ReplaceAllStringFunc(strings.Trim(word, `"`), func(name string) string {
			value, ok := variables[name]
			if !ok {
				t.Errorf("%s\nuses %s, which the page does not explain", command, name)
			}
			return value
		})
		words = append(words, word)
	}
	return words
}
