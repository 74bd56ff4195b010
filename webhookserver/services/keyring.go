package services

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"channellink.dev/operator/webhookserver/link"
)

const (
	// RefreshEvery is how often a replica looks for keys that another one has made.
	RefreshEvery = 10 * time.Minute
	// refreshRetry is how soon it looks again when the store did not answer.
	refreshRetry = 15 * time.Second
)

// ErrNoKey: there is no key to sign with, because the store has not given one yet.
var ErrNoKey = errors.New("no assertion key")

// Keyring holds the keys with which a channel signs identity assertions. It is safe for concurrent use, by several
// goroutines and by several servers on one store.
type Keyring struct {
	channel link.ChannelID
	store   func() (link.KeyStore, error)
	now     func() time.Time
	log     *slog.Logger

	refreshing sync.Mutex
	current    atomic.Pointer[heldKeys]
}

// heldKeys are the keys as they were last read, newest first.
type heldKeys struct {
	stored  []link.Key
	signers []signer
	publics []jose.JSONWebKey
}

// NewKeyring returns a keyring that has not looked into its store yet.
func NewKeyring(channel link.ChannelID, store func() (link.KeyStore, error), now func() time.Time, log *slog.Logger) *Keyring {
	return &Keyring{channel: channel, store: store, now: now, log: log}
}

// Run refreshes the keyring until ctx is done.
func (k *Keyring) Run(ctx context.Context) {
	for {
		pause := RefreshEvery
		if err := k.Refresh(ctx); err != nil && ctx.Err() == nil {
			k.log.WarnContext(ctx, "assertion keys not refreshed", "error", err)
			pause = refreshRetry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// Refresh reads the keys, makes the next one when it is time, and drops those that have served.
func (k *Keyring) Refresh(ctx context.Context) error {
	k.refreshing.Lock()
	defer k.refreshing.Unlock()
	return k.refresh(ctx)
}

func (k *Keyring) refresh(ctx context.Context) error {
	store, err := k.store()
	if err != nil {
		return err
	}
	keys, err := store.Keys(ctx, k.channel, link.AssertionKey)
	if err != nil {
		return err
	}
	now := k.now()
	if due(keys, now) {
		if keys, err = k.rotate(ctx, store, keys, now); err != nil {
			return err
		}
	}
	if n := published(keys, now); n < len(keys) {
		keys = keys[:n]
		if err := store.DropKeys(ctx, k.channel, link.AssertionKey, keys[n-1].Generation); err != nil {
			return err
		}
	}
	held, err := hold(keys)
	if err != nil {
		return err
	}
	k.current.Store(held)
	return nil
}

// rotate makes the next key. Of several replicas that do so at once the first one's key counts, for all.
func (k *Keyring) rotate(ctx context.Context, store link.KeyStore, keys []link.Key, now time.Time) ([]link.Key, error) {
	generation := 1
	if len(keys) > 0 {
		generation = keys[0].Generation + 1
	}
	fresh, err := link.NewKey(k.channel, link.AssertionKey, generation, now)
	if err != nil {
		return nil, err
	}
	stored, err := store.PutKey(ctx, fresh)
	if err != nil {
		return nil, err
	}
	if stored.ID == fresh.ID {
		k.log.InfoContext(ctx, "assertion key made", "kid", fresh.ID, "signsFrom", signsAt(fresh))
	}
	return append([]link.Key{stored}, keys...), nil
}

// hold makes stored keys ready for use.
func hold(keys []link.Key) (*heldKeys, error) {
	held := &heldKeys{stored: keys}
	for _, key := range keys {
		parsed, err := x509.ParsePKCS8PrivateKey([]byte(key.Material.Reveal()))
		private, ok := parsed.(*ecdsa.PrivateKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("%w: %s is not an ECDSA key", ErrNoKey, key.ID)
		}
		signer, err := newSigner(private, key.ID)
		if err != nil {
			return nil, fmt.Errorf("%w: %s cannot sign", ErrNoKey, key.ID)
		}
		held.signers = append(held.signers, signer)
		held.publics = append(held.publics, jose.JSONWebKey{
			Key: &private.PublicKey, KeyID: key.ID, Algorithm: string(jose.ES256), Use: "sig",
		})
	}
	return held, nil
}

// held returns the keys, read now if they never were.
func (k *Keyring) held(ctx context.Context) (*heldKeys, error) {
	if held := k.current.Load(); held != nil {
		return held, nil
	}
	k.refreshing.Lock()
	defer k.refreshing.Unlock()
	if held := k.current.Load(); held != nil { // somebody else has read them meanwhile
		return held, nil
	}
	if err := k.refresh(ctx); err != nil {
		return nil, errors.Join(ErrNoKey, err)
	}
	return k.current.Load(), nil
}

// sign returns the payload as a compact JWS of the key whose turn it is.
func (k *Keyring) sign(ctx context.Context, payload []byte) (string, error) {
	held, err := k.held(ctx)
	if err != nil {
		return "", err
	}
	signed, err := held.signers[signing(held.stored, k.now())].sign(payload)
	if err != nil {
		return "", errors.Join(ErrNoKey, err)
	}
	return signed, nil
}

// JWKS returns the public keys that verifiers may meet now or soon. The error is [ErrNoKey].
func (k *Keyring) JWKS(ctx context.Context) (jose.JSONWebKeySet, error) {
	held, err := k.held(ctx)
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	return jose.JSONWebKeySet{Keys: held.publics[:published(held.stored, k.now())]}, nil
}
