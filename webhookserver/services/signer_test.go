package services

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// Whatever the numbers of a signature are, the library verifies it: one in 128 has a half with fewer than 32 bytes.
func TestSignerMakesWhatTheLibraryVerifies(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSigner(key, "the <key>")
	if err != nil {
		t.Fatal(err)
	}
	for length := range 600 {
		payload := strings.Repeat("天", length/3)
		token, err := s.sign([]byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			t.Fatalf("%s: %v", token, err)
		}
		got, err := parsed.Verify(&key.PublicKey)
		if err != nil || string(got) != payload {
			t.Fatalf("%s: %q, %v", token, got, err)
		}
		header := parsed.Signatures[0].Protected
		if header.KeyID != "the <key>" || header.ExtraHeaders[jose.HeaderType] != AssertionType {
			t.Fatalf("header %+v", header)
		}
	}
}

func TestSignerRefusesOtherCurves(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newSigner(key, "key"); err == nil {
		t.Error("a key of P-384 signs ES256")
	}
}
