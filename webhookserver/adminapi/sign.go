package adminapi

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Signer signs the operator's requests with one key. It is safe for concurrent use.
type Signer struct {
	keyID string
	jose  jose.Signer
}

// NewSigner returns a signer with the given key. The error is ErrKeys.
func NewSigner(key ed25519.PrivateKey) (*Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: want an Ed25519 private key", ErrKeys)
	}
	public := key.Public().(ed25519.PublicKey) //nolint:forcetypeassert // documented by crypto/ed25519
	id := KeyID(public)
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}},
		(&jose.SignerOptions{}).WithType(TokenType),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing the signing key %s: %w", id, err)
	}
	return &Signer{keyID: id, jose: signer}, nil
}

// KeyID returns the `kid` that the tokens carry. A server that does not list it in its status refuses them.
func (s *Signer) KeyID() string { return s.keyID }

// Sign returns a token that authorises r once, from now for MaxLifetime.
func (s *Signer) Sign(now time.Time, r Request) (string, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", fmt.Errorf("making a token id: %w", err)
	}
	return s.sign(claims{
		Audience: r.Audience,
		IssuedAt: now.Unix(),
		Expires:  now.Add(MaxLifetime).Unix(),
		ID:       base64.RawURLEncoding.EncodeToString(id),
		Method:   r.Method,
		Path:     r.Path,
		BodyHash: bodyHash(r.Body),
	})
}

func (s *Signer) sign(c claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encoding a token: %w", err)
	}
	signed, err := s.jose.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("encoding a token: %w", err)
	}
	return token, nil
}
