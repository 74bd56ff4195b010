package authorize

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // names a certificate (RFC 7515 section 4.1.7) and protects nothing
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// errKey says what is wrong with the private key, and nothing of what is in it.
var errKey = errors.New("the private key is neither a JWK nor PKCS #8, PKCS #1 or SEC 1 in PEM, or it is not RSA with 2048 bits or more, P-256, P-384, P-521 or Ed25519")

// clientKey is the key of private_key_jwt, with the name under which the issuer knows it where the file tells. A name that
// was made up here, such as a thumbprint of the public key, would be worse than none: issuers that look a key up by `kid`
// refuse one that they do not know, and try all keys of the client when there is none.
type clientKey struct {
	private   crypto.PrivateKey
	algorithm jose.SignatureAlgorithm
	// id is the `kid` of a JWK: the one that was registered with it.
	id string
	// certificate is what stands beside the key in a PEM file, DER; for issuers that know a key by its certificate.
	certificate []byte
}

// UsableKey reports whether client assertions can be signed with what the file of the private key holds.
func UsableKey(raw []byte) bool {
	_, err := parseKey(raw)
	return err == nil
}

// parseKey reads a private JWK, or the first private key of a PEM file.
func parseKey(raw []byte) (clientKey, error) {
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		return parseJWK(raw)
	}
	var key clientKey
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			if certificate, err := x509.ParseCertificate(block.Bytes); err == nil {
				certificates = append(certificates, certificate)
			}
			continue
		}
		if key.private != nil {
			continue
		}
		private, known, err := parseBlock(block)
		if !known {
			continue // the parameters of a curve
		}
		algorithm, usable := algorithmOf(private)
		if err != nil || !usable {
			return clientKey{}, errKey
		}
		key.private, key.algorithm = private, algorithm
	}
	if key.private == nil {
		return clientKey{}, errKey
	}
	for _, certificate := range certificates {
		if certifies(certificate, key.private) {
			key.certificate = certificate.Raw
			break
		}
	}
	return key, nil
}

// parseBlock reads one block of a PEM file; known is false for what is no private key.
func parseBlock(block *pem.Block) (private crypto.PrivateKey, known bool, err error) {
	switch block.Type {
	case "PRIVATE KEY":
		private, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		private, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		private, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, false, nil
	}
	return private, true, err
}

// rsaAlgorithms are those that an RSA key may name in a JWK; without a word it is RS256.
var rsaAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}

// parseJWK reads a private key with its `kid` and, for RSA, its `alg` (RFC 7517).
func parseJWK(raw []byte) (clientKey, error) {
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(raw) != nil || !jwk.Valid() {
		return clientKey{}, errKey
	}
	algorithm, usable := algorithmOf(jwk.Key)
	if !usable || jwk.Use != "" && jwk.Use != "sig" {
		return clientKey{}, errKey
	}
	if named := jose.SignatureAlgorithm(jwk.Algorithm); named != "" && named != algorithm {
		if _, isRSA := jwk.Key.(*rsa.PrivateKey); !isRSA || !slices.Contains(rsaAlgorithms, named) {
			return clientKey{}, errKey
		}
		algorithm = named
	}
	return clientKey{private: jwk.Key, algorithm: algorithm, id: jwk.KeyID}, nil
}

// certifies reports whether a certificate is of the key.
func certifies(certificate *x509.Certificate, private crypto.PrivateKey) bool {
	signer, ok := private.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := signer.Public().(interface{ Equal(x crypto.PublicKey) bool })
	return ok && public.Equal(certificate.PublicKey)
}

// thumbprint names the certificate.
func (k clientKey) thumbprint(sum func([]byte) []byte) string {
	return base64.RawURLEncoding.EncodeToString(sum(k.certificate))
}

func sha1Sum(data []byte) []byte {
	sum := sha1.Sum(data) //nolint:gosec // see the import
	return sum[:]
}

func sha256Sum(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

// minKeyBits is what RFC 7518 section 3.3 asks for.
const minKeyBits = 2048

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
