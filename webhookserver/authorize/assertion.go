package authorize

import (
	"crypto/rand"
	"encoding/json"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// assertionLife is that of a client assertion: one request, and the clocks of both sides.
const assertionLife = time.Minute

// clientAssertion is the JWT by which private_key_jwt proves who we are (RFC 7523 section 3, OpenID Connect Core section 9).
func (l *Logins) clientAssertion(tokenEndpoint string) (string, error) {
	raw, ok := l.Secrets.PrivateKey()
	if !ok {
		return "", errKey
	}
	key, err := parseKey(raw)
	if err != nil {
		return "", err
	}
	signer, err := key.signer()
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

// signer signs with the key and names it in the header, if it has a name.
func (k clientKey) signer() (jose.Signer, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if k.id != "" {
		options = options.WithHeader("kid", k.id)
	}
	if k.certificate != nil {
		options = options.WithHeader("x5t", k.thumbprint(sha1Sum)).WithHeader("x5t#S256", k.thumbprint(sha256Sum))
	}
	return jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: k.private}, options)
}
