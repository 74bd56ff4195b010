package issuer

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"channellink.dev/operator/webhookserver/outbound"
)

// Client fetches documents; [outbound.Client] is one.
type Client interface {
	// Get returns the body at a URL, or an error that holds an [outbound.Error].
	Get(ctx context.Context, url string) ([]byte, error)
	// Policy judges URLs that are not fetched here.
	Policy() outbound.Policy
}

// Metadata is what an issuer says of itself, judged.
type Metadata struct {
	Issuer                string
	AuthorizationEndpoint string
	TokenEndpoint         string
	JWKSURI               string
	UserInfoEndpoint      string // may be empty
	EndSessionEndpoint    string // may be empty
	// SendsIssuer: authorization responses carry `iss` (RFC 9207), so one without
	// it is not this issuer's.
	SendsIssuer bool
	// SigningAlgorithms are those that ID tokens may be signed with; all of them
	// asymmetric.
	SigningAlgorithms []jose.SignatureAlgorithm
	// TokenAuthMethods are the ways a client may prove itself at the token endpoint.
	TokenAuthMethods []string

	keys []jose.JSONWebKey
	// The documents themselves, for the store.
	discoveryJSON, jwksJSON []byte
	fetchedAt               time.Time
}

// document is the part of OpenID Connect Discovery 1.0 section 3 that is used.
type document struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	UserInfoEndpoint      string   `json:"userinfo_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	SendsIssuer           bool     `json:"authorization_response_iss_parameter_supported"`
	SigningAlgorithms     []string `json:"id_token_signing_alg_values_supported"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	ChallengeMethods      []string `json:"code_challenge_methods_supported"`
}

// maxURLLength bounds a URL of the document: the authorization endpoint goes into
// a Location header.
const maxURLLength = 2048

// asymmetric are the algorithms that an ID token is accepted with. HMAC would make
// the client secret a signing key; "none" is none.
var asymmetric = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512,
	jose.EdDSA,
}

// Discover fetches and judges an issuer's metadata and keys. Its error is an
// [Error].
func Discover(ctx context.Context, client Client, issuerURL string) (Metadata, error) {
	u, err := client.Policy().CheckURL(issuerURL)
	if err != nil {
		return Metadata{}, fetchError(Discovery, err)
	}
	if u.RawQuery != "" || u.ForceQuery {
		return Metadata{}, &Error{Reason: IssuerURLInvalid, Endpoint: Discovery, Host: u.Hostname()}
	}
	raw, err := client.Get(ctx, strings.TrimSuffix(issuerURL, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return Metadata{}, fetchError(Discovery, err)
	}
	m, err := parseDiscovery(client.Policy(), issuerURL, raw)
	if err != nil {
		return Metadata{}, err
	}
	if m.jwksJSON, m.keys, err = fetchKeys(ctx, client, m.JWKSURI); err != nil {
		return Metadata{}, err
	}
	m.fetchedAt = time.Now()
	return m, nil
}

// parseDiscovery judges a discovery document. The keys are still missing.
func parseDiscovery(policy outbound.Policy, issuerURL string, raw []byte) (Metadata, error) {
	fail := func(reason Reason, endpoint Endpoint) (Metadata, error) {
		return Metadata{}, &Error{Reason: reason, Endpoint: endpoint}
	}
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return fail(DocumentInvalid, Discovery)
	}
	if d.Issuer != issuerURL { // exactly: Discovery 1.0 section 4.3
		return fail(IssuerMismatch, Discovery)
	}
	for _, e := range []struct {
		name     Endpoint
		url      string
		required bool
	}{
		{Authorization, d.AuthorizationEndpoint, true},
		{Token, d.TokenEndpoint, true},
		{JWKS, d.JWKSURI, true},
		{UserInfo, d.UserInfoEndpoint, false},
		{EndSession, d.EndSessionEndpoint, false},
	} {
		if e.url == "" && !e.required {
			continue
		}
		if _, err := policy.CheckURL(e.url); err != nil || len(e.url) > maxURLLength {
			return fail(EndpointRefused, e.name)
		}
	}
	if !slices.Contains(d.ChallengeMethods, "S256") {
		return fail(PKCEUnsupported, Discovery)
	}
	algorithms := usableAlgorithms(d.SigningAlgorithms)
	if len(algorithms) == 0 {
		return fail(KeysUnavailable, Discovery)
	}
	return Metadata{
		Issuer:                d.Issuer,
		AuthorizationEndpoint: d.AuthorizationEndpoint,
		TokenEndpoint:         d.TokenEndpoint,
		JWKSURI:               d.JWKSURI,
		UserInfoEndpoint:      d.UserInfoEndpoint,
		EndSessionEndpoint:    d.EndSessionEndpoint,
		SendsIssuer:           d.SendsIssuer,
		SigningAlgorithms:     algorithms,
		TokenAuthMethods:      d.TokenAuthMethods,
		discoveryJSON:         raw,
	}, nil
}

// usableAlgorithms returns those of the issuer's algorithms that are accepted.
// RS256 is what an issuer that names none must support.
func usableAlgorithms(declared []string) []jose.SignatureAlgorithm {
	if len(declared) == 0 {
		return []jose.SignatureAlgorithm{jose.RS256}
	}
	var usable []jose.SignatureAlgorithm
	for _, algorithm := range asymmetric {
		if slices.Contains(declared, string(algorithm)) {
			usable = append(usable, algorithm)
		}
	}
	return usable
}
