package adminapi_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/adminapi"
)

// The key and thumbprint of RFC 8037 appendix A.3.
func TestKeyIDIsTheThumbprintOfRFC7638(t *testing.T) {
	x, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := adminapi.KeyID(x), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestKeysSurviveTheirFiles(t *testing.T) {
	one, oneID := newKey(t)
	two, twoID := newKey(t)
	set, err := adminapi.NewKeySet(public(one), public(two))
	if err != nil {
		t.Fatal(err)
	}
	data, err := adminapi.MarshalKeys(set)
	if err != nil {
		t.Fatal(err)
	}
	turned, err := adminapi.NewKeySet(public(two), public(one))
	if err != nil {
		t.Fatal(err)
	}
	again, err := adminapi.MarshalKeys(turned)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(data, again) {
		t.Errorf("the order of the keys changes the file, which would be written again and again:\n%s\n%s", data, again)
	}
	read, err := adminapi.ParseKeys(data)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{oneID, twoID}
	if oneID > twoID {
		want = []string{twoID, oneID}
	}
	if diff := cmp.Diff(want, read.IDs()); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}

	encoded, err := adminapi.EncodePrivateKey(one)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := adminapi.DecodePrivateKey(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if !decoded.Equal(one) {
		t.Error("the private key changed on the way")
	}
}

func TestParseKeysRefuses(t *testing.T) {
	key, kid := newKey(t)
	x := base64.RawURLEncoding.EncodeToString(public(key))
	plain := object{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": kid, "x": x}
	with := func(change object) object {
		out := maps.Clone(plain)
		maps.Copy(out, change)
		return out
	}
	set := func(keys ...object) string {
		data, err := json.Marshal(object{"keys": keys})
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if _, err := adminapi.ParseKeys([]byte(set(plain))); err != nil {
		t.Fatalf("the key that the cases below change is refused itself: %v", err)
	}
	private := base64.RawURLEncoding.EncodeToString(key.Seed())
	many := make([]object, 0, adminapi.MaxKeys+1)
	for range adminapi.MaxKeys + 1 {
		another, id := newKey(t)
		many = append(many, with(object{"kid": id, "x": base64.RawURLEncoding.EncodeToString(public(another))}))
	}

	for name, tc := range map[string]struct{ reason, data string }{
		"nothing":        {"an empty file has no keys", ""},
		"no keys":        {"an empty set would shut the operator out without a word", set()},
		"half a file":    {"a file that is being written", set(plain)[:40]},
		"two documents":  {"only one of them was meant", set(plain) + set(plain)},
		"trailing brace": {"a damaged file", set(plain) + "}"},
		"private key":    {"a private key in a ConfigMap is no secret any more", set(with(object{"d": private}))},
		"symmetric key":  {"whoever can check could sign", set(object{"kty": "oct", "k": x, "kid": kid, "alg": "HS256"})},
		"other curve":    {"X25519 does not sign", set(with(object{"crv": "X25519"}))},
		"other alg":      {"there is one algorithm", set(with(object{"alg": "ES256"}))},
		"encryption key": {"a key is for one use", set(with(object{"use": "enc"}))},
		"foreign kid":    {"a key must not go by another's name", set(with(object{"kid": strings.Repeat("A", 43)}))},
		"short key":      {"32 bytes, not 31", set(with(object{"x": base64.RawURLEncoding.EncodeToString(public(key)[:31])}))},
		"too many keys":  {"a set is bounded", set(many...)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := adminapi.ParseKeys([]byte(tc.data))
			if !errors.Is(err, adminapi.ErrKeys) {
				t.Fatalf("got %v, want %v: %s", err, adminapi.ErrKeys, tc.reason)
			}
			if strings.Contains(err.Error(), private) {
				t.Error("the error quotes the private key")
			}
		})
	}
}

func TestDecodePrivateKeyRefuses(t *testing.T) {
	key, _ := newKey(t)
	encoded, err := adminapi.EncodePrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		reason string
		data   []byte
	}{
		"nothing":    {"a Secret whose key was emptied", nil},
		"cut":        {"half a key", encoded[:len(encoded)/2]},
		"two keys":   {"which one was meant is not for us to choose", append(bytes.Clone(encoded), encoded...)},
		"P-256":      {"there is one algorithm", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})},
		"public key": {"another kind of block", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})},
		"garbage":    {"not PKCS #8", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := adminapi.DecodePrivateKey(tc.data); !errors.Is(err, adminapi.ErrKeys) {
				t.Errorf("got %v, want %v: %s", err, adminapi.ErrKeys, tc.reason)
			}
		})
	}
}
