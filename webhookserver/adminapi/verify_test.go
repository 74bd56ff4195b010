package adminapi_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
)

const (
	visionUID = "0b7c1f52-0a51-4c0e-9d5c-8f2a6f1f9a11"
	otherUID  = "5d1e0c77-7c1b-4f6e-8a43-1b9c2f6a7e22"
)

var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

type object = map[string]any

// forgery is a token under construction, written by hand so that it can be wrong in any way.
type forgery struct {
	header, claims object
	sign           func(input []byte) []byte
	edit           func(token string) string
}

func (f forgery) token(tb testing.TB) string {
	tb.Helper()
	input := segment(tb, f.header) + "." + segment(tb, f.claims)
	token := input + "." + base64.RawURLEncoding.EncodeToString(f.sign([]byte(input)))
	if f.edit != nil {
		token = f.edit(token)
	}
	return token
}

func segment(tb testing.TB, part object) string {
	tb.Helper()
	data, err := json.Marshal(part)
	if err != nil {
		tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// request is what arrives at the server beside the token.
type request struct {
	method, target string
	body           []byte
	at             time.Time
}

func newKey(tb testing.TB) (ed25519.PrivateKey, string) {
	tb.Helper()
	key, err := adminapi.GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	return key, adminapi.KeyID(public(key))
}

func public(key ed25519.PrivateKey) ed25519.PublicKey {
	return key.Public().(ed25519.PublicKey)
}

func newVerifier(tb testing.TB, keys ...ed25519.PrivateKey) *adminapi.Verifier {
	tb.Helper()
	var publics []ed25519.PublicKey
	for _, key := range keys {
		publics = append(publics, public(key))
	}
	set, err := adminapi.NewKeySet(publics...)
	if err != nil {
		tb.Fatal(err)
	}
	v := adminapi.NewVerifier(visionUID)
	v.SetKeys(set)
	return v
}

func hashOf(body string) string {
	sum := sha256.Sum256([]byte(body))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// good is a token and a request that fit each other.
func good(key ed25519.PrivateKey, kid string) (forgery, request) {
	f := forgery{
		header: object{"alg": "EdDSA", "typ": adminapi.TokenType, "kid": kid},
		claims: object{
			"aud": visionUID, "iat": noon.Unix(), "exp": noon.Add(time.Minute).Unix(), "jti": "once",
			"htm": "GET", "htu": adminapi.StatusPath, "bh": hashOf(""),
		},
		sign: func(input []byte) []byte { return ed25519.Sign(key, input) },
	}
	return f, request{method: "GET", target: adminapi.StatusPath, at: noon}
}

// TestVerifyRefuses proves C90: with no NetworkPolicy at all, nothing but the operator's own token for this very request
// passes.
func TestVerifyRefuses(t *testing.T) {
	key, kid := newKey(t)
	foreign, foreignKID := newKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}

	for name, tc := range map[string]struct {
		reason string
		change func(*forgery, *request)
		want   adminapi.Refusal
	}{
		"no token": {
			reason: "any pod of the cluster can send this",
			change: func(f *forgery, _ *request) { f.edit = func(string) string { return "" } },
			want:   adminapi.RefusedMissing,
		},
		"not a token": {
			reason: "a bearer token of another system",
			change: func(f *forgery, _ *request) { f.edit = func(string) string { return "c2VjcmV0" } },
			want:   adminapi.RefusedMalformed,
		},
		"huge token": {
			reason: "nothing large is parsed for a stranger",
			change: func(f *forgery, _ *request) { f.claims["pad"] = strings.Repeat("x", 4096) },
			want:   adminapi.RefusedMalformed,
		},
		"alg none": {
			reason: "the classic: no signature at all",
			change: func(f *forgery, _ *request) {
				f.header["alg"] = "none"
				f.sign = func([]byte) []byte { return nil }
			},
			want: adminapi.RefusedAlgorithm,
		},
		"alg HS256 with the public key": {
			reason: "the other classic: the public key, which everybody has, as a MAC key",
			change: func(f *forgery, _ *request) {
				f.header["alg"] = "HS256"
				f.sign = func(input []byte) []byte {
					mac := hmac.New(sha256.New, public(key))
					mac.Write(input)
					return mac.Sum(nil)
				}
			},
			want: adminapi.RefusedAlgorithm,
		},
		"alg RS256": {
			reason: "a good signature of another kind is none",
			change: func(f *forgery, _ *request) {
				f.header["alg"] = "RS256"
				f.sign = func(input []byte) []byte {
					sum := sha256.Sum256(input)
					signature, err := rsa.SignPKCS1v15(nil, rsaKey, crypto.SHA256, sum[:])
					if err != nil {
						t.Fatal(err)
					}
					return signature
				}
			},
			want: adminapi.RefusedAlgorithm,
		},
		"no typ": {
			reason: "a token that does not say what it is for is for something else",
			change: func(f *forgery, _ *request) { delete(f.header, "typ") },
			want:   adminapi.RefusedType,
		},
		"typ of an identity assertion": {
			reason: "tokens of one purpose do not serve another",
			change: func(f *forgery, _ *request) { f.header["typ"] = "identity-assertion+jwt" },
			want:   adminapi.RefusedType,
		},
		"unknown critical header": {
			reason: "RFC 7515 section 4.1.11: what must be understood and is not, is refused",
			change: func(f *forgery, _ *request) {
				f.header["crit"] = []string{"x-policy"}
				f.header["x-policy"] = "strict"
			},
			want: adminapi.RefusedSignature,
		},
		"foreign key, own kid": {
			reason: "a key that the operator does not have",
			change: func(f *forgery, _ *request) {
				f.header["kid"] = foreignKID
				f.sign = func(input []byte) []byte { return ed25519.Sign(foreign, input) }
			},
			want: adminapi.RefusedKey,
		},
		"foreign key, our kid": {
			reason: "naming our key does not make it one",
			change: func(f *forgery, _ *request) {
				f.sign = func(input []byte) []byte { return ed25519.Sign(foreign, input) }
			},
			want: adminapi.RefusedSignature,
		},
		"foreign key in the header": {
			reason: "a key that a token brings along is not asked for",
			change: func(f *forgery, _ *request) {
				f.header["jwk"] = object{
					"kty": "OKP", "crv": "Ed25519", "kid": kid,
					"x": base64.RawURLEncoding.EncodeToString(public(foreign)),
				}
				f.sign = func(input []byte) []byte { return ed25519.Sign(foreign, input) }
			},
			want: adminapi.RefusedSignature,
		},
		"no kid": {
			reason: "the key is named, never guessed",
			change: func(f *forgery, _ *request) { delete(f.header, "kid") },
			want:   adminapi.RefusedKey,
		},
		"changed claims": {
			reason: "the signature covers the claims",
			change: func(f *forgery, _ *request) {
				f.edit = func(token string) string {
					parts := strings.Split(token, ".")
					claims := f.claims
					claims["htm"] = "PUT"
					return parts[0] + "." + segment(t, claims) + "." + parts[2]
				}
			},
			want: adminapi.RefusedSignature,
		},
		"claims that are not ours": {
			reason: "an aud of several is not exactly one",
			change: func(f *forgery, _ *request) { f.claims["aud"] = []string{visionUID, otherUID} },
			want:   adminapi.RefusedMalformed,
		},
		"no jti": {
			reason: "without an id it could be used twice",
			change: func(f *forgery, _ *request) { delete(f.claims, "jti") },
			want:   adminapi.RefusedMalformed,
		},
		"long jti": {
			reason: "ids are remembered, so their length is bounded",
			change: func(f *forgery, _ *request) { f.claims["jti"] = strings.Repeat("j", 65) },
			want:   adminapi.RefusedMalformed,
		},
		"other server's token": {
			reason: "whoever owns one server must not speak to another with what he was sent",
			change: func(f *forgery, _ *request) { f.claims["aud"] = otherUID },
			want:   adminapi.RefusedAudience,
		},
		"audience in another case": {
			reason: "equal means equal",
			change: func(f *forgery, _ *request) { f.claims["aud"] = strings.ToUpper(visionUID) },
			want:   adminapi.RefusedAudience,
		},
		"no audience": {
			reason: "a token for everybody is one for nobody",
			change: func(f *forgery, _ *request) { delete(f.claims, "aud") },
			want:   adminapi.RefusedAudience,
		},
		"long life": {
			reason: "a token that is good for an hour is one to steal",
			change: func(f *forgery, _ *request) { f.claims["exp"] = noon.Add(time.Hour).Unix() },
			want:   adminapi.RefusedLifetime,
		},
		"no expiry": {
			reason: "absent is not endless",
			change: func(f *forgery, _ *request) { delete(f.claims, "exp") },
			want:   adminapi.RefusedLifetime,
		},
		"no issue time": {
			reason: "without it the life has no beginning",
			change: func(f *forgery, _ *request) { delete(f.claims, "iat") },
			want:   adminapi.RefusedLifetime,
		},
		"from the future": {
			reason: "one made ahead outlives the minute",
			change: func(_ *forgery, r *request) { r.at = noon.Add(-adminapi.MaxSkew - time.Second) },
			want:   adminapi.RefusedFuture,
		},
		"expired": {
			reason: "the last moment is a minute and the skew later",
			change: func(_ *forgery, r *request) { r.at = noon.Add(adminapi.MaxLifetime + adminapi.MaxSkew) },
			want:   adminapi.RefusedExpired,
		},
		"other method": {
			reason: "permission to read is none to change",
			change: func(_ *forgery, r *request) { r.method = "PUT" },
			want:   adminapi.RefusedRequest,
		},
		"other path": {
			reason: "the token names its path",
			change: func(_ *forgery, r *request) { r.target = "/admin/v1/unlinks/7" },
			want:   adminapi.RefusedRequest,
		},
		"added query": {
			reason: "what is not signed must not change what is asked",
			change: func(_ *forgery, r *request) { r.target += "?verbose=1" },
			want:   adminapi.RefusedRequest,
		},
		"other body": {
			reason: "the token covers the body",
			change: func(_ *forgery, r *request) { r.body = []byte(`{"user":"all"}`) },
			want:   adminapi.RefusedRequest,
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, r := good(key, kid)
			tc.change(&f, &r)
			_, err := newVerifier(t, key).Verify(r.at, f.token(t), r.method, r.target, r.body)
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v: %s", err, tc.want, tc.reason)
			}
		})
	}
}

