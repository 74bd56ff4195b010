package issuer

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "CANARY-c31e"

// demo is a policy under which the provider on localhost can be reached.
var demo = outbound.Policy{AllowLocal: true, AllowHTTPLocalhost: true}

func newClient(t *testing.T, policy outbound.Policy) *outbound.Client {
	t.Helper()
	client := outbound.New(outbound.Options{Policy: policy, Timeout: 2 * time.Second})
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestDiscover(t *testing.T) {
	idp := issuertest.New(t)
	got, err := Discover(t.Context(), newClient(t, demo), idp.URL)
	if err != nil {
		t.Fatal(err)
	}
	want := Metadata{
		Issuer:                idp.URL,
		AuthorizationEndpoint: idp.URL + "/authorize",
		TokenEndpoint:         idp.URL + "/token",
		JWKSURI:               idp.URL + "/keys",
		UserInfoEndpoint:      idp.URL + "/userinfo",
		EndSessionEndpoint:    idp.URL + "/logout",
		SendsIssuer:           true,
		SigningAlgorithms:     []jose.SignatureAlgorithm{jose.RS256, jose.ES256},
		TokenAuthMethods:      []string{"client_secret_basic", "private_key_jwt"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Metadata{})); diff != "" {
		t.Error(diff)
	}
}

// C51 to C54, C7: an evil issuer gets a reason of the closed set and nothing else:
// no redirect followed, no inner URL called, no text of its own shown.
func TestEvilIssuer(t *testing.T) {
	hit := func(path string, handler http.HandlerFunc) func(*issuertest.Issuer) {
		return func(i *issuertest.Issuer) { i.Handle(path, handler) }
	}
	set := func(name string, value any) func(*issuertest.Issuer) {
		return func(i *issuertest.Issuer) { i.Set(map[string]any{name: value}) }
	}
	const discovery, jwks = issuertest.DiscoveryPath, issuertest.JWKSPath
	cases := []struct {
		reason   string
		evil     func(*issuertest.Issuer)
		want     Reason
		endpoint Endpoint
		status   int
	}{
		{"redirects discovery", hit(discovery, issuertest.Redirect("/inner?"+canary)), IssuerRedirected, Discovery, 302},
		{"redirects discovery to metadata", hit(discovery, issuertest.Redirect("http://169.254.169.254/"+canary)), IssuerRedirected, Discovery, 302},
		{"redirects keys", hit(jwks, issuertest.Redirect("/inner")), IssuerRedirected, JWKS, 302},
		{"another issuer", set("issuer", "https://"+canary+".example"), IssuerMismatch, Discovery, 0},
		{"a slash more", func(i *issuertest.Issuer) { i.Set(map[string]any{"issuer": i.URL + "/"}) }, IssuerMismatch, Discovery, 0},
		{"no issuer", set("issuer", nil), IssuerMismatch, Discovery, 0},
		{"issuer of another type", set("issuer", []string{canary}), DocumentInvalid, Discovery, 0},
		{"endless discovery", hit(discovery, issuertest.Endless), DocumentTooLarge, Discovery, 200},
		{"endless keys", hit(jwks, issuertest.Endless), DocumentTooLarge, JWKS, 200},
		{"hangs", hit(discovery, issuertest.Hang), TimedOut, Discovery, 0},
		{"an error page", hit(discovery, issuertest.Answer(503, canary)), StatusUnexpected, Discovery, 503},
		{"created", hit(discovery, issuertest.Answer(201, "{}")), StatusUnexpected, Discovery, 201},
		{"a login page", hit(discovery, issuertest.Answer(200, "<html>"+canary)), DocumentInvalid, Discovery, 0},
		{"an array", hit(discovery, issuertest.Answer(200, `["`+canary+`"]`)), DocumentInvalid, Discovery, 0},
		{"deep", hit(discovery, issuertest.Answer(200, strings.Repeat("[", 100_000))), DocumentInvalid, Discovery, 0},
		{"two documents", hit(discovery, issuertest.Answer(200, "{}{}")), DocumentInvalid, Discovery, 0},
		{"no token endpoint", set("token_endpoint", nil), EndpointRefused, Token, 0},
		{"no authorization endpoint", set("authorization_endpoint", ""), EndpointRefused, Authorization, 0},
		{"no keys", set("jwks_uri", nil), EndpointRefused, JWKS, 0},
		{"http token endpoint", set("token_endpoint", "http://sso.vision.example/"+canary), EndpointRefused, Token, 0},
		{"http authorization endpoint", set("authorization_endpoint", "http://sso.vision.example/"), EndpointRefused, Authorization, 0},
		{"script authorization endpoint", set("authorization_endpoint", "javascript:"+canary), EndpointRefused, Authorization, 0},
		{"metadata keys", set("jwks_uri", "https://169.254.169.254/"+canary), EndpointRefused, JWKS, 0},
		{"the API server's user info", set("userinfo_endpoint", "https://kubernetes.default.svc/"), EndpointRefused, UserInfo, 0},
		{"a number as host", set("end_session_endpoint", "https://2130706433/"), EndpointRefused, EndSession, 0},
		{"a password in a URL", set("token_endpoint", "https://"+canary+":x@sso.vision.example/"), EndpointRefused, Token, 0},
		{"a very long URL", set("authorization_endpoint", "https://sso.vision.example/"+strings.Repeat("x", 3000)), EndpointRefused, Authorization, 0},
		{"no PKCE", set("code_challenge_methods_supported", nil), PKCEUnsupported, Discovery, 0},
		{"plain PKCE alone", set("code_challenge_methods_supported", []string{"plain"}), PKCEUnsupported, Discovery, 0},
		{"symmetric algorithms alone", set("id_token_signing_alg_values_supported", []string{"HS256", "none"}), KeysUnavailable, Discovery, 0},
		{"keys not found", hit(jwks, issuertest.Answer(404, canary)), KeysUnavailable, JWKS, 404},
		{"keys of no kind", hit(jwks, issuertest.Answer(200, canary)), KeysUnavailable, JWKS, 0},
		{"an empty key set", hit(jwks, issuertest.Answer(200, `{"keys":[]}`)), KeysUnavailable, JWKS, 0},
		{"a symmetric key", hit(jwks, issuertest.Answer(200, `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`)), KeysUnavailable, JWKS, 0},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			idp := issuertest.New(t)
			tc.evil(idp)
			before := allocated()
			_, err := Discover(t.Context(), newClient(t, demo), idp.URL)
			got, ok := errors.AsType[*Error](err)
			if !ok {
				t.Fatalf("got %v, want an *Error", err)
			}
			if got.Reason != tc.want || got.Endpoint != tc.endpoint || got.Status != tc.status {
				t.Errorf("got %v, want %s of %s, status %d", got, tc.want, tc.endpoint, tc.status)
			}
			if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, canary) {
				t.Errorf("the error holds the issuer's text: %s", text)
			}
			for path, n := range idp.Hits() {
				if path != discovery && path != jwks || n != 1 {
					t.Errorf("%d requests of %s", n, path)
				}
			}
			if grown := allocated() - before; grown > 24<<20 {
				t.Errorf("allocated %d bytes", grown)
			}
		})
	}
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// C49, C52: the issuer URL itself is judged before anything is called.
func TestRefusedIssuerURL(t *testing.T) {
	idp := issuertest.New(t)
	https := strings.Replace(idp.URL, "http:", "https:", 1)
	cases := []struct {
		reason string
		policy outbound.Policy
		url    string
		want   Reason
	}{
		{"http without the flag", outbound.Policy{AllowLocal: true}, idp.URL, IssuerURLInvalid},
		{"localhost without the flag", outbound.Policy{}, https, AddressRefused},
		{"loopback by number", outbound.Policy{}, "https://127.0.0.1/", AddressRefused},
		{"metadata, whatever the flags", demo, "https://169.254.169.254/", AddressRefused},
		{"http elsewhere", demo, "http://sso.vision.example/", IssuerURLInvalid},
		{"a query", demo, idp.URL + "?tenant=" + canary, IssuerURLInvalid},
		{"an empty query", demo, idp.URL + "?", IssuerURLInvalid},
		{"a fragment", demo, idp.URL + "#" + canary, IssuerURLInvalid},
		{"nonsense", demo, canary, IssuerURLInvalid},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := Discover(t.Context(), newClient(t, tc.policy), tc.url)
			if !errors.Is(err, tc.want) || strings.Contains(err.Error(), canary) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
	if hits := idp.Hits(); len(hits) != 0 {
		t.Errorf("the issuer was called: %v", hits)
	}
}

// An issuer URL may have a path and a slash at its end; it is matched as written.
func TestIssuerPath(t *testing.T) {
	for _, path := range []string{"/realms/vision", "/realms/vision/"} {
		idp := issuertest.New(t)
		idp.Handle("/realms/vision"+issuertest.DiscoveryPath, func(w http.ResponseWriter, _ *http.Request) {
			document := issuertest.Document(idp.URL)
			document["issuer"] = idp.URL + path
			_ = json.NewEncoder(w).Encode(document)
		})
		if _, err := Discover(t.Context(), newClient(t, demo), idp.URL+path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// C12: weak and foreign keys of a set are left out, the good ones are used.
func TestParseKeys(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := func(id, use string) jose.JSONWebKey {
		return jose.JSONWebKey{Key: private.Public(), KeyID: id, Use: use}
	}
	weak := &rsa.PublicKey{N: new(big.Int).Rsh(private.N, 1024), E: private.E} // 1024 bits
	var texts []string
	for _, key := range []any{
		public("good", "sig"), public("unsaid", ""), public("encryption", "enc"),
		jose.JSONWebKey{Key: weak, KeyID: "weak", Use: "sig"},
		map[string]string{"kty": "PQ", "kid": "of the future"},
		map[string]string{"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
		map[string]string{"kty": "EC", "kid": "off the curve", "crv": "P-256", "x": "AQ", "y": "AQ"},
		"not a key",
	} {
		text, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	var got []string
	for _, key := range parseKeys([]byte(`{"keys":[` + strings.Join(texts, ",") + `]}`)) {
		got = append(got, key.KeyID)
	}
	if diff := cmp.Diff([]string{"good", "unsaid"}, got); diff != "" {
		t.Error(diff)
	}
	many := `{"keys":[` + strings.Repeat(texts[0]+",", 500) + texts[0] + `]}`
	if n := len(parseKeys([]byte(many))); n != maxKeys {
		t.Errorf("%d keys taken, want at most %d", n, maxKeys)
	}
}
