package link

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"channellink.dev/operator/webhookserver/secretfile"
)

// KeyPurpose says what a key of the server is for.
type KeyPurpose string

// The purposes of keys.
const (
	AssertionKey KeyPurpose = "assertion" // signs identity assertions: ECDSA P-256, PKCS #8 DER
	UserHashKey  KeyPurpose = "user-hash" // hashes user IDs for logs and audit: 32 random bytes
)

// Key is a key that the server made for itself. Replicas share it.
type Key struct {
	Channel    ChannelID
	Purpose    KeyPurpose
	Generation int    // 1, then one more with each rotation
	ID         string // public, such as a JWT's kid
	Material   secretfile.Secret
	CreatedAt  time.Time
}

// KeyStore keeps the server's keys.
type KeyStore interface {
	// PutKey stores a key, unless its channel and purpose have one of that
	// generation already, and returns the one that is stored. So replicas that
	// make a key at the same moment agree on the first.
	PutKey(ctx context.Context, key Key) (Key, error)
	// Keys returns the keys of a channel and purpose, newest generation first.
	Keys(ctx context.Context, channel ChannelID, purpose KeyPurpose) ([]Key, error)
	// DropKeys removes the keys of a channel and purpose whose generation is below
	// the given one.
	DropKeys(ctx context.Context, channel ChannelID, purpose KeyPurpose, below int) error
}

// EnsureKeys makes the first key of each purpose where there is none.
func EnsureKeys(ctx context.Context, store KeyStore, channel ChannelID, now time.Time) error {
	for _, purpose := range []KeyPurpose{AssertionKey, UserHashKey} {
		keys, err := store.Keys(ctx, channel, purpose)
		if err != nil {
			return err
		}
		if len(keys) > 0 {
			continue
		}
		key, err := NewKey(channel, purpose, 1, now)
		if err != nil {
			return err
		}
		if _, err := store.PutKey(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// NewKey makes a key of the given generation. It is not stored yet.
func NewKey(channel ChannelID, purpose KeyPurpose, generation int, now time.Time) (Key, error) {
	key := Key{Channel: channel, Purpose: purpose, Generation: generation, CreatedAt: now}
	switch purpose {
	case AssertionKey:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return Key{}, fmt.Errorf("make assertion key: %w", err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return Key{}, fmt.Errorf("encode assertion key: %w", err)
		}
		public, err := x509.MarshalPKIXPublicKey(private.Public())
		if err != nil {
			return Key{}, fmt.Errorf("encode public assertion key: %w", err)
		}
		key.Material, key.ID = secretfile.NewSecret(string(der)), fingerprint(public)
	case UserHashKey:
		material := make([]byte, sha256.Size)
		_, _ = rand.Read(material) // never fails: crypto/rand ends the process instead
		key.Material, key.ID = secretfile.NewSecret(string(material)), rand.Text()
	default:
		return Key{}, fmt.Errorf("make key: unknown purpose %q", purpose)
	}
	return key, nil
}

// fingerprint is a short name for a public key, unique in practice.
func fingerprint(public []byte) string {
	sum := sha256.Sum256(public)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}
