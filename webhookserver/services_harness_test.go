package webhookserver_test

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
)

// backend is a service of the company's.
type backend struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	calls  []backendCall
}

// backendCall is what a backend saw.
type backendCall struct {
	Method, Path, Query, Body string
	Header                    http.Header
}

// newBackend starts a backend that answers a message; set changes that.
func newBackend(t testing.TB) *backend {
	b := &backend{answer: answering(`{"type":"text","text":"還剩 14 天"}`)}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		b.mu.Lock()
		b.calls = append(b.calls, backendCall{r.Method, r.URL.Path, r.URL.RawQuery, string(body), r.Header.Clone()})
		answer := b.answer
		b.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

func answering(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

func (b *backend) set(answer http.HandlerFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = answer
}

// seen are the calls so far.
func (b *backend) seen() []backendCall {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]backendCall(nil), b.calls...)
}

// at is a URL of the backend under a name that the guard lets pass in tests.
func (b *backend) at(path string) string {
	return strings.Replace(b.URL, "127.0.0.1", "localhost", 1) + path
}

// withServices puts services of the world's channel before backends.
func withServices(services ...config.Service) option {
	return func(_ *world, s *config.Settings) { s.Channels[0].Services = services }
}

// leave is the service leave-balance of a backend.
func leave(b *backend) config.Service {
	return config.Service{Name: "leave-balance", URL: b.at("/leave?tenant=hr"), Audience: "hr", Timeout: config.Duration(2 * time.Second)}
}

// ask calls a service as BotBonnie does.
func (w *world) ask(t *testing.T, service, body string) answer {
	t.Helper()
	return w.post(t, "/hr/services/"+service+"?k=urlkey&fields=user,userParams", body, byBotBonnie(body))
}

// linkedSince stores an active link of a user that was made at the given time.
func (l *links) linkedSince(t testing.TB, userID string, linkedAt time.Time) {
	t.Helper()
	stored, err := l.Import(t.Context(), []link.Link{{
		ID: rand.Text(), Channel: l.channel, UserID: userID, State: link.Active, Confirmed: true,
		Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "00u1a2b3c4", Account: "j.dupont@vision.example"},
		CodeHash: link.HashCode("code-" + userID), LoginAt: linkedAt, ConsentAt: linkedAt, LinkedAt: linkedAt,
	}}, time.Now())
	if err != nil || stored != 1 {
		t.Fatalf("%d links stored, %v", stored, err)
	}
}

// throughPublicURL is a client that reaches the world by the channel's public URL, as the outside does.
func (w *world) throughPublicURL(t *testing.T) *http.Client {
	t.Helper()
	target, err := url.Parse(w.Public)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.URL.Scheme != "https" || r.URL.Host != visionHost {
			t.Errorf("a verifier asks %s", r.URL)
		}
		inner := r.Clone(r.Context())
		inner.Host = r.URL.Host
		inner.URL.Scheme, inner.URL.Host = target.Scheme, target.Host
		return transport.RoundTrip(inner)
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// verify has a stock verifier judge a backend's Authorization header, and returns the claims.
func (w *world) verify(t *testing.T, authorization, audience string) (map[string]any, error) {
	t.Helper()
	token, ok := strings.CutPrefix(authorization, "Bearer ")
	if !ok {
		t.Fatalf("authorization is %q", authorization)
	}
	ctx := oidc.ClientContext(t.Context(), w.throughPublicURL(t))
	provider, err := oidc.NewProvider(ctx, "https://"+visionHost+"/hr")
	if err != nil {
		t.Fatal(err)
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: audience}).Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		t.Fatal(err)
	}
	return claims, nil
}

// message is an answer as a message; it must be one.
func message(t *testing.T, a answer) (m struct {
	Type, Text string
	Buttons    []struct{ Title, Type, Value string }
},
) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), &m); err != nil || a.Code != http.StatusOK {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	return m
}
