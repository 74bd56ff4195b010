package services

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// signer makes compact JWS with one key. A header is the same in all of them, so it is encoded once; the library does it for
// each, which costs as much as half a signature.
type signer struct {
	key    *ecdsa.PrivateKey
	header string // encoded, with the dot behind it
}

func newSigner(key *ecdsa.PrivateKey, id string) (signer, error) {
	if key.Params().BitSize != 8*p256Bytes {
		return signer{}, errors.New("not a key for ES256")
	}
	header, err := json.Marshal(struct {
		Algorithm jose.SignatureAlgorithm `json:"alg"`
		KeyID     string                  `json:"kid"`
		Type      string                  `json:"typ"`
	}{jose.ES256, id, AssertionType})
	if err != nil {
		return signer{}, err
	}
	return signer{key, base64.RawURLEncoding.EncodeToString(header) + "."}, nil
}

// p256Bytes is the length of either half of a signature.
const p256Bytes = 32

// sign returns the payload as a compact JWS (RFC 7515 section 7.1) with an ES256 signature (RFC 7518 section 3.4).
func (s signer) sign(payload []byte) (string, error) {
	token := make([]byte, 0, len(s.header)+base64.RawURLEncoding.EncodedLen(len(payload))+1+base64.RawURLEncoding.EncodedLen(2*p256Bytes))
	token = append(token, s.header...)
	token = base64.RawURLEncoding.AppendEncode(token, payload)
	digest := sha256.Sum256(token)
	r, t, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		return "", err
	}
	var signature [2 * p256Bytes]byte
	r.FillBytes(signature[:p256Bytes])
	t.FillBytes(signature[p256Bytes:])
	return string(base64.RawURLEncoding.AppendEncode(append(token, '.'), signature[:])), nil
}