func TestVerifyAccepts(t *testing.T) {
	key, kid := newKey(t)
	signer, err := adminapi.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	body := `{"reason":"HR-1234"}`
	token, err := signer.Sign(noon, adminapi.Request{
		Audience: visionUID, Method: "PUT", Path: "/admin/v1/unlinks/7", Body: []byte(body),
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]time.Time{
		"at once":              noon,
		"our clock is behind":  noon.Add(-adminapi.MaxSkew),
		"at the last moment":   noon.Add(adminapi.MaxLifetime + adminapi.MaxSkew - time.Nanosecond),
		"within the same tick": noon.Add(time.Millisecond),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := newVerifier(t, key).Verify(at, token, "PUT", "/admin/v1/unlinks/7", []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			if got.Audience() != visionUID || got.KeyID() != kid || signer.KeyID() != kid {
				t.Errorf("got audience %s and key %s, want %s and %s", got.Audience(), got.KeyID(), visionUID, kid)
			}
		})
	}
}

func TestTokenIsGoodOnce(t *testing.T) {
	key, kid := newKey(t)
	v := newVerifier(t, key)
	f, r := good(key, kid)
	token := f.token(t)
	if _, err := v.Verify(r.at, token, r.method, r.target, r.body); err != nil {
		t.Fatal(err)
	}
	for _, later := range []time.Duration{0, time.Second, adminapi.MaxLifetime + adminapi.MaxSkew - time.Nanosecond} {
		if _, err := v.Verify(noon.Add(later), token, r.method, r.target, r.body); !errors.Is(err, adminapi.RefusedReplayed) {
			t.Errorf("%v later: got %v, want %v as long as the token lives", later, err, adminapi.RefusedReplayed)
		}
	}
}

