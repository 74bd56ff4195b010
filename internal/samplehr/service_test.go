package samplehr

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const jo = "j.dupont@vision.example"

// world is the service with a server beside it, whose key it can use.
type world struct {
	t       *testing.T
	service *Service
	server  *httptest.Server
	key     *ecdsa.PrivateKey
	now     time.Time
	issuer  atomic.Value // what the discovery document says; empty for the truth
	asked   atomic.Int32 // for keys
	active  atomic.Bool
}

func newWorld(t *testing.T) *world {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, key: key, now: time.Unix(1_800_000_000, 0)}
	w.issuer.Store("")
	w.active.Store(true)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(rw http.ResponseWriter, _ *http.Request) {
		issuer := w.server.URL
		if other := w.issuer.Load().(string); other != "" {
			issuer = other
		}
		writeJSON(rw, 200, map[string]string{"issuer": issuer, "jwks_uri": w.server.URL + "/keys"})
	})
	mux.HandleFunc("GET /keys", func(rw http.ResponseWriter, _ *http.Request) {
		w.asked.Add(1)
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Error(err)
		}
		writeJSON(rw, 200, map[string]any{"keys": []any{
			map[string]string{"kid": "rsa", "kty": "RSA"},
			map[string]string{"kid": "k1", "kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])},
		}})
	})
	mux.HandleFunc("POST /introspect", func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer look" || r.FormValue("token") == "" {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		if !w.active.Load() || r.FormValue("token") != "c0de" {
			writeJSON(rw, 200, map[string]any{"active": false})
			return
		}
		writeJSON(rw, 200, map[string]any{"active": true, "username": jo, "chat_user": "4711"})
	})
	w.server = httptest.NewServer(mux)
	t.Cleanup(w.server.Close)
	w.service = New(Config{
		Audience: "hr", Issuers: map[string]string{w.server.URL: "hr"}, BotKey: "bot", Days: map[string]int{jo: 12},
		Channels: map[string]Introspection{
			"messenger": {w.server.URL + "/introspect", "look"}, "blind": {w.server.URL + "/introspect", "x"},
		},
	}, Options{Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler)})
	return w
}

