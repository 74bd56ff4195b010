package webhookserver_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
)

// line is a line of the log.
type line map[string]any

// lines are those of the log so far, each a JSON object, and only those of the audit stream if audit is set.
func (w *world) lines(t *testing.T, audit bool) (lines []line) {
	t.Helper()
	for text := range strings.Lines(w.logs.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("not JSON: %q: %v", text, err)
		}
		if !audit || l["logger"] == "audit" {
			lines = append(lines, l)
		}
	}
	return lines
}

// Every line about a request has the id that its answer has, and the id that a proxy gave, if that is one.
func TestRequestIDs(t *testing.T) {
	const (
		uuid  = "7f9c2ba4-e88f-4d27-a6c1-3f2b9e8d5a10"
		nginx = "4bf92f3577b34da6a3ce929d0e0e4736"
	)
	w := newWorld(t)
	w.untilReady(t)
	for _, c := range []struct {
		reason string
		given  []string
		want   any
	}{
		{"none", nil, nil},
		{"Envoy's", []string{uuid}, uuid},
		{"nginx's", []string{nginx}, nginx},
		{"two", []string{uuid, nginx}, nil},
		{"a user's id", []string{lineUser}, nil},
		{"a number that may be a PSID", []string{psid}, nil},
		{"what forges a line", []string{`x","msg":"linked`}, nil},
		{"a long one", []string{strings.Repeat("a", 33)}, nil},
		{"upper case, which nobody makes", []string{strings.ToUpper(nginx)}, nil},
		{"empty", []string{""}, nil},
	} {
		a := do(t, http.MethodGet, w.Public+"/hr/", func(r *http.Request) {
			r.Host = visionHost
			r.Header["X-Request-Id"] = c.given
		})
		ours := a.Header.Values("X-Request-Id")
		if len(ours) != 1 || len(ours[0]) != 26 || ours[0] == uuid {
			t.Fatalf("%s: answered with the id %q", c.reason, ours)
		}
		var got []any
		for _, l := range w.lines(t, false) {
			if l["request"] == ours[0] {
				got = append(got, l["msg"], l["proxyRequest"])
			}
		}
		if diff := cmp.Diff([]any{"request", c.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.reason, diff)
		}
	}
	for _, l := range w.lines(t, false) {
		for _, field := range []string{"time", "level", "msg"} {
			if _, ok := l[field]; !ok {
				t.Errorf("a line without %s: %v", field, l)
			}
		}
	}
}

var keyedHash = regexp.MustCompile(`^[0-9a-f]{64}$`)

// onlyErrors has the server log nothing but errors.
func onlyErrors(w *world, _ *config.Settings) { w.level = 8 }

// The audit stream tells what became of links and of logins that were refused, who asked and why; it has the rows of the audit
// trail, names people as those do, and is written whatever the level is.
func TestAuditStream(t *testing.T) {
	f := newFlow(t, onlyErrors)
	f.link(t)
	path, _ := f.signIn(t)
	f.visit(t, http.MethodPost, path, f.cookies, url.Values{"token": {"forged"}, "choice": {"link"}})
	f.unlink(t, unlinkID, adminapi.Unlink{
		UserID: lineUser, Requester: "AccountUnlink hr/leaver-1234", Reason: "HR-1234: " + lineUser + " alias " + mailOfDupont + " has left",
	})

	got := f.lines(t, true)
	want := []line{
		{"what": "linked", "by": "platform", "why": "confirmed"},
		{"what": "refused", "by": "login", "step": "link", "why": "form_token_wrong"},
		{"what": "closed", "by": "AccountUnlink hr/leaver-1234", "why": "HR-1234: U206…7cb8 alias j.du…mple has left"},
		{"what": "unlinked", "by": "AccountUnlink hr/leaver-1234", "why": "HR-1234: U206…7cb8 alias j.du…mple has left"},
	}
	const user = "user"
	if diff := cmp.Diff(want, got, cmpopts.IgnoreMapEntries(func(key string, _ any) bool {
		return key != "what" && key != "by" && key != "step" && key != "why"
	})); diff != "" {
		t.Fatalf("the stream (-want +got):\n%s", diff)
	}
	for _, l := range got {
		for field, want := range map[string]any{
			"msg": "audit", "level": "INFO", "channel": "vision-hr", "page": "LINE/" + oaID, user: got[0][user],
		} {
			if l[field] != want {
				t.Errorf("%s: %s is %v, want %v", l["what"], field, l[field], want)
			}
		}
		fields := []string{user, "subject", "account"}
		if l["what"] == "refused" {
			fields = fields[:1]
		}
		for _, field := range fields {
			if text, _ := l[field].(string); !keyedHash.MatchString(text) {
				t.Errorf("%s: %s is %q and no hash", l["what"], field, text)
			}
		}
		// A confirmation comes of a look-up that serves every login that waits.
		if request, _ := l["request"].(string); (len(request) == 26) != (l["what"] != "linked") {
			t.Errorf("%s: the request is %q", l["what"], request)
		}
	}
}
