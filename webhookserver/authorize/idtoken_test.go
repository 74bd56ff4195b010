package authorize_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
)

// TestIDTokenClaims gives the login ID tokens that the issuer has signed and that are not for it. // C8, C11, C31, C86
func TestIDTokenClaims(t *testing.T) {
	hour := config.Duration(time.Hour)
	zero := config.Duration(0)
	maxAge := func(d *config.Duration) option { return oidc(func(o *config.OIDC) { o.MaxAge = d }) }
	acr := oidc(func(o *config.OIDC) { o.ACRValues = []string{"mfa", "phr"} })
	backChannel := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	for _, c := range []struct {
		name, reason string
		claims       map[string]any
		option       option
		refused      authorize.Reason // empty: taken
	}{
		{"as it should be", "the ground that the others change", nil, nil, ""},

		{"nonce missing", "made for no login of ours (C8)", map[string]any{"nonce": nil}, nil, authorize.IDTokenNonce},
		{"nonce wrong", "made for another login (C8)", map[string]any{"nonce": "n-0S6_WzA2Mj"}, nil, authorize.IDTokenNonce},
		{"nonce empty", "made for no login of ours (C8)", map[string]any{"nonce": ""}, nil, authorize.IDTokenNonce},
		{"logout token", "it ends a session and begins none (C8)", map[string]any{"events": backChannel}, nil, authorize.IDTokenType},

		{"audience array", "one entry is as good as a string (C11)", map[string]any{"aud": []string{clientID}}, nil, ""},
		{"audience foreign", "for another client (C11)", map[string]any{"aud": "other"}, nil, authorize.IDTokenAudience},
		{"audience missing", "for nobody (C11)", map[string]any{"aud": nil}, nil, authorize.IDTokenAudience},
		{"audience empty", "for nobody (C11)", map[string]any{"aud": []string{}}, nil, authorize.IDTokenAudience},
		{"audience with another, no azp", "nobody says for which it was made (C11)", map[string]any{"aud": []string{clientID, "other"}}, nil, authorize.IDTokenAudience},
		{"audience with another, azp ours", "it says that it is for us (C11)", map[string]any{"aud": []string{clientID, "other"}, "azp": clientID}, nil, ""},
		{"audience with another, azp foreign", "made for the other (C11)", map[string]any{"aud": []string{clientID, "other"}, "azp": "other"}, nil, authorize.IDTokenAudience},
		{"azp foreign", "go-oidc lets it pass (C11)", map[string]any{"azp": "other"}, nil, authorize.IDTokenAudience},
		{"azp empty", "there and not ours (C11)", map[string]any{"azp": ""}, nil, authorize.IDTokenAudience},
		{"azp ours", "redundant (C11)", map[string]any{"azp": clientID}, nil, ""},

		{"issuer foreign", "signed with our issuer's key for another name", map[string]any{"iss": "https://evil.example"}, nil, authorize.IDTokenIssuer},
		{"issuer missing", "nobody's", map[string]any{"iss": nil}, nil, authorize.IDTokenIssuer},
		{"expired", "over for more than a minute (C86)", map[string]any{"exp": fromNow(-61 * time.Second)}, nil, authorize.IDTokenExpired},
		{"just expired", "clocks differ by a minute (C86)", map[string]any{"exp": fromNow(-50 * time.Second)}, nil, ""},
		{"exp missing", "required by OpenID Connect Core section 2", map[string]any{"exp": nil}, nil, authorize.IDTokenExpired},
		{"iat in the future", "more than a minute ahead (C86)", map[string]any{"iat": fromNow(70 * time.Second)}, nil, authorize.IDTokenTime},
		{"iat old", "made before this login began", map[string]any{"iat": fromNow(-2 * time.Minute)}, nil, authorize.IDTokenTime},
		{"iat missing", "required by OpenID Connect Core section 2", map[string]any{"iat": nil}, nil, authorize.IDTokenTime},
		{"nbf in the future", "not yet good", map[string]any{"nbf": fromNow(70 * time.Second)}, nil, authorize.IDTokenTime},
		{"exp no number", "not a date", map[string]any{"exp": "tomorrow"}, nil, authorize.IDTokenMalformed},
		{"exp beyond time", "an overflow would be a date again", map[string]any{"exp": 1e300}, nil, authorize.IDTokenMalformed},
		{"at_hash of another token", "the access token was exchanged", map[string]any{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, nil, authorize.IDTokenHash},
		{"subject missing", "nobody", map[string]any{"sub": nil}, nil, authorize.IDTokenSubject},
		{"subject empty", "nobody", map[string]any{"sub": ""}, nil, authorize.IDTokenSubject},
		{"subject too long", "at most 255 characters", map[string]any{"sub": strings.Repeat("s", 256)}, nil, authorize.IDTokenSubject},
		{"subject in capitals", "another claim: names have their case (RFC 7519 section 4)", map[string]any{"sub": nil, "SUB": "somebody"}, nil, authorize.IDTokenSubject},
		{"azp in capitals", "another claim, which a person may have been let choose (C11)", map[string]any{"aud": []string{clientID, "other"}, "AZP": clientID}, nil, authorize.IDTokenAudience},
		{"issuer in capitals beside it", "another claim, and ours is good", map[string]any{"ISS": "https://evil.example"}, nil, ""},
		{"subject of half a character", "every such subject would read the same", map[string]any{"sub": json.RawMessage(`"a\ud800"`)}, nil, authorize.IDTokenSubject},
		{"subject with a zero byte", "PostgreSQL keeps none", map[string]any{"sub": "a\x00b"}, nil, authorize.IDTokenSubject},

		{"signed in long ago", "longer than maxAge (C31)", map[string]any{"auth_time": fromNow(-2 * time.Hour)}, maxAge(&hour), authorize.IDTokenAuthTime},
		{"signed in lately", "within maxAge (C31)", map[string]any{"auth_time": fromNow(-50 * time.Minute)}, maxAge(&hour), ""},
		{"auth_time missing", "an issuer that ignores max_age does not say when (C31)", map[string]any{"auth_time": nil}, maxAge(&hour), authorize.IDTokenAuthTime},
		{"auth_time in the future", "a clock that wrong proves nothing (C31)", map[string]any{"auth_time": fromNow(2 * time.Hour)}, maxAge(&hour), authorize.IDTokenAuthTime},
		{"signed in before, maxAge 0", "an old session is not enough (C31)", map[string]any{"auth_time": fromNow(-2 * time.Minute)}, maxAge(&zero), authorize.IDTokenAuthTime},
		{"signed in now, maxAge 0", "this very login (C31)", nil, maxAge(&zero), ""},

		{"acr asked for", "the second choice is good, too", map[string]any{"acr": "phr"}, acr, ""},
		{"acr weaker", "the issuer did less than it was asked for", map[string]any{"acr": "pwd"}, acr, authorize.IDTokenACR},
		{"acr missing", "the issuer does not say what it did", nil, acr, authorize.IDTokenACR},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := []option{}
			if c.option != nil {
				options = append(options, c.option)
			}
			w := newWorld(t, options...)
			p := w.browser().signedIn(t, issuertest.Login{Claims: resolved(c.claims)})
			if c.refused == "" {
				if p.Code != http.StatusSeeOther {
					t.Errorf("%s: refused with %d\n%s", c.reason, p.Code, w.logs)
				}
				return
			}
			if p.Code == http.StatusSeeOther || w.count(c.refused) != 1 {
				t.Errorf("%s: got %d, want it refused as %s\n%s", c.reason, p.Code, c.refused, w.logs)
			}
		})
	}
}

