package link

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"testing"
	"time"
)

func TestNewKey(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	channel := NewChannelID("LINE", "507oftxz")
	seen := map[string]bool{}
	for range 3 {
		key, err := NewKey(channel, AssertionKey, 1, now)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := x509.ParsePKCS8PrivateKey([]byte(key.Material.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		if private, ok := parsed.(*ecdsa.PrivateKey); !ok || private.Curve != elliptic.P256() {
			t.Errorf("assertion key is %T, want ECDSA P-256", parsed)
		}
		hash, err := NewKey(channel, UserHashKey, 1, now)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(hash.Material.Reveal()); n != 32 {
			t.Errorf("user hash key has %d bytes, want 32", n)
		}
		for _, id := range []string{key.ID, hash.ID, key.Material.Reveal(), hash.Material.Reveal()} {
			if len(id) < 16 || seen[id] {
				t.Errorf("%q is short or not new", id)
			}
			seen[id] = true
		}
	}
	if _, err := NewKey(channel, "other", 1, now); err == nil {
		t.Error("an unknown purpose was taken")
	}
}
