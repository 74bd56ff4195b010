package authorize

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// assertionLife is that of a client assertion: one request, and the clocks of both sides.
const assertionLife = time.Minute

// errKey says what is wrong with the private key, and nothing of what is in it.
var errKey = errors.New("the private key is not PKCS #8, PKCS #1 or SEC 1 of RSA with 2048 bits or more, P-256, P-384, P-521 or Ed25519")

// clientAssertion is the JWT by which private_key_jwt proves who we are (RFC 7523 section 3, OpenID Connect Core section 9).
// It has no `kid`: the key has none that the issuer would know.
func (l *Logins) clientAssertion(tokenEndpoint string) (string, error) {
	raw, ok := l.Secrets.PrivateKey()
	if !ok {
		return "", errKey
	}
	key, algorithm, err := parseKey(raw)
	if err != nil {
		return "", err
	}
	options := (&jose.SignerOptions{}).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		return "", errKey
	}
	now := l.Now()
	payload, err := json.Marshal(map[string]any{
		"iss": l.Channel.OIDC.ClientID,
		"sub": l.Channel.OIDC.ClientID,
		"aud": tokenEndpoint,
		"jti": rand.Text(),
		"iat": now.Unix(),
		"exp": now.Add(assertionLife).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", errKey
	}
	return signed.CompactSerialize()
}

// minKeyBits is what RFC 7518 section 3.3 asks for.
const minKeyBits = 2048

// parseKey reads the first private key of a PEM file.
func parseKey(raw []byte) (crypto.PrivateKey, jose.SignatureAlgorithm, error) {
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			continue // a certificate, or the parameters of a curve
		}
		if err != nil {
			return nil, "", errKey
		}
		if algorithm, ok := algorithmOf(key); ok {
			return key, algorithm, nil
		}
		return nil, "", errKey
	}
	return nil, "", errKey
}

func algorithmOf(key any) (jose.SignatureAlgorithm, bool) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return jose.RS256, key.N.BitLen() >= minKeyBits
	case ed25519.PrivateKey:
		return jose.EdDSA, true
	case *ecdsa.PrivateKey:
		switch key.Curve {
		case elliptic.P256():
			return jose.ES256, true
		case elliptic.P384():
			return jose.ES384, true
		case elliptic.P521():
			return jose.ES512, true
		}
	}
	return "", false
}
