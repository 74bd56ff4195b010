package adminapi

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Refusal says why a token was refused. The set is closed, so a refusal may stand in a log or a metric; the caller on the
// wire is told nothing of it. A Refusal is itself an error, for errors.Is.
type Refusal string

// The refusals, in the order in which a token is judged.
const (
	RefusedMissing   Refusal = "Missing"   // no bearer token, or not exactly one
	RefusedMalformed Refusal = "Malformed" // not a compact JWS, or claims that are not ours
	RefusedAlgorithm Refusal = "Algorithm" // any but EdDSA
	RefusedType      Refusal = "Type"      // a token made for another purpose
	RefusedKey       Refusal = "Key"       // a kid that is not in the key set
	RefusedSignature Refusal = "Signature"
	RefusedAudience  Refusal = "Audience" // made for another ChannelLink's server
	RefusedLifetime  Refusal = "Lifetime" // valid for longer than MaxLifetime, or ending before it begins
	RefusedFuture    Refusal = "Future"   // issued more than MaxSkew ahead of our clock
	RefusedExpired   Refusal = "Expired"
	RefusedRequest   Refusal = "Request"  // made for another method, path or body
	RefusedReplayed  Refusal = "Replayed" // used before
)

// Error names the refusal.
func (r Refusal) Error() string { return "admin token refused: " + string(r) }

// Verified is what a good token says. Only Verifier makes one, so a handler that wants it cannot forget the check.
type Verified struct {
	audience string
	keyID    string
}

// Audience is the UID of the ChannelLink that the request is about.
func (v Verified) Audience() string { return v.audience }

// KeyID names the key that signed, for the audit log.
func (v Verified) KeyID() string { return v.keyID }

// Verifier checks tokens for one server. It is safe for concurrent use.
//
// A token is good for one use in one process: replicas do not share what they have seen, and a restart forgets it. What a
// replayed token could do there within its minute is to repeat its one request, and every admin request is idempotent.
type Verifier struct {
	audiences []string
	keys      atomic.Pointer[KeySet]
	seen      *replayGuard
}

// NewVerifier returns a verifier for a server with the given channels, by UID. It has no keys yet, so it refuses all.
func NewVerifier(audiences ...string) *Verifier {
	v := &Verifier{audiences: slices.Clone(audiences), seen: newReplayGuard(maxSeen)}
	v.SetKeys(KeySet{})
	return v
}

// SetKeys replaces the keys; requests in flight end with the ones they began with.
func (v *Verifier) SetKeys(keys KeySet) { v.keys.Store(&keys) }

// KeyIDs returns the ids of the keys that are accepted now, sorted.
func (v *Verifier) KeyIDs() []string { return v.keys.Load().IDs() }

// Verify checks that token authorises a request with this method, request target and body at this time. The error is
// always a Refusal.
func (v *Verifier) Verify(now time.Time, token, method, target string, body []byte) (Verified, error) {
	signed, err := parse(token)
	if err != nil {
		return Verified{}, err
	}
	header := signed.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != TokenType {
		return Verified{}, RefusedType
	}
	key, ok := v.keys.Load().byID[header.KeyID]
	if !ok {
		return Verified{}, RefusedKey
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return Verified{}, RefusedSignature
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil || c.ID == "" || len(c.ID) > maxIDLength {
		return Verified{}, RefusedMalformed
	}
	if !slices.Contains(v.audiences, c.Audience) {
		return Verified{}, RefusedAudience
	}
	if err := c.checkTime(now); err != nil {
		return Verified{}, err
	}
	if c.Method != method || c.Path != target || c.BodyHash != bodyHash(body) {
		return Verified{}, RefusedRequest
	}
	if !v.seen.first(now, c.ID, c.deadline()) {
		return Verified{}, RefusedReplayed
	}
	return Verified{audience: c.Audience, keyID: header.KeyID}, nil
}

// parse judges the algorithm before anything else is looked at.
func parse(token string) (*jose.JSONWebSignature, error) {
	if token == "" {
		return nil, RefusedMissing
	}
	if len(token) > maxTokenLength {
		return nil, RefusedMalformed
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{algorithm})
	if _, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok {
		return nil, RefusedAlgorithm
	}
	if err != nil || len(signed.Signatures) != 1 {
		return nil, RefusedMalformed
	}
	return signed, nil
}

func (c claims) checkTime(now time.Time) error {
	issued, expires := time.Unix(c.IssuedAt, 0), time.Unix(c.Expires, 0)
	switch lifetime := expires.Sub(issued); {
	case lifetime <= 0 || lifetime > MaxLifetime:
		return RefusedLifetime
	case issued.After(now.Add(MaxSkew)):
		return RefusedFuture
	case !now.Before(c.deadline()):
		return RefusedExpired
	}
	return nil
}

// deadline is when the token has expired by every clock that may be asked.
func (c claims) deadline() time.Time { return time.Unix(c.Expires, 0).Add(MaxSkew) }

// BearerToken returns the token of an Authorization header (RFC 6750 section 2.1), given all its values. Two headers are
// none: which one counts would depend on who reads them.
func BearerToken(authorization []string) string {
	if len(authorization) != 1 {
		return ""
	}
	scheme, token, ok := strings.Cut(authorization[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}