// A refused request must not use the token up: otherwise whoever sees one could spoil it ahead of the operator.
func TestRefusedRequestSpendsNothing(t *testing.T) {
	key, kid := newKey(t)
	v := newVerifier(t, key)
	f, r := good(key, kid)
	token := f.token(t)
	if _, err := v.Verify(r.at, token, "DELETE", r.target, r.body); !errors.Is(err, adminapi.RefusedRequest) {
		t.Fatalf("got %v, want %v", err, adminapi.RefusedRequest)
	}
	if _, err := v.Verify(r.at, token, r.method, r.target, r.body); err != nil {
		t.Errorf("the rightful request is refused: %v", err)
	}
}

// What the verifier remembers is bounded, and it refuses rather than forgets.
func TestReplayMemoryIsBounded(t *testing.T) {
	key, kid := newKey(t)
	v := newVerifier(t, key)
	use := func(id string, at time.Time) error {
		f, r := good(key, kid)
		f.claims["jti"] = id
		f.claims["iat"], f.claims["exp"] = at.Unix(), at.Add(time.Minute).Unix()
		_, err := v.Verify(at, f.token(t), r.method, r.target, r.body)
		return err
	}
	for i := range 1024 {
		if err := use(fmt.Sprint(i), noon); err != nil {
			t.Fatal(err)
		}
	}
	if err := use("one more", noon); !errors.Is(err, adminapi.RefusedReplayed) {
		t.Errorf("got %v, want %v: it cannot tell any more", err, adminapi.RefusedReplayed)
	}
	if err := use("one more", noon.Add(2*time.Minute)); err != nil {
		t.Errorf("expired ids are not forgotten: %v", err)
	}
}

