package store

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// minEncryptionKey is the shortest encryption key, in bytes. HKDF stretches
// nothing: a key must be as hard to guess as 128 random bits.
const minEncryptionKey = 16

// sealer encrypts values before they are stored, if it has a key. The key ring is
// newest first: the first key seals, every key opens.
type sealer struct {
	ring func() []secretfile.Secret
}

func (s sealer) keys() []secretfile.Secret {
	if s.ring == nil {
		return nil
	}
	return s.ring()
}

// seal encrypts plain with the newest key and returns that key's ID; without keys
// it returns plain and "". The context binds the value to its row: moved to
// another one, it does not open.
func (s sealer) seal(plain, context []byte) (value []byte, keyID string, err error) {
	keys := s.keys()
	if len(keys) == 0 {
		return plain, "", nil
	}
	key, err := deriveKey(keys[0])
	if err != nil {
		return nil, "", err
	}
	sealed := key.aead.Seal(nil, nil, plain, context) //nolint:gosec // NewGCMWithRandomNonce makes the nonce
	return sealed, key.id, nil
}

// open reverses seal. Stale says that seal would use another key by now.
func (s sealer) open(value []byte, keyID string, context []byte) (plain []byte, stale bool, err error) {
	keys := s.keys()
	if keyID == "" {
		return value, len(keys) > 0, nil
	}
	for i, secret := range keys {
		key, err := deriveKey(secret)
		if err != nil {
			return nil, false, err
		}
		if key.id != keyID {
			continue
		}
		plain, err := key.aead.Open(nil, nil, value, context)
		if err != nil {
			return nil, false, fmt.Errorf("open sealed value: changed or moved: %w", link.ErrSealed)
		}
		return plain, i > 0, nil
	}
	return nil, false, fmt.Errorf("open sealed value: key %s: %w", keyID, link.ErrSealed)
}

type sealingKey struct {
	id   string // tells keys apart without telling anything about them
	aead cipher.AEAD
}

func deriveKey(secret secretfile.Secret) (sealingKey, error) {
	raw := []byte(secret.Reveal())
	if len(raw) < minEncryptionKey {
		return sealingKey{}, fmt.Errorf("encryption key: shorter than %d bytes", minEncryptionKey)
	}
	derived, err := hkdf.Key(sha256.New, raw, nil, "channellink store: AES-256-GCM key", 32)
	if err != nil {
		return sealingKey{}, fmt.Errorf("derive encryption key: %w", err)
	}
	id, err := hkdf.Key(sha256.New, raw, nil, "channellink store: key id", 8)
	if err != nil {
		return sealingKey{}, fmt.Errorf("derive key id: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return sealingKey{}, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return sealingKey{}, fmt.Errorf("make cipher: %w", err)
	}
	return sealingKey{id: hex.EncodeToString(id), aead: aead}, nil
}