// fromNow is a time claim, counted from the moment of its login: the cases before it may have taken longer than a clock may be
// off.
type fromNow time.Duration

// resolved are claims with their times as an issuer writes them.
func resolved(claims map[string]any) map[string]any {
	claims = maps.Clone(claims)
	for name, value := range claims {
		if d, ok := value.(fromNow); ok {
			claims[name] = time.Now().Add(time.Duration(d)).Unix()
		}
	}
	return claims
}

// TestIDTokenSignature gives the login tokens whose claims are right and whose signature proves nothing. // C8, C12
func TestIDTokenSignature(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skipf("this Go makes no key of 1024 bits: %v", err)
	}
	for _, c := range []struct {
		name, reason string
		token        func(*testing.T, *issuertest.Issuer, map[string]any) string
		refused      authorize.Reason
	}{
		{"alg none", "no signature at all (C12)", func(t *testing.T, _ *issuertest.Issuer, claims map[string]any) string {
			return compact(t, map[string]any{"alg": "none"}, claims) + "."
		}, authorize.IDTokenSignature},
		{"alg none with another case", "no signature at all (C12)", func(t *testing.T, _ *issuertest.Issuer, claims map[string]any) string {
			return compact(t, map[string]any{"alg": "nOnE"}, claims) + "."
		}, authorize.IDTokenSignature},
		{"HS256 with the client secret", "who holds the secret is not the issuer (C12)", func(t *testing.T, _ *issuertest.Issuer, claims map[string]any) string {
			return issuertest.Sign(t, jose.HS256, []byte(strings.Repeat(canary, 3)), "first", claims)
		}, authorize.IDTokenSignature},
		{"HS256 with the public key", "everybody has it (C12)", func(t *testing.T, i *issuertest.Issuer, claims map[string]any) string {
			public, err := json.Marshal(i.JWKS().Keys[0])
			if err != nil {
				t.Fatal(err)
			}
			return issuertest.Sign(t, jose.HS256, public, "first", claims)
		}, authorize.IDTokenSignature},
		{"RSA with 1024 bits", "not the issuer's, and too short in any case (C12)", func(t *testing.T, _ *issuertest.Issuer, claims map[string]any) string {
			return issuertest.Sign(t, jose.RS256, small, "first", claims)
		}, authorize.IDTokenSignature},
		{"crit", "an extension that must be understood and is not (C12)", func(t *testing.T, i *issuertest.Issuer, claims map[string]any) string {
			return i.SignAs(t, map[jose.HeaderKey]any{"crit": []string{"evil"}, "evil": 1}, claims)
		}, authorize.IDTokenSignature},
		{"typ of a logout token", "go-oidc takes it (C8)", func(t *testing.T, i *issuertest.Issuer, claims map[string]any) string {
			return i.SignAs(t, map[jose.HeaderKey]any{"typ": "logout+jwt"}, claims)
		}, authorize.IDTokenType},
		{"typ of an access token", "RFC 9068 (C8)", func(t *testing.T, i *issuertest.Issuer, claims map[string]any) string {
			return i.SignAs(t, map[jose.HeaderKey]any{"typ": "application/at+JWT"}, claims)
		}, authorize.IDTokenType},
		{"typ JWT", "many issuers write it", func(t *testing.T, i *issuertest.Issuer, claims map[string]any) string {
			return i.SignAs(t, map[jose.HeaderKey]any{"typ": "JWT"}, claims)
		}, ""},
		{"claims changed", "the signature is of others", func(t *testing.T, i *issuertest.Issuer, claims map[string]any) string {
			parts := strings.Split(i.Sign(t, claims), ".")
			claims["sub"] = "admin"
			parts[1] = strings.Split(compact(t, map[string]any{}, claims), ".")[1]
			return strings.Join(parts, ".")
		}, authorize.IDTokenSignature},
		{"no JWS", "words", func(*testing.T, *issuertest.Issuer, map[string]any) string { return "EVIL words" }, authorize.IDTokenSignature},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.browser().signedIn(t, issuertest.Login{IDToken: func(claims map[string]any) string { return c.token(t, w.Issuer, claims) }})
			if c.refused == "" {
				if p.Code != http.StatusSeeOther {
					t.Errorf("%s: refused with %d\n%s", c.reason, p.Code, w.logs)
				}
				return
			}
			if p.Code == http.StatusSeeOther || w.count(c.refused) != 1 {
				t.Errorf("%s: got %d, want it refused as %s\n%s", c.reason, p.Code, c.refused, w.logs)
			}
			if strings.Contains(p.Body+w.logs.String(), "EVIL") {
				t.Error("the token is repeated")
			}
		})
	}
}

