package issuertest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Paths of a login.
const (
	TokenPath    = "/token"
	UserInfoPath = "/userinfo"
)

// Subject is the person who signs in.
const Subject = "08a8684b-db88-4b73-90a9-3cd1661f5466"

// grant is a code that has been given out.
type grant struct {
	client, redirectURI, challenge string
	idToken                        string
	extra                          map[string]any
}

// Login says how a sign-in ends.
type Login struct {
	// Claims are set over those of an ID token that is good; nil removes one.
	Claims map[string]any
	// IDToken replaces the whole token, if it is not nil. It gets the claims.
	IDToken func(claims map[string]any) string
	// Extra are further members of the token answer.
	Extra map[string]any
}

// SignIn plays the person who follows an authorization URL: it checks the request as a provider must and returns the
// parameters that the browser takes to the callback. The code in them is good for one token request that proves the PKCE
// challenge.
func (i *Issuer) SignIn(tb testing.TB, location string, login Login) url.Values {
	tb.Helper()
	u, err := url.Parse(location)
	if err != nil {
		tb.Fatal(err)
	}
	q := u.Query()
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" || q.Get("state") == "" {
		tb.Fatalf("not an authorization request with S256: %s", location)
	}
	now := time.Now()
	claims := map[string]any{
		"iss": i.URL, "sub": Subject, "aud": q.Get("client_id"), "nonce": q.Get("nonce"),
		"iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "auth_time": now.Unix(),
		"name": "J. Dupont", "email": "j.dupont@vision.example", "email_verified": true,
	}
	for name, value := range login.Claims {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	sign := func(claims map[string]any) string { return i.Sign(tb, claims) }
	if login.IDToken != nil {
		sign = login.IDToken
	}
	token := sign(claims)
	code := rand.Text()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.grants[code] = grant{
		client: q.Get("client_id"), redirectURI: q.Get("redirect_uri"), challenge: q.Get("code_challenge"),
		idToken: token, extra: login.Extra,
	}
	return url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {i.URL}}
}

// TokenRequests returns the forms and headers that the token endpoint got.
func (i *Issuer) TokenRequests() []http.Request {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]http.Request(nil), i.requests...)
}

// serveToken trades a code for its ID token, once.
func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
		return
	}
	client := r.PostForm.Get("client_id")
	if user, _, ok := r.BasicAuth(); ok {
		client = user
	}
	code := r.PostForm.Get("code")
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	i.mu.Lock()
	i.requests = append(i.requests, http.Request{Header: r.Header.Clone(), PostForm: r.PostForm})
	g, ok := i.grants[code]
	delete(i.grants, code)
	i.mu.Unlock()
	if !ok || g.client != client || g.redirectURI != r.PostForm.Get("redirect_uri") ||
		g.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) {
		http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
		return
	}
	answer := map[string]any{"token_type": "Bearer", "access_token": "access-" + code, "id_token": g.idToken}
	maps.Copy(answer, g.extra)
	writeJSON(w, answer)
}

// SignAs returns a token signed with the newest key under a header with these members.
func (i *Issuer) SignAs(tb testing.TB, header map[jose.HeaderKey]any, claims map[string]any) string {
	tb.Helper()
	i.mu.Lock()
	key := i.keys[0]
	i.mu.Unlock()
	return signAs(tb, jose.ES256, key.Key, key.KeyID, &jose.SignerOptions{ExtraHeaders: header}, claims)
}
