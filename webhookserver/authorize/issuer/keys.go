package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// The bounds on what an issuer's key set may cost. A token without a key ID is
// tried with every key.
const (
	maxKeys       = 100
	minRSABits    = 2048 // RFC 7518 section 3.3
	maxRSABits    = 8192
	maxTokenBytes = 64 << 10
)

// What is wrong with a token, for errors.Is.
var (
	ErrTokenMalformed   = errors.New("token is not a JWS of an accepted algorithm")
	ErrUnknownKey       = errors.New("token is signed with a key that the issuer does not publish")
	ErrSignatureInvalid = errors.New("token signature is not valid")
)

// fetchKeys returns the key set document and the keys in it that may verify a
// token.
func fetchKeys(ctx context.Context, client Client, url string) ([]byte, []jose.JSONWebKey, error) {
	raw, err := client.Get(ctx, url)
	if err != nil {
		e := fetchError(JWKS, err)
		if e.Reason == StatusUnexpected {
			e.Reason = KeysUnavailable
		}
		return nil, nil, e
	}
	keys := parseKeys(raw)
	if len(keys) == 0 {
		return nil, nil, &Error{Reason: KeysUnavailable, Endpoint: JWKS}
	}
	return raw, keys, nil
}

// parseKeys returns the usable keys of a key set. Others, of kinds that nobody
// here knows yet among them, are left out and spoil nothing (RFC 7517 section 5).
func parseKeys(raw []byte) []jose.JSONWebKey {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil
	}
	var keys []jose.JSONWebKey
	for _, text := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if err := json.Unmarshal(text, &key); err == nil && verifies(key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// verifies reports whether a key is a public signature key of sufficient strength.
func verifies(key jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		bits := public.N.BitLen()
		return bits >= minRSABits && bits <= maxRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default: // symmetric and private keys have no place in a published set
		return false
	}
}

// verify returns the payload of a token that one of the keys verifies. Named
// reports whether a key with the token's key ID is there, so that asking the
// issuer again would bring nothing new.
func verify(keys []jose.JSONWebKey, token *jose.JSONWebSignature) (payload []byte, named bool) {
	header := token.Signatures[0].Protected
	for _, key := range keys {
		if header.KeyID != "" && key.KeyID != "" && header.KeyID != key.KeyID {
			continue
		}
		if key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := token.Verify(key); err == nil {
			return payload, true
		}
		named = named || header.KeyID != "" && key.KeyID != ""
	}
	return nil, named
}
