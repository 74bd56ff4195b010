package authorize_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
)

// TestPrivateKeyJWT proves the client with a key of each kind.
func TestPrivateKeyJWT(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(ecKey)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	pkcs8 := func(key any) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return encode("PRIVATE KEY", der)
	}
	certificate, x5t, x5tS256 := certify(t, rsaKey)
	foreign, _, _ := certify(t, ecKey)
	jwk := func(algorithm jose.SignatureAlgorithm) []byte {
		raw, err := json.Marshal(jose.JSONWebKey{Key: rsaKey, KeyID: "key of 2026", Algorithm: string(algorithm), Use: "sig"})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for _, c := range []struct {
		name      string
		file      []byte
		public    any
		algorithm jose.SignatureAlgorithm
		kid       string
		x5t       string
	}{
		{"RSA, PKCS 8", pkcs8(rsaKey), rsaKey.Public(), jose.RS256, "", ""},
		{"RSA, PKCS 1 behind something else", append(encode("CERTIFICATE", []byte("x")), encode("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey))...), rsaKey.Public(), jose.RS256, "", ""},
		{"with its certificate", slices.Concat(pkcs8(rsaKey), foreign, certificate), rsaKey.Public(), jose.RS256, "", x5t},
		{"with another key's certificate", slices.Concat(foreign, pkcs8(rsaKey)), rsaKey.Public(), jose.RS256, "", ""},
		{"P-384, SEC 1", encode("EC PRIVATE KEY", sec1), ecKey.Public(), jose.ES384, "", ""},
		{"Ed25519", pkcs8(edKey), edPublic, jose.EdDSA, "", ""},
		{"JWK", jwk(""), rsaKey.Public(), jose.RS256, "key of 2026", ""},
		{"JWK with an algorithm", jwk(jose.PS256), rsaKey.Public(), jose.PS256, "key of 2026", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, o *authorize.Options) {
				o.Secrets = authorize.Secrets{PrivateKey: func() ([]byte, bool) { return c.file, true }}
			})
			if p := w.browser().signedIn(t, issuertest.Login{}); p.Code != http.StatusSeeOther {
				t.Fatalf("got %d\n%s", p.Code, w.logs)
			}
			r := w.Issuer.TokenRequests()[0]
			assertion, err := jwt.ParseSigned(r.PostForm.Get("client_assertion"), []jose.SignatureAlgorithm{c.algorithm})
			if err != nil {
				t.Fatal(err)
			}
			var claims jwt.Claims
			if err := assertion.Claims(c.public, &claims); err != nil {
				t.Fatal(err)
			}
			expected := jwt.Expected{Issuer: clientID, Subject: clientID, AnyAudience: jwt.Audience{w.Issuer.URL + "/token"}, Time: time.Now()}
			if err := claims.ValidateWithLeeway(expected, 0); err != nil || claims.ID == "" || time.Until(claims.Expiry.Time()) > time.Minute {
				t.Errorf("claims are %+v: %v", claims, err)
			}
			header := assertion.Headers[0]
			if header.KeyID != c.kid {
				t.Errorf("kid is %q, want %q", header.KeyID, c.kid)
			}
			got, _ := header.ExtraHeaders["x5t"].(string)
			gotS256, _ := header.ExtraHeaders["x5t#S256"].(string)
			if got != c.x5t || c.x5t != "" && gotS256 != x5tS256 {
				t.Errorf("the certificate is named %q and %q, want %q and %q", got, gotS256, c.x5t, x5tS256)
			}
			if r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
				t.Error("the assertion's type is missing")
			}
		})
	}
	for name, bad := range map[string][]byte{
		"no PEM": []byte("words"), "a public key": encode("PUBLIC KEY", []byte("x")), "broken": encode("PRIVATE KEY", []byte("x")),
		"no JWK": []byte(`{"kty":"RSA"}`), "a public JWK": publicJWK(t, rsaKey), "a JWK for another algorithm": jwk(jose.HS256),
	} {
		w := newWorld(t, func(_ *world, o *authorize.Options) {
			o.Secrets = authorize.Secrets{PrivateKey: func() ([]byte, bool) { return bad, true }}
		})
		if p := w.browser().signedIn(t, issuertest.Login{}); p.Code != http.StatusServiceUnavailable || w.count(authorize.ClientUnusable) != 1 {
			t.Errorf("%s: got %d", name, p.Code)
		}
	}
}

// certify makes a certificate for a key, as PEM, and its two thumbprints.
func certify(t *testing.T, key crypto.Signer) (certificate []byte, sha1Print, sha256Print string) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	one, two := sha1.Sum(der), sha256.Sum256(der)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		base64.RawURLEncoding.EncodeToString(one[:]), base64.RawURLEncoding.EncodeToString(two[:])
}

func publicJWK(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKey{Key: key.Public(), KeyID: "public"})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
