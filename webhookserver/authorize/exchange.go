package authorize

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"channellink.dev/operator/webhookserver/authorize/issuer"
	"channellink.dev/operator/webhookserver/outbound"
)

// The ways of a client to prove itself at the token endpoint (OpenID Connect Core section 9).
const (
	methodBasic      = "client_secret_basic"
	methodPost       = "client_secret_post"
	methodPrivateKey = "private_key_jwt"
	methodNone       = "none"
)

// clientAuth chooses how we prove ourselves, or refuses to when the credentials are not there or not for this issuer.
func (l *Logins) clientAuth(m issuer.Metadata) (string, error) {
	switch {
	case l.Secrets.PrivateKey != nil:
		if _, ok := l.Secrets.PrivateKey(); !ok {
			return "", refuse(ClientUnusable, nil)
		}
		return methodPrivateKey, nil
	case l.Secrets.ClientSecret == nil:
		return methodNone, nil
	}
	if _, ok := l.Secrets.ClientSecret(); !ok {
		return "", refuse(ClientUnusable, nil)
	}
	// An issuer that names no method takes client_secret_basic (Discovery 1.0 section 3).
	if slices.Contains(m.TokenAuthMethods, methodPost) && !slices.Contains(m.TokenAuthMethods, methodBasic) {
		return methodPost, nil
	}
	return methodBasic, nil
}

// tokens is the part of a token answer that is read. None of it is kept.
type tokens struct {
	IDToken     string `json:"id_token"`
	AccessToken string `json:"access_token"`
}

// exchange trades the code for an ID token (RFC 6749 section 4.1.3).
func (l *Logins) exchange(ctx context.Context, m issuer.Metadata, code, verifier string) (tokens, error) {
	req, err := l.tokenRequest(ctx, m, code, verifier)
	if err != nil {
		return tokens{}, err
	}
	resp, err := l.Client.Do(req)
	if err != nil {
		return tokens{}, refuse(IssuerUnavailable, err)
	}
	if resp.Status != http.StatusOK {
		return tokens{}, tokenRefusal(resp)
	}
	var t tokens
	if json.Unmarshal(resp.Body, &t) != nil || t.IDToken == "" {
		return tokens{}, refuse(TokenMalformed, nil)
	}
	return t, nil
}

func (l *Logins) tokenRequest(ctx context.Context, m issuer.Metadata, code, verifier string) (*http.Request, error) {
	method, err := l.clientAuth(m)
	if err != nil {
		return nil, err
	}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {l.callbackURL()},
		"code_verifier": {verifier},
	}
	id, secret := l.Channel.OIDC.ClientID, ""
	if method == methodBasic || method == methodPost {
		current, _ := l.Secrets.ClientSecret()
		secret = current.Reveal()
	}
	switch method {
	case methodPost:
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	case methodPrivateKey:
		assertion, err := l.clientAssertion(m.TokenEndpoint)
		if err != nil {
			return nil, refuse(ClientUnusable, err)
		}
		form.Set("client_id", id)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	case methodNone:
		form.Set("client_id", id)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.TokenEndpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, refuse(Internal, nil) // err quotes the URL
	}
	if method == methodBasic {
		// RFC 6749 section 2.3.1: both are form-encoded first.
		req.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	return req, nil
}

// tokenRefusal says why there are no tokens (RFC 6749 section 5.2). The issuer's own words are compared, never repeated.
func tokenRefusal(resp *outbound.Response) error {
	cause := &outbound.Error{Reason: outbound.BadStatus, Status: resp.Status}
	if resp.Status >= http.StatusInternalServerError || resp.Status == http.StatusTooManyRequests {
		return refuse(IssuerUnavailable, cause)
	}
	var said struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(resp.Body, &said) // an answer without a word of why
	switch said.Error {
	case "invalid_client", "unauthorized_client":
		return refuse(ClientRefused, cause)
	case "invalid_grant":
		return refuse(CodeRefused, cause)
	}
	if resp.Status == http.StatusUnauthorized {
		return refuse(ClientRefused, cause)
	}
	return refuse(TokenMalformed, cause)
}
