package adminapi

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// MaxKeys bounds a key set. A rotation needs two: the key that signs and the one that will.
const MaxKeys = 8

// ErrKeys is returned for key material that is not exactly what this package writes.
var ErrKeys = errors.New("not the operator's keys")

// GenerateKey makes a private key.
func GenerateKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating a signing key: %w", err)
	}
	return key, nil
}

// KeyID is the RFC 7638 thumbprint of a public key, in base64url: its `kid`.
func KeyID(public ed25519.PublicKey) string {
	jwk := jose.JSONWebKey{Key: public}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "" // a key of a wrong length has no name, and no KeySet takes it
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

const pemType = "PRIVATE KEY"

// EncodePrivateKey writes a private key as PEM (PKCS #8), for the operator's Secret.
func EncodePrivateKey(key ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encoding a signing key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// DecodePrivateKey reads what EncodePrivateKey wrote. The error is ErrKeys and quotes nothing of the data.
func DecodePrivateKey(data []byte) (ed25519.PrivateKey, error) {
	block, rest := pem.Decode(data)
	if block == nil || block.Type != pemType || len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("%w: want one PEM block of type %s", ErrKeys, pemType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: want PKCS #8", ErrKeys)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: want Ed25519", ErrKeys)
	}
	return key, nil
}

// KeySet holds public keys by their id. It never changes; the zero value holds none, and verifies nothing.
type KeySet struct{ byID map[string]ed25519.PublicKey }

// NewKeySet returns the set of the given keys.
func NewKeySet(keys ...ed25519.PublicKey) (KeySet, error) {
	set := KeySet{byID: make(map[string]ed25519.PublicKey, len(keys))}
	if len(keys) > MaxKeys {
		return KeySet{}, fmt.Errorf("%w: %d keys, at most %d", ErrKeys, len(keys), MaxKeys)
	}
	for _, key := range keys {
		if len(key) != ed25519.PublicKeySize {
			return KeySet{}, fmt.Errorf("%w: want Ed25519", ErrKeys)
		}
		set.byID[KeyID(key)] = key
	}
	return set, nil
}

// IDs returns the ids of the keys, sorted.
func (s KeySet) IDs() []string {
	ids := make([]string, 0, len(s.byID))
	for id := range s.byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// jwkSet is a JWK set of Ed25519 public keys (RFC 7517 section 5, RFC 8037 section 2).
type jwkSet struct {
	Keys []jwk `json:"keys"`
}

type jwk struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	ID        string `json:"kid"`
	X         string `json:"x"`
}

// MarshalKeys writes the set for the server's ConfigMap. The same keys give the same bytes, whatever their order was.
func MarshalKeys(set KeySet) ([]byte, error) {
	out := jwkSet{Keys: make([]jwk, 0, len(set.byID))}
	for _, id := range set.IDs() {
		out.Keys = append(out.Keys, jwk{
			KeyType: "OKP", Curve: "Ed25519", Algorithm: string(algorithm), Use: "sig",
			ID: id, X: base64.RawURLEncoding.EncodeToString(set.byID[id]),
		})
	}
	data, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("encoding the operator's keys: %w", err)
	}
	return data, nil
}

// ParseKeys reads what MarshalKeys wrote and refuses everything else with ErrKeys: a private or symmetric key, another
// curve, another use, an id that is not the key's own, an unknown field, an empty set. A file that was tampered with in
// one place is not to be trusted in another.
func ParseKeys(data []byte) (KeySet, error) {
	var in jwkSet
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields() // the private part of a key is a field that we do not know
	if err := dec.Decode(&in); err != nil {
		return KeySet{}, fmt.Errorf("%w: want a JWK set of public keys", ErrKeys) // err could quote a private part
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || len(in.Keys) == 0 {
		return KeySet{}, fmt.Errorf("%w: want one JWK set with at least one key", ErrKeys)
	}
	keys := make([]ed25519.PublicKey, 0, len(in.Keys))
	for i, k := range in.Keys {
		x, err := base64.RawURLEncoding.Strict().DecodeString(k.X)
		if err != nil || len(x) != ed25519.PublicKeySize ||
			k.KeyType != "OKP" || k.Curve != "Ed25519" || k.Algorithm != string(algorithm) || k.Use != "sig" {
			return KeySet{}, fmt.Errorf("%w: key %d is not an Ed25519 key for signatures", ErrKeys, i)
		}
		if KeyID(x) != k.ID {
			return KeySet{}, fmt.Errorf("%w: the kid of key %d is not its thumbprint", ErrKeys, i)
		}
		keys = append(keys, x)
	}
	return NewKeySet(keys...)
}