// TestIDTokenReplay brings the ID token of one login to another. // C8
func TestIDTokenReplay(t *testing.T) {
	w := newWorld(t)
	var first string
	keep := issuertest.Login{IDToken: func(claims map[string]any) string {
		first = w.Issuer.Sign(t, claims)
		return first
	}}
	if p := w.browser().signedIn(t, keep); p.Code != http.StatusSeeOther {
		t.Fatalf("the first login got %d", p.Code)
	}
	p := w.browser().signedIn(t, issuertest.Login{IDToken: func(map[string]any) string { return first }})
	if p.Code == http.StatusSeeOther || w.count(authorize.IDTokenNonce) != 1 {
		t.Errorf("the second login got %d, want it refused as %s", p.Code, authorize.IDTokenNonce)
	}
}

// TestAccessTokenHash computes at_hash as the issuer does (OpenID Connect Core section 3.1.3.6).
func TestAccessTokenHash(t *testing.T) {
	const access = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
	sum := sha256.Sum256([]byte(access))
	const known = "77QmUPtjPfzWtF2AnpK9RQ" // the example of OpenID Connect Core, appendix A.3
	if got := base64.RawURLEncoding.EncodeToString(sum[:16]); got != known {
		t.Fatalf("the vector gives %s", got)
	}
	w := newWorld(t)
	p := w.browser().signedIn(t, issuertest.Login{
		Claims: map[string]any{"at_hash": known}, Extra: map[string]any{"access_token": access},
	})
	if p.Code != http.StatusSeeOther {
		t.Errorf("got %d\n%s", p.Code, w.logs)
	}
}

// compact writes a JWS up to its second dot.
func compact(t *testing.T, header, claims map[string]any) string {
	t.Helper()
	h, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
}
