// Package issuertest is a small OpenID provider on loopback that does what it is
// told, good or evil. It publishes metadata and keys and signs tokens; a test
// replaces any of its answers.
package issuertest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Paths that the provider answers at.
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	JWKSPath      = "/keys"
)

// Issuer is the provider. It is safe for concurrent use.
type Issuer struct {
	// URL is the issuer URL. That of New is http on localhost, which a policy must
	// allow.
	URL string

	mu       sync.Mutex
	document map[string]any
	keys     []jose.JSONWebKey // private, newest first
	handlers map[string]http.Handler
	hits     map[string]int
	grants   map[string]grant // by code
	requests []http.Request   // of the token endpoint
}

// New starts a provider that behaves. It ends with the test.
func New(tb testing.TB) *Issuer {
	tb.Helper()
	i := &Issuer{handlers: map[string]http.Handler{}, hits: map[string]int{}, grants: map[string]grant{}}
	server := httptest.NewServer(i)
	tb.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	i.behave(tb, "http://localhost:"+port)
	return i
}

// Unserved returns a provider that listens nowhere: its answers are those of its
// ServeHTTP. It works where time is faked, which does not wait for sockets.
func Unserved(tb testing.TB, issuerURL string) *Issuer {
	tb.Helper()
	i := &Issuer{handlers: map[string]http.Handler{}, hits: map[string]int{}, grants: map[string]grant{}}
	i.behave(tb, issuerURL)
	return i
}

func (i *Issuer) behave(tb testing.TB, issuerURL string) {
	tb.Helper()
	i.mu.Lock()
	i.URL = issuerURL
	i.document = Document(issuerURL)
	i.mu.Unlock()
	i.AddKey(tb, "first")
}

// Document returns the metadata of a provider that behaves.
func Document(issuerURL string) map[string]any {
	base := strings.TrimSuffix(issuerURL, "/")
	return map[string]any{
		"issuer":                                         issuerURL,
		"authorization_endpoint":                         base + "/authorize",
		"token_endpoint":                                 base + "/token",
		"jwks_uri":                                       base + JWKSPath,
		"userinfo_endpoint":                              base + "/userinfo",
		"end_session_endpoint":                           base + "/logout",
		"response_types_supported":                       []string{"code"},
		"subject_types_supported":                        []string{"public"},
		"id_token_signing_alg_values_supported":          []string{"RS256", "ES256"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic", "private_key_jwt"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	}
}

// Set changes fields of the metadata; nil removes one.
func (i *Issuer) Set(fields map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for name, value := range fields {
		if value == nil {
			delete(i.document, name)
		} else {
			i.document[name] = value
		}
	}
}

// Handle gives the answers at a path to a handler; nil gives them back.
func (i *Issuer) Handle(path string, handler http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if handler == nil {
		delete(i.handlers, path)
		return
	}
	i.handlers[path] = handler
}

// Hits returns how many requests each path had.
func (i *Issuer) Hits() map[string]int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return maps.Clone(i.hits)
}

// AddKey makes a new ECDSA P-256 key, publishes it beside the others and signs
// with it from now on.
func (i *Issuer) AddKey(tb testing.TB, keyID string) {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	key := jose.JSONWebKey{Key: private, KeyID: keyID, Algorithm: string(jose.ES256), Use: "sig"}
	i.keys = append([]jose.JSONWebKey{key}, i.keys...)
}

// JWKS returns the key set document.
func (i *Issuer) JWKS() jose.JSONWebKeySet {
	i.mu.Lock()
	defer i.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, key := range i.keys {
		set.Keys = append(set.Keys, key.Public())
	}
	return set
}

// Sign returns a token with these claims, signed with the newest key.
func (i *Issuer) Sign(tb testing.TB, claims map[string]any) string {
	tb.Helper()
	i.mu.Lock()
	key := i.keys[0]
	i.mu.Unlock()
	return Sign(tb, jose.ES256, key.Key, key.KeyID, claims)
}

// Sign returns a token with these claims, signed as told.
func Sign(tb testing.TB, algorithm jose.SignatureAlgorithm, key crypto.PrivateKey, keyID string, claims map[string]any) string {
	tb.Helper()
	return signAs(tb, algorithm, key, keyID, nil, claims)
}

func signAs(
	tb testing.TB, algorithm jose.SignatureAlgorithm, key crypto.PrivateKey, keyID string, options *jose.SignerOptions, claims map[string]any,
) string {
	tb.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, options)
	if err != nil {
		tb.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		tb.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// ServeHTTP implements [http.Handler].
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.hits[r.URL.Path]++
	handler := i.handlers[r.URL.Path]
	document := maps.Clone(i.document)
	i.mu.Unlock()
	switch {
	case handler != nil:
		handler.ServeHTTP(w, r)
	case r.URL.Path == DiscoveryPath:
		writeJSON(w, document)
	case r.URL.Path == JWKSPath:
		writeJSON(w, i.JWKS())
	case r.URL.Path == TokenPath:
		i.serveToken(w, r)
	default:
		http.NotFound(w, r)
	}
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // the test sees what is missing
}

// Answer answers with a status and a body.
func Answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Redirect redirects to another URL.
func Redirect(url string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusFound) }
}

// Endless writes JSON that never ends.
func Endless(w http.ResponseWriter, r *http.Request) {
	chunk := strings.Repeat(" ", 64<<10)
	_, err := io.WriteString(w, `{"issuer":"`)
	for err == nil && r.Context().Err() == nil {
		_, err = io.WriteString(w, chunk)
	}
}

// Hang answers nothing until the client gives up.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
