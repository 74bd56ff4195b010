package webhookserver_test

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
)

const (
	unlinkID   = "6f8b0c1e-2d3a-4b5c-9d7e-8f9a0b1c2d3e"
	fieldToken = "botBonnie.apiTokenSecretRef"
	fieldPage  = "messenger.pageAccessTokenSecretRef"
	pageToken  = canary + "-page"
)

// told is a call that a platform got.
type told struct {
	Method, Path, Authorization, ContentType, Body string
	Query                                          map[string][]string
}

// upstream stands for BotBonnie or Graph: it keeps what it was told, and answers as it is set to.
type upstream struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []told
	answer http.HandlerFunc
}

func newUpstream(t *testing.T, answer http.HandlerFunc) *upstream {
	t.Helper()
	u := &upstream{answer: answer}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.URL.Path, "nlink") { // what else a server asks
			http.NotFound(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		u.mu.Lock()
		u.calls = append(u.calls, told{
			r.Method, r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(body), r.URL.Query(),
		})
		answer := u.answer
		u.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) api() string { return strings.Replace(u.URL, "127.0.0.1", "localhost", 1) }

func (u *upstream) answers(answer http.HandlerFunc) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answer = answer
}

func (u *upstream) told() []told {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]told(nil), u.calls...)
}

func (u *upstream) wantCalls(t *testing.T, want int) {
	t.Helper()
	if got := len(u.told()); got != want {
		t.Errorf("the platform was called %d times, want %d", got, want)
	}
}

// replies answers with a status, a body and header lines, `Name: value`.
func replies(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, line := range header {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var botBonnieOK = replies(http.StatusOK, `{"res":"ok","status":200}`)

// hangsUp breaks the connection off instead of answering.
func hangsUp(w http.ResponseWriter, _ *http.Request) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// atGraph has the world's channel, which is on Facebook, call the given Graph API.
func atGraph(u *upstream) option {
	return func(w *world, s *config.Settings) {
		w.files[fieldPage] = pageToken + "\n"
		m := s.Channels[0].Messenger
		m.GraphEndpoint, m.PageAccessToken = u.api()+"/v23.0", &config.File{Field: fieldPage, Path: w.References.Path(fieldPage)}
	}
}

// unlinkWorld is a world whose store is open beside it.
func unlinkWorld(t *testing.T, platform, page string, options ...option) (*world, *links) {
	t.Helper()
	var dir string
	w := newWorld(t, append(options, keepStore(&dir))...)
	w.untilReady(t)
	return w, openLinks(t, dir, platform, page)
}

// linkedAs has a chat user linked to an identity, by a login of the given time.
func (l *links) linkedAs(t *testing.T, userID string, who link.Identity, at time.Time) {
	t.Helper()
	stored, err := l.Import(t.Context(), []link.Link{{
		ID: rand.Text(), Channel: l.channel, UserID: userID, Identity: who, Confirmed: true,
		CodeHash: link.HashCode("code-" + userID), LoginAt: at, ConsentAt: at, LinkedAt: at,
	}}, time.Now())
	if err != nil || stored != 1 {
		t.Fatalf("%d links stored, %v", stored, err)
	}
}

// lineUserN is the id of one of many LINE users.
func lineUserN(n int) string { return fmt.Sprintf("U%032x", n) }

// aMinuteAgo is when most users here have logged in.
func aMinuteAgo() time.Time { return time.Now().Add(-time.Minute) }

// masked is what an answer shows of an id.
func masked(id string) string { return id[:4] + "…" + id[len(id)-4:] }

// tryUnlink asks as the operator does.
func (w *world) tryUnlink(t *testing.T, id string, u adminapi.Unlink) (adminapi.UnlinkResult, error) {
	t.Helper()
	target := adminapi.Target{BaseURL: w.Admin, Audience: visionUID}
	return adminapi.NewClient(time.Now).Unlink(t.Context(), target, w.Signer, id, u)
}

func (w *world) unlink(t *testing.T, id string, u adminapi.Unlink) adminapi.UnlinkResult {
	t.Helper()
	if u.LinkedBefore.IsZero() {
		u.LinkedBefore = time.Now()
	}
	result, err := w.tryUnlink(t, id, u)
	if err != nil {
		t.Fatal(err)
	}
	return result
}
