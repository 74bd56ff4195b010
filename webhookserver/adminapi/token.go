package adminapi

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The bounds of a token.
const (
	// MaxLifetime is the longest time from `iat` to `exp` that a server accepts. The signer uses all of it.
	MaxLifetime = time.Minute
	// MaxSkew is how far the clocks of operator and server may differ, either way. Nodes of a cluster keep time to well
	// under a second; etcd and leader election need that too.
	MaxSkew = 5 * time.Second

	// maxTokenLength bounds what is parsed before anything is known of the sender. A real token has about 500 bytes.
	maxTokenLength = 2 << 10
	// maxIDLength bounds a `jti`, which is kept in memory until the token expires. Ours has 22 characters.
	maxIDLength = 64
)

// algorithm is the only one there is: a verifier that knows a single algorithm cannot be talked into another.
const algorithm = jose.EdDSA

// Request is what a token authorises: this one request to this one server, and nothing else.
type Request struct {
	// Audience is the UID of the ChannelLink whose server is addressed.
	Audience string
	Method   string
	// Path is the request target without host: path and, if there were one, query.
	Path string
	Body []byte
}

// claims of a token. htm and htu are named after RFC 9449 section 4.2; bh is the hash of the body.
type claims struct {
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	ID       string `json:"jti"`
	Method   string `json:"htm"`
	Path     string `json:"htu"`
	BodyHash string `json:"bh"`
}

func bodyHash(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
