package samplehr

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// How often an issuer's keys are asked for: again after an hour, and for a key that is not known at most every ten seconds,
// so that made-up key ids cost nobody anything.
const (
	keysLife    = time.Hour
	keysNotSoon = 10 * time.Second
)

var errNoKey = errors.New("the issuer has no such key")

// keyring keeps the public keys of issuers.
type keyring struct {
	ask *http.Client
	now func() time.Time

	mu      sync.Mutex
	issuers map[string]*issuerKeys
}

type issuerKeys struct {
	keys    map[string]*ecdsa.PublicKey
	fetched time.Time
}

// find returns a key of an issuer that is trusted; which those are is the caller's to know.
func (k *keyring) find(ctx context.Context, issuer, id string) (*ecdsa.PublicKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.issuers[issuer]
	if known != nil {
		age := k.now().Sub(known.fetched)
		if key := known.keys[id]; key != nil && age < keysLife {
			return key, nil
		}
		if age < keysNotSoon {
			return nil, errNoKey
		}
	}
	keys, err := k.fetch(ctx, issuer)
	if err != nil {
		return nil, err
	}
	k.issuers[issuer] = &issuerKeys{keys, k.now()}
	if key := keys[id]; key != nil {
		return key, nil
	}
	return nil, errNoKey
}

// fetch follows the issuer's discovery document to its keys. The document must be of that issuer, and the keys at its address.
func (k *keyring) fetch(ctx context.Context, issuer string) (map[string]*ecdsa.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var found struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := k.get(ctx, issuer+"/.well-known/openid-configuration", &found); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	if found.Issuer != issuer || !strings.HasPrefix(found.Keys, issuer+"/") {
		return nil, errors.New("discovery: the document is of another issuer")
	}
	var set struct {
		Keys []jwk `json:"keys"`
	}
	if err := k.get(ctx, found.Keys, &set); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	keys := map[string]*ecdsa.PublicKey{}
	for _, key := range set.Keys {
		if public, ok := key.public(); ok {
			keys[key.ID] = public
		}
	}
	return keys, nil
}

func (k *keyring) get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("no URL")
	}
	return fetch(k.ask, req, into)
}

// jwk is a public key (RFC 7517); kinds other than P-256 are passed over.
type jwk struct {
	ID    string `json:"kid"`
	Type  string `json:"kty"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

func (j jwk) public() (*ecdsa.PublicKey, bool) {
	x, errX := base64.RawURLEncoding.DecodeString(j.X)
	y, errY := base64.RawURLEncoding.DecodeString(j.Y)
	const size = 32
	if j.Type != "EC" || j.Curve != "P-256" || errX != nil || errY != nil || len(x) != size || len(y) != size {
		return nil, false
	}
	const uncompressed = 4
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{uncompressed}, x...), y...))
	return key, err == nil
}