func TestKeysRotate(t *testing.T) {
	oldKey, oldID := newKey(t)
	freshKey, freshID := newKey(t)
	v := newVerifier(t, oldKey)
	verify := func(key ed25519.PrivateKey, kid, id string) error {
		f, r := good(key, kid)
		f.claims["jti"] = id
		_, err := v.Verify(r.at, f.token(t), r.method, r.target, r.body)
		return err
	}
	if err := verify(freshKey, freshID, "1"); !errors.Is(err, adminapi.RefusedKey) {
		t.Errorf("before: got %v, want %v", err, adminapi.RefusedKey)
	}
	both, err := adminapi.NewKeySet(public(oldKey), public(freshKey))
	if err != nil {
		t.Fatal(err)
	}
	v.SetKeys(both)
	if err := errors.Join(verify(oldKey, oldID, "2"), verify(freshKey, freshID, "3")); err != nil {
		t.Errorf("meanwhile both must be good: %v", err)
	}
	only, err := adminapi.NewKeySet(public(freshKey))
	if err != nil {
		t.Fatal(err)
	}
	v.SetKeys(only)
	if err := verify(oldKey, oldID, "4"); !errors.Is(err, adminapi.RefusedKey) {
		t.Errorf("afterwards: got %v, want %v", err, adminapi.RefusedKey)
	}
}

func TestBearerToken(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		values []string
		want   string
	}{
		"plain":        {reason: "RFC 6750", values: []string{"Bearer abc"}, want: "abc"},
		"lower case":   {reason: "schemes know no case (RFC 9110 section 11.1)", values: []string{"bearer abc"}, want: "abc"},
		"absent":       {reason: "nothing is no token", values: nil},
		"other scheme": {reason: "a password is no token", values: []string{"Basic YTpi"}},
		"two":          {reason: "which one counts would depend on the reader", values: []string{"Bearer a", "Bearer b"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := adminapi.BearerToken(tc.values); got != tc.want {
				t.Errorf("got %q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}

// FuzzVerify: whatever a stranger sends is refused, without a panic, and without a signature of ours nothing else happens.
func FuzzVerify(f *testing.F) {
	key, kid := newKey(f)
	verifier := newVerifier(f, key)
	forged, r := good(key, kid)
	foreign, _ := newKey(f)
	forged.sign = func(input []byte) []byte { return ed25519.Sign(foreign, input) }
	f.Add(forged.token(f), r.method, r.target, []byte(nil))
	forged.header["alg"] = "none"
	f.Add(forged.token(f), r.method, r.target, []byte("{}"))
	f.Add("..", "", "", []byte(nil))
	f.Fuzz(func(t *testing.T, token, method, target string, body []byte) {
		got, err := verifier.Verify(noon, token, method, target, body)
		if _, ok := errors.AsType[adminapi.Refusal](err); !ok {
			t.Fatalf("got %v and error %v, want a refusal", got, err)
		}
		if got != (adminapi.Verified{}) {
			t.Fatalf("a refused token says %v", got)
		}
	})
}