func encode(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// token signs an assertion; changes replace members of its header and claims.
func (w *world) token(h, c map[string]any) string {
	w.t.Helper()
	head := map[string]any{"alg": "ES256", "kid": "k1", "typ": assertionType}
	said := map[string]any{
		"iss": w.server.URL, "aud": "hr", "sub": "00u1", "sub_iss": "https://sso.vision.example", "account": jo, "platform": "LINE",
		"chat_user": "U1", "confirmed": true, "iat": w.now.Unix(), "nbf": w.now.Unix(), "exp": w.now.Unix() + 60, "jti": "1",
	}
	maps.Copy(head, h)
	maps.Copy(said, c)
	var parts []string
	for _, part := range []any{head, said} {
		raw, err := json.Marshal(part)
		if err != nil {
			w.t.Fatal(err)
		}
		parts = append(parts, encode(raw))
	}
	digest := sha256.Sum256([]byte(strings.Join(parts, ".")))
	r, s, err := ecdsa.Sign(rand.Reader, w.key, digest[:])
	if err != nil {
		w.t.Fatal(err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return strings.Join(append(parts, encode(signature)), ".")
}

func (w *world) ask(path, bearer, body string) (int, string) {
	w.t.Helper()
	rec := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	w.service.Handler().ServeHTTP(rec, req)
	said, err := io.ReadAll(rec.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return rec.Code, string(said)
}

type object = map[string]any

func TestAssertions(t *testing.T) {
	for _, tc := range []struct {
		reason         string
		header, claims object
		change         func(string) string
		status         int
	}{
		{reason: "as documented", status: 200},
		{reason: "an audience in a list", claims: object{"aud": []string{"hr"}}, status: 200},
		{reason: "for somebody else", claims: object{"aud": "payroll"}, status: 401},
		{reason: "for us and somebody else", claims: object{"aud": []string{"hr", "payroll"}}, status: 401},
		{reason: "of another issuer", claims: object{"iss": "https://evil.example"}, status: 401},
		{reason: "another kind of token", header: object{"typ": "JWT"}, status: 401},
		{reason: "no signature wanted", header: object{"alg": "none"}, status: 401},
		{reason: "another algorithm", header: object{"alg": "HS256"}, status: 401},
		{reason: "an extension that must be understood", header: object{"crit": []string{"b64"}}, status: 401},
		{reason: "a key that is not there", header: object{"kid": "k2"}, status: 401},
		{reason: "expired", claims: object{"iat": 1_799_999_900, "nbf": 1_799_999_900, "exp": 1_799_999_960}, status: 401},
		{reason: "good for a year", claims: object{"exp": 1_831_536_000}, status: 401},
		{reason: "of the future", claims: object{"iat": 1_800_000_100, "nbf": 1_800_000_100, "exp": 1_800_000_160}, status: 401},
		{reason: "of nobody", claims: object{"sub": ""}, status: 401},
		{reason: "a bit of the signature is another", change: func(s string) string {
			flip := "A"
			if strings.HasSuffix(s[:len(s)-10], "A") {
				flip = "B"
			}
			return s[:len(s)-11] + flip + s[len(s)-10:]
		}, status: 401},
		{reason: "no signature", change: func(s string) string { return s[:strings.LastIndex(s, ".")+1] }, status: 401},
		{reason: "no token", change: func(string) string { return "x" }, status: 401},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			token := w.token(tc.header, tc.claims)
			if tc.change != nil {
				token = tc.change(token)
			}
			status, said := w.ask("/leave", token, "")
			if status != tc.status {
				t.Fatalf("%d %s, want %d", status, said, tc.status)
			}
			if status == http.StatusOK && strings.TrimSpace(said) != `{"text":"j.dupont@vision.example: 12 days of leave left.","type":"text"}` {
				t.Errorf("answered %s", said)
			}
		})
	}
	w := newWorld(t)
	if status, _ := w.ask("/leave", "", ""); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	w.issuer.Store("https://evil.example")
	if status, _ := w.ask("/leave", w.token(nil, nil), ""); status != http.StatusUnauthorized {
		t.Errorf("a discovery document of another issuer: %d", status)
	}
}

func TestKeysAreAskedForSeldom(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		w.ask("/leave", w.token(nil, nil), "")
		w.ask("/leave", w.token(object{"kid": "k2"}, nil), "")
	}
	if n := w.asked.Load(); n != 1 {
		t.Errorf("the keys were asked for %d times within ten seconds", n)
	}
	w.now = w.now.Add(keysNotSoon)
	w.ask("/leave", w.token(object{"kid": "k2"}, nil), "")
	if n := w.asked.Load(); n != 2 {
		t.Errorf("a key that is new is looked for: asked %d times", n)
	}
}

func TestPairs(t *testing.T) {
	for _, tc := range []struct {
		reason, bearer, body string
		ended                bool
		status               int
	}{
		{"a linked pair", "bot", `{"channel":"messenger","code":"c0de","user_id":"4711"}`, false, 200},
		{"the link has ended", "bot", `{"channel":"messenger","code":"c0de","user_id":"4711"}`, true, 403},
		{"another's code", "bot", `{"channel":"messenger","code":"x","user_id":"4711"}`, false, 403},
		{"the server means another user", "bot", `{"channel":"messenger","code":"c0de","user_id":"4712"}`, false, 403},
		{"a channel that is not there", "bot", `{"channel":"x","code":"c0de","user_id":"4711"}`, false, 403},
		{"the server does not know the service", "bot", `{"channel":"blind","code":"c0de","user_id":"4711"}`, false, 502},
		{"no code", "bot", `{"channel":"messenger","user_id":"4711"}`, false, 400},
		{"not the bot", "x", `{"channel":"messenger","code":"c0de","user_id":"4711"}`, false, 401},
		{"nobody", "", `{}`, false, 401},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			w.active.Store(!tc.ended)
			status, said := w.ask("/bot/leave", tc.bearer, tc.body)
			if status != tc.status || status == http.StatusOK && !strings.Contains(said, "12 days") {
				t.Errorf("%d %s, want %d", status, said, tc.status)
			}
		})
	}
}

func TestConfigIsStrict(t *testing.T) {
	if _, err := ReadConfig(strings.NewReader(`{"audience":"hr","days":{},"dayz":{}}`)); err == nil {
		t.Error("a field of no meaning is a mistake")
	}
	if c, err := ReadConfig(strings.NewReader(`{"audience":"hr","days":{"a":1}}`)); err != nil || c.Days["a"] != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}
