package services

import (
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Where an issuer's documents are, below its URL (OpenID Connect Discovery 1.0 section 4, which stock verifiers follow).
const (
	DiscoveryPath = "/.well-known/openid-configuration"
	JWKSPath      = "/.well-known/jwks.json"
)

// Discovery is what an issuer of assertions says of itself: enough for a verifier to find its keys, and no more. It is no
// OpenID provider, so there is nothing to log in at; the two lists of types stand there because readers insist on them.
type Discovery struct {
	Issuer        string   `json:"issuer"`
	JWKSURI       string   `json:"jwks_uri"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Claims        []string `json:"claims_supported"`
}

// Discovery returns the issuer's document.
func (i Issuer) Discovery() Discovery {
	return Discovery{
		Issuer:        i.URL,
		JWKSURI:       strings.TrimRight(i.URL, "/") + JWKSPath,
		Algorithms:    []string{string(jose.ES256)},
		ResponseTypes: []string{"id_token"},
		SubjectTypes:  []string{"public"},
		Claims: []string{
			"iss", "aud", "sub", "sub_iss", "account", "platform", "page", "chat_user", "linked_at", "confirmed",
			"iat", "nbf", "exp", "jti",
		},
	}
}
