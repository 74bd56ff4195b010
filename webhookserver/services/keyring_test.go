package services

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const vision = link.ChannelID("LINE/507oftxz")

// clock is a clock that a test sets.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = epoch.Add(after)
}

func openStore(t testing.TB) link.Store {
	t.Helper()
	opened, err := store.OpenSQLite(t.Context(), store.SQLiteOptions{Path: filepath.Join(t.TempDir(), "links.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened
}

func newKeyring(kept link.KeyStore, at *clock) *Keyring {
	return NewKeyring(vision, func() (link.KeyStore, error) { return kept, nil }, at.now, slog.New(slog.DiscardHandler))
}

// kidOf is the key that signs now.
func kidOf(t *testing.T, k *Keyring) string {
	t.Helper()
	token, err := k.sign(t.Context(), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	header := parsed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != AssertionType {
		t.Errorf("typ is %v", header.ExtraHeaders[jose.HeaderType])
	}
	return header.KeyID
}

func kidsOf(t *testing.T, k *Keyring) []string {
	t.Helper()
	set, err := k.JWKS(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var kids []string
	for _, key := range set.Keys {
		if !key.IsPublic() || key.Use != "sig" || key.Algorithm != "ES256" {
			t.Errorf("%s: public %t, use %q, alg %q", key.KeyID, key.IsPublic(), key.Use, key.Algorithm)
		}
		kids = append(kids, key.KeyID)
	}
	return kids
}

// Over two months, with two replicas that look at different times, whoever keeps the published keys for 23 hours knows every
// key that signs.
func TestNoVerifierMeetsAnUnknownKey(t *testing.T) {
	const keeps = 23 * time.Hour // a verifier that heeds no header of ours
	at := &clock{at: epoch}
	kept := openStore(t)
	replicas := []*Keyring{newKeyring(kept, at), newKeyring(kept, at)}
	var known []string
	var learnt time.Duration
	signers := map[string]bool{}
	for hour := range 24 * 65 {
		after := time.Duration(hour) * time.Hour
		at.set(after)
		replica := replicas[hour%2]
		if err := replica.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if known == nil || after-learnt >= keeps {
			known, learnt = kidsOf(t, replicas[(hour+1)%2]), after // from the one that has looked longer ago
		}
		for i, r := range replicas {
			kid := kidOf(t, r)
			signers[kid] = true
			if !slices.Contains(known, kid) {
				t.Fatalf("day %d: replica %d signs with a key that was not published at day %d", hour/24, i, int(learnt.Hours())/24)
			}
		}
	}
	if len(signers) != 3 {
		t.Errorf("%d keys have signed in 65 days, want 3", len(signers))
	}
	if stored, err := kept.Keys(t.Context(), vision, link.AssertionKey); err != nil || len(stored) != 1 {
		t.Errorf("%d keys are stored, %v; want the one in use", len(stored), err)
	}
}

// Replicas that rotate at the same moment agree on one key.
func TestReplicasRotateAsOne(t *testing.T) {
	at := &clock{at: epoch}
	kept := openStore(t)
	var replicas []*Keyring
	for range 8 {
		replicas = append(replicas, newKeyring(kept, at))
	}
	for _, after := range []time.Duration{0, 30 * day} {
		at.set(after)
		var all sync.WaitGroup
		for _, r := range replicas {
			all.Go(func() {
				if err := r.Refresh(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, r := range replicas {
			if kids := kidsOf(t, r); !slices.Equal(kids, kidsOf(t, replicas[0])) {
				t.Fatalf("after %s replicas publish different keys", after)
			}
		}
	}
	if n := len(kidsOf(t, replicas[0])); n != 2 {
		t.Errorf("%d keys are published on the day of a rotation, want 2", n)
	}
	at.set(31 * day) // no replica looks: the time alone decides
	if kid, newest := kidOf(t, replicas[0]), kidsOf(t, replicas[1])[0]; kid != newest {
		t.Errorf("%s signs, want the new key", kid)
	}
}

// A keyring whose store is away signs on with what it has; one that never had a key says so.
func TestKeyringWithoutStore(t *testing.T) {
	at := &clock{at: epoch}
	kept := openStore(t)
	var away error
	k := NewKeyring(vision, func() (link.KeyStore, error) { return kept, away }, at.now, slog.New(slog.DiscardHandler))
	away = link.ErrUnavailable
	if _, err := k.JWKS(t.Context()); !errors.Is(err, ErrNoKey) || !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := k.sign(t.Context(), []byte(`{}`)); !errors.Is(err, ErrNoKey) {
		t.Errorf("got %v", err)
	}
	away = nil
	first := kidOf(t, k) // looks by itself
	away = link.ErrUnavailable
	if err := k.Refresh(t.Context()); !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if kid := kidOf(t, k); kid != first {
		t.Errorf("%s signs, want %s", kid, first)
	}
}

// countedStore has one key and counts how often it is read; the first time it fails.
type countedStore struct {
	link.KeyStore
	key   link.Key
	reads atomic.Int64
}

func (c *countedStore) Keys(context.Context, link.ChannelID, link.KeyPurpose) ([]link.Key, error) {
	if c.reads.Add(1) == 1 {
		return nil, link.ErrUnavailable
	}
	return []link.Key{c.key}, nil
}

// A replica looks at once, soon again after a failure, and then at its leisure.
func TestKeyringRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key, err := link.NewKey(vision, link.AssertionKey, 1, epoch)
		if err != nil {
			t.Fatal(err)
		}
		kept := &countedStore{key: key}
		ctx, cancel := context.WithCancel(t.Context())
		go newKeyring(kept, &clock{at: epoch}).Run(ctx)
		for _, step := range []struct {
			reason string
			pass   time.Duration
			reads  int64
		}{
			{"at once", 0, 1},
			{"not in a hurry", refreshRetry - 1, 1},
			{"soon after a failure", 1, 2},
			{"good for a while", RefreshEvery - 1, 2},
			{"and again", 1, 3},
		} {
			time.Sleep(step.pass) //nolint:forbidigo // of the bubble's clock, which waits for nobody
			synctest.Wait()
			if n := kept.reads.Load(); n != step.reads {
				t.Errorf("%s: read %d times, want %d", step.reason, n, step.reads)
			}
		}
		cancel()
	})
}

// A key that is none is told, and what signs goes on.
func TestKeyringBrokenKey(t *testing.T) {
	at := &clock{at: epoch}
	kept := openStore(t)
	k := newKeyring(kept, at)
	first := kidOf(t, k)
	wrong, err := link.NewKey(vision, link.UserHashKey, 2, epoch)
	if err != nil {
		t.Fatal(err)
	}
	wrong.Purpose = link.AssertionKey
	if _, err := kept.PutKey(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	if err := k.Refresh(t.Context()); !errors.Is(err, ErrNoKey) {
		t.Errorf("got %v, want %v", err, ErrNoKey)
	}
	if kid := kidOf(t, k); kid != first {
		t.Errorf("%s signs, want %s", kid, first)
	}
}
