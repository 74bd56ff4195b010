package signature

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // BotBonnie signs with it; HMAC-SHA1 is not broken by collisions
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"

	"channellink.dev/operator/webhookserver/secretfile"
)

// The headers that carry signatures, in canonical form.
const (
	headerLINE    = "X-Line-Signature"
	headerHub     = "X-Hub-Signature"     // SHA-1
	headerHub256  = "X-Hub-Signature-256" // SHA-256
	prefixHub     = "sha1="
	prefixHub256  = "sha256="
	base64MACSize = 44 // 32 bytes in padded base64
)

// Refusal says why a request counts as forged. The set is closed, so a refusal may
// stand in a metric; whoever sent the request is never told it.
type Refusal string

// The reasons for a refusal.
const (
	// NoSecret: the channel has no value to check with.
	NoSecret Refusal = "NoSecret"
	// Missing: the request has no signature, or an empty one.
	Missing Refusal = "Missing"
	// Duplicated: the header is there more than once, and proxies differ in which one counts.
	Duplicated Refusal = "Duplicated"
	// Malformed: the signature is not in the scheme's form.
	Malformed Refusal = "Malformed"
	// Mismatch: the signature is of another body or with another secret.
	Mismatch Refusal = "Mismatch"
	// Downgraded: only the SHA-1 signature is there, and the channel does not take it.
	Downgraded Refusal = "Downgraded"
)

// Error implements error.
func (r Refusal) Error() string { return "signature refused: " + string(r) }

// Verified is the body of a request whose signature was good. Only this package
// makes one that holds a body; no decoder takes the zero value.
type Verified struct{ body []byte }

// Body returns the bytes that were signed. The caller must not change them.
func (v Verified) Body() []byte { return v.body }

// LINE verifies a call of the LINE Messaging API: X-Line-Signature is HMAC-SHA256
// with the channel secret, in padded base64. The error is a [Refusal].
func LINE(h http.Header, secrets []secretfile.Secret, body []byte) (Verified, error) {
	value, err := single(h, headerLINE)
	if err != nil {
		return Verified{}, err
	}
	// The decoder passes over line breaks, the length does not.
	mac, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(value) != base64MACSize {
		return Verified{}, Malformed
	}
	return verify(sha256.New, mac, secrets, body)
}

// Messenger verifies a call of Meta's webhooks with the app secret:
// X-Hub-Signature-256 or, with allowSHA1 and without that header, X-Hub-Signature.
// The error is a [Refusal].
func Messenger(h http.Header, secrets []secretfile.Secret, body []byte, allowSHA1 bool) (Verified, error) {
	// With both headers the stronger one decides, or an attacker would add the one that he can forge.
	if len(h[headerHub256]) > 0 {
		return hub(h, headerHub256, prefixHub256, sha256.New, secrets, body)
	}
	if !allowSHA1 && len(h[headerHub]) > 0 {
		return Verified{}, Downgraded
	}
	return hub(h, headerHub, prefixHub, sha1.New, secrets, body)
}

// BotBonnie verifies a call of BotBonnie's JSON API: X-Hub-Signature is HMAC-SHA1
// with the API secret. The error is a [Refusal].
func BotBonnie(h http.Header, secrets []secretfile.Secret, body []byte) (Verified, error) {
	return hub(h, headerHub, prefixHub, sha1.New, secrets, body)
}

// CopyHeaders copies the signature headers, for a server that hands the untouched
// body on to one that verifies for itself.
func CopyHeaders(dst, src http.Header) {
	for _, name := range []string{headerHub, headerHub256, headerLINE} {
		if values := src[name]; len(values) > 0 {
			dst[name] = append([]string(nil), values...)
		}
	}
}

// hub verifies a signature in the form of PubSubHubbub: the hash's name, an equals
// sign, hexadecimal digits of either case.
func hub(h http.Header, name, prefix string, newHash func() hash.Hash, secrets []secretfile.Secret, body []byte) (Verified, error) {
	value, err := single(h, name)
	if err != nil {
		return Verified{}, err
	}
	digits, ok := strings.CutPrefix(value, prefix)
	mac, err := hex.DecodeString(digits)
	if !ok || err != nil || len(mac) != newHash().Size() {
		return Verified{}, Malformed
	}
	return verify(newHash, mac, secrets, body)
}

func single(h http.Header, name string) (string, error) {
	switch values := h[name]; {
	case len(values) > 1:
		return "", Duplicated
	case len(values) == 0 || values[0] == "":
		return "", Missing
	default:
		return values[0], nil
	}
}

// verify tries every secret, also after one was found good: how long it takes tells
// nobody which one it was, or whether a rotation is under way.
func verify(newHash func() hash.Hash, mac []byte, secrets []secretfile.Secret, body []byte) (Verified, error) {
	if len(secrets) == 0 {
		return Verified{}, NoSecret
	}
	good := false
	for _, secret := range secrets {
		h := hmac.New(newHash, []byte(secret.Reveal()))
		h.Write(body)
		if hmac.Equal(h.Sum(nil), mac) {
			good = true
		}
	}
	if !good {
		return Verified{}, Mismatch
	}
	return Verified{body: body}, nil
}
