package authorize

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	exactjson "github.com/go-jose/go-jose/v4/json"

	"channellink.dev/operator/webhookserver/authorize/issuer"
)

// leeway is how far the issuer's clock may be from ours.
const leeway = time.Minute

// maxSubject is the longest `sub` (OpenID Connect Core section 2).
const maxSubject = 255

// idToken is what is judged of an ID token (OpenID Connect Core section 2).
type idToken struct {
	Issuer     string          `json:"iss"`
	Subject    string          `json:"sub"`
	Audience   audience        `json:"aud"`
	Authorized *string         `json:"azp"`
	Nonce      string          `json:"nonce"`
	Expires    *numericDate    `json:"exp"`
	Issued     *numericDate    `json:"iat"`
	NotBefore  *numericDate    `json:"nbf"`
	AuthTime   *numericDate    `json:"auth_time"`
	ACR        string          `json:"acr"`
	AccessHash *string         `json:"at_hash"`
	Events     json.RawMessage `json:"events"` // of a logout token, and of no ID token
}

// joseHeader is what is judged of the token's header. That it is signed has been proven before.
type joseHeader struct {
	Type      string `json:"typ"`
	Algorithm string `json:"alg"`
}

// claimSet are all the claims of a person, as an expression sees them.
type claimSet map[string]any

// authenticate exchanges the code and verifies the ID token that comes for it.
func (l *Logins) authenticate(ctx context.Context, v *visit) (claimSet, error) {
	metadata, ok := l.Issuer.Metadata()
	if !ok {
		return nil, refuse(IssuerUnknown, nil)
	}
	got, err := l.exchange(ctx, metadata, v.code, v.session.Verifier)
	if err != nil {
		return nil, err
	}
	claims, err := l.verify(ctx, metadata, got, v)
	if err != nil {
		return nil, err
	}
	return l.completed(ctx, metadata, got.AccessToken, claims)
}

// verify judges an ID token in every respect: go-oidc takes a logout token and a foreign azp for good, and leaves nonce and
// age to its caller.
func (l *Logins) verify(ctx context.Context, m issuer.Metadata, got tokens, v *visit) (claimSet, error) {
	payload, err := l.Issuer.VerifySignature(ctx, got.IDToken)
	if _, down := errors.AsType[*issuer.Error](err); down {
		return nil, refuse(IssuerUnavailable, err)
	} else if err != nil {
		return nil, refuse(IDTokenSignature, err)
	}
	var t idToken
	var claims claimSet
	header, ok := headerOf(got.IDToken)
	// To encoding/json "AZP" is "azp", and the last of two counts: a person whom the issuer lets choose a claim of his own must
	// not choose ours.
	if !ok || exactjson.Unmarshal(payload, &t) != nil || exactjson.Unmarshal(payload, &claims) != nil {
		return nil, refuse(IDTokenMalformed, nil)
	}
	client, began := l.Channel.OIDC.ClientID, v.session.StartedAt
	for _, rule := range []struct {
		reason Reason
		holds  bool
	}{
		{IDTokenType, isIDToken(header, t)},
		{IDTokenIssuer, t.Issuer == m.Issuer},
		{IDTokenAudience, slices.Contains(t.Audience, client)},
		{IDTokenAudience, t.Authorized == nil && len(t.Audience) == 1 || t.Authorized != nil && *t.Authorized == client},
		{IDTokenNonce, same(v.session.NonceHash, t.Nonce)},
		{IDTokenExpired, t.Expires != nil && v.now.Before(t.Expires.Add(leeway))},
		// It was made for this login, so it is no older.
		{IDTokenTime, t.Issued != nil && !t.Issued.After(v.now.Add(leeway)) && !t.Issued.Before(began.Add(-leeway))},
		{IDTokenTime, t.NotBefore == nil || !t.NotBefore.After(v.now.Add(leeway))},
		{IDTokenHash, t.AccessHash == nil || got.AccessToken == "" || *t.AccessHash == accessHash(header.Algorithm, got.AccessToken)},
		{IDTokenSubject, isSubject(t.Subject)},
		{IDTokenAuthTime, l.recent(t.AuthTime, began, v.now)},
		{IDTokenACR, len(l.Channel.OIDC.ACRValues) == 0 || slices.Contains(l.Channel.OIDC.ACRValues, t.ACR)},
	} {
		if !rule.holds {
			return nil, refuse(rule.reason, nil)
		}
	}
	return claims, nil
}

// isSubject reports whether s tells one person from every other. A decoder makes the same replacement character of whatever
// is no text; a database may keep no zero byte.
func isSubject(s string) bool {
	return s != "" && len(s) <= maxSubject && !strings.ContainsRune(s, utf8.RuneError) && !strings.ContainsFunc(s, unicode.IsControl)
}

// isIDToken refuses tokens that the issuer signs for other ends: logout tokens (Back-Channel Logout 1.0 section 2.4), access
// tokens (RFC 9068), security events.
func isIDToken(h joseHeader, t idToken) bool {
	switch strings.TrimPrefix(strings.ToLower(h.Type), "application/") {
	case "", "jwt", "id_token+jwt":
		return len(t.Events) == 0
	}
	return false
}

// recent reports whether the person signed in within oidc.maxAge before this login began.
func (l *Logins) recent(at *numericDate, began, now time.Time) bool {
	if l.Channel.OIDC.MaxAge == nil {
		return true
	}
	return at != nil && !at.Before(began.Add(-l.Channel.OIDC.MaxAge.Std()-leeway)) && !at.After(now.Add(leeway))
}

// accessHash is `at_hash` (OpenID Connect Core section 3.1.3.6): the left half of the hash that goes with the algorithm.
func accessHash(algorithm, accessToken string) string {
	var sum []byte
	switch {
	case strings.HasSuffix(algorithm, "256"):
		s := sha256.Sum256([]byte(accessToken))
		sum = s[:]
	case strings.HasSuffix(algorithm, "384"):
		s := sha512.Sum384([]byte(accessToken))
		sum = s[:]
	default: // 512, and EdDSA with Ed25519
		s := sha512.Sum512([]byte(accessToken))
		sum = s[:]
	}
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

func headerOf(token string) (joseHeader, bool) {
	first, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(first)
	var h joseHeader
	return h, err == nil && exactjson.Unmarshal(raw, &h) == nil
}

// audience is `aud`: one or several (RFC 7519 section 4.1.3).
type audience []string

// UnmarshalJSON reads a string or an array of strings.
func (a *audience) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

// numericDate is seconds since 1970, perhaps with a fraction (RFC 7519 section 2).
type numericDate struct{ time.Time }

// maxSeconds is the year 9999: later than any token, and no overflow.
const maxSeconds = 253402300799

var errDate = errors.New("not a date")

// UnmarshalJSON reads a number.
func (d *numericDate) UnmarshalJSON(data []byte) error {
	var seconds float64
	if err := json.Unmarshal(data, &seconds); err != nil || math.Abs(seconds) > maxSeconds {
		return errDate
	}
	d.Time = time.Unix(int64(seconds), 0)
	return nil
}
