package samplehr

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"

	"channellink.dev/operator/internal/chatsim/wire"
)

// assertionType is the `typ` of identity assertions: no other token of the same keys will do.
const assertionType = "identity-assertion+jwt"

// Bounds of an assertion's times.
const (
	maxAssertionLife = 2 * time.Minute
	clockSkew        = 30 * time.Second
)

// header is the first part of a token.
type header struct {
	Algorithm string   `json:"alg"`
	KeyID     string   `json:"kid"`
	Type      string   `json:"typ"`
	Critical  []string `json:"crit"`
}

// claims are what an assertion says.
type claims struct {
	Issuer        string   `json:"iss"`
	Audience      audience `json:"aud"`
	Subject       string   `json:"sub"`
	SubjectIssuer string   `json:"sub_iss"`
	Account       string   `json:"account"`
	Platform      string   `json:"platform"`
	ChatUser      string   `json:"chat_user"`
	Confirmed     bool     `json:"confirmed"`
	IssuedAt      int64    `json:"iat"`
	NotBefore     int64    `json:"nbf"`
	Expires       int64    `json:"exp"`
	ID            string   `json:"jti"`
}

// audience is one name or a list (RFC 7519, section 4.1.3).
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(a))
}

// verify believes an assertion, or says why not. What an assertion says of itself is read first and believed last.
func (s *Service) verify(ctx context.Context, token string) (claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, fmt.Errorf("%w: it is no signed token", errNotBelieved)
	}
	var h header
	var c claims
	if decode(parts[0], &h) != nil || decode(parts[1], &c) != nil {
		return claims{}, fmt.Errorf("%w: it cannot be read", errNotBelieved)
	}
	channel, trusted := s.config.Issuers[c.Issuer]
	wire.About(ctx, channel)
	switch {
	case h.Type != assertionType:
		return claims{}, fmt.Errorf("%w: typ %q", errNotBelieved, h.Type)
	case h.Algorithm != "ES256" || len(h.Critical) > 0:
		return claims{}, fmt.Errorf("%w: alg %q", errNotBelieved, h.Algorithm)
	case !trusted:
		return claims{}, fmt.Errorf("%w: an issuer that is not ours", errNotBelieved)
	case len(c.Audience) != 1 || c.Audience[0] != s.config.Audience:
		return claims{}, fmt.Errorf("%w: it is for somebody else", errNotBelieved)
	}
	key, err := s.keys.find(ctx, c.Issuer, h.KeyID)
	if err != nil {
		return claims{}, fmt.Errorf("%w: %w", errNotBelieved, err)
	}
	if !signedBy(key, parts) {
		return claims{}, fmt.Errorf("%w: the signature is wrong", errNotBelieved)
	}
	now := s.now()
	issued, expires, notBefore := time.Unix(c.IssuedAt, 0), time.Unix(c.Expires, 0), time.Unix(c.NotBefore, 0)
	switch {
	case now.After(expires.Add(clockSkew)), expires.Sub(issued) > maxAssertionLife:
		return claims{}, fmt.Errorf("%w: it has expired, or lives too long", errNotBelieved)
	case now.Before(notBefore.Add(-clockSkew)), now.Before(issued.Add(-clockSkew)):
		return claims{}, fmt.Errorf("%w: it is of the future", errNotBelieved)
	case c.Subject == "" || c.SubjectIssuer == "" || c.Account == "" || c.ID == "":
		return claims{}, fmt.Errorf("%w: it names nobody", errNotBelieved)
	}
	return c, nil
}

// signedBy checks an ES256 signature: r and s, 32 bytes each (RFC 7518, section 3.4).
func signedBy(key *ecdsa.PublicKey, parts []string) bool {
	const half = 32
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 2*half {
		return false
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
	return ecdsa.Verify(key, digest[:], r, s)
}

func decode(part string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.NewDecoder(bytes.NewReader(raw)).Decode(into)
}

// formOf encodes pairs of a name and a value.
func formOf(pairs ...string) string {
	form := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		form.Set(pair[0], pair[1])
	}
	return form.Encode()
}
