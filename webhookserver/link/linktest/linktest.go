// Package linktest is the suite that defines a [link.Store]: every implementation
// passes all of it.
package linktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// Open opens a store on one database, with the given encryption keys, newest
// first. The suite closes each store before it opens the next.
type Open func(t *testing.T, ring ...secretfile.Secret) link.Store

// Run runs the suite. Fresh returns an Open for a new, empty database.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	tests := []struct {
		name string
		test func(t *testing.T, open Open)
	}{
		{"Keys", testKeys},
		{"KeysFirstWriterWins", testKeysFirstWriterWins},
		{"DropKeys", testDropKeys},
		{"EnsureKeys", testEnsureKeys},
		{"Sealing", testSealing},
		{"Facts", testFacts},
		{"IssuerDocuments", testIssuerDocuments},
		{"IssuerDocumentsNewestWins", testIssuerDocumentsNewestWins},
		{"Canceled", testCanceled},
		{"SessionSteps", testSessionSteps},
		{"SessionRefusals", testSessionRefusals},
		{"SessionRefusedAtIssuer", testSessionRefusedAtIssuer},
		{"SessionStepsOnce", testSessionStepsOnce},
		{"TokenSpentOnce", testTokenSpentOnce},
		{"OpenSessions", testOpenSessions},
		{"LinkLife", testLinkLife},
		{"ConfirmRules", testConfirmRules},
		{"AfterRedirect", testAfterRedirect},
		{"StableCode", testStableCode},
		{"IssuedTokens", testIssuedTokens},
		{"WaitingUsers", testWaitingUsers},
		{"Refence", testRefence},
		{"RefenceRace", testRefenceRace},
		{"Unconfirmed", testUnconfirmed},
		{"UnconfirmedShare", testUnconfirmedShare},
		{"Lapsed", testLapsed},
		{"Import", testImport},
		{"Audit", testAudit},
		{"AuditPages", testAuditPages},
		{"Sweep", testSweep},
		{"RevocationLife", testRevocationLife},
		{"RevocationRules", testRevocationRules},
		{"RevocationFence", testRevocationFence},
		{"RevocationEndsLogins", testRevocationEndsLogins},
		{"RevocationSuperseded", testRevocationSuperseded},
		{"RevocationEpochs", testRevocationEpochs},
		{"RevocationLeases", testRevocationLeases},
		{"RevocationTurns", testRevocationTurns},
		{"RevocationEcho", testRevocationEcho},
		{"RevocationOfAll", testRevocationOfAll},
		{"RevocationOfManyLinks", testRevocationOfManyLinks},
		{"RevocationSweep", testRevocationSweep},
		{"RevocationHoldsBackups", testRevocationHoldsBackups},
		{"RevocationLeasedOnce", testRevocationLeasedOnce},
		{"RevocationRace", testRevocationRace},
		{"RevocationsAtOnce", testRevocationsAtOnce},
		{"RevocationMachine", testRevocationMachine},
		{"RevocationOfPersons", testRevocationOfPersons},
		{"ConfirmOnce", testConfirmOnce},
		{"ConfirmOneUser", testConfirmOneUser},
		{"RelinkRace", testRelinkRace},
		{"BoundRace", testBoundRace},
		{"UnlinkRace", testUnlinkRace},
		{"SweepRace", testSweepRace},
		{"Convergence", testConvergence},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) { tc.test(t, fresh(t)) })
	}
}

var (
	vision  = link.NewChannelID("LINE", "507oftxz")
	another = link.NewChannelID("Facebook", "507oftxz") // the same page ID elsewhere
	// Stores keep microseconds; the zone must not matter.
	moment = time.Date(2026, 1, 31, 9, 30, 0, 123456000, time.FixedZone("", 8*3600))
)

var compare = cmp.Options{
	cmp.Comparer(bytes.Equal), // far quicker than finding the difference in a mebibyte
	cmp.Comparer(func(a, b secretfile.Secret) bool { return a.Reveal() == b.Reveal() }),
	cmp.Comparer(time.Time.Equal),
}

func testKeys(t *testing.T, open Open) {
	store := open(t)
	if keys, err := store.Keys(t.Context(), vision, link.AssertionKey); err != nil || len(keys) != 0 {
		t.Fatalf("empty store: %d keys, %v", len(keys), err)
	}
	first, second := newKey(t, vision, link.AssertionKey, 1), newKey(t, vision, link.AssertionKey, 2)
	other := newKey(t, another, link.AssertionKey, 1)
	hash := newKey(t, vision, link.UserHashKey, 1)
	for _, key := range []link.Key{first, second, other, hash} {
		got, err := store.PutKey(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(key, got, compare); diff != "" {
			t.Error(diff)
		}
	}
	wantKeys(t, store, vision, link.AssertionKey, second, first) // newest first
	wantKeys(t, store, vision, link.UserHashKey, hash)
	wantKeys(t, store, another, link.AssertionKey, other)
	closeStore(t, store)

	again := open(t)
	wantKeys(t, again, vision, link.AssertionKey, second, first)
	closeStore(t, again)
}

// C82: replicas that start together agree on one key.
func testKeysFirstWriterWins(t *testing.T, open Open) {
	store := open(t)
	ids := make([]string, 20)
	var writers sync.WaitGroup
	for i := range ids {
		key := newKey(t, vision, link.AssertionKey, 1)
		writers.Go(func() {
			stored, err := store.PutKey(t.Context(), key)
			if err != nil {
				t.Error(err)
			}
			ids[i] = stored.ID
		})
	}
	writers.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("writers got different keys: %q", ids)
		}
	}
	if keys, err := store.Keys(t.Context(), vision, link.AssertionKey); err != nil || len(keys) != 1 {
		t.Errorf("%d keys stored, %v; want 1", len(keys), err)
	}
	closeStore(t, store)
}

func testEnsureKeys(t *testing.T, open Open) {
	store := open(t)
	var before []link.Key
	for range 2 {
		if err := link.EnsureKeys(t.Context(), store, vision, moment); err != nil {
			t.Fatal(err)
		}
		var now []link.Key
		for _, purpose := range []link.KeyPurpose{link.AssertionKey, link.UserHashKey} {
			keys, err := store.Keys(t.Context(), vision, purpose)
			if err != nil || len(keys) != 1 {
				t.Fatalf("%s: %d keys, %v; want 1", purpose, len(keys), err)
			}
			now = append(now, keys...)
		}
		if before != nil {
			if diff := cmp.Diff(before, now, compare); diff != "" {
				t.Errorf("a second start changed keys: %s", diff)
			}
		}
		before = now
	}
	closeStore(t, store)
}

// C60: sealed values open with their key alone, and move to a new one by being read.
func testSealing(t *testing.T, open Open) {
	older, newer := secretfile.NewSecret("older-encryption-key"), secretfile.NewSecret("newer-encryption-key")
	key := newKey(t, vision, link.AssertionKey, 1)
	steps := []struct {
		reason string
		ring   []secretfile.Secret
		want   error
	}{
		{"without a key ring, unsealed", nil, nil},
		{"a key ring later: sealed when read", []secretfile.Secret{older}, nil},
		{"now it needs the ring", nil, link.ErrSealed},
		{"and the right one", []secretfile.Secret{newer}, link.ErrSealed},
		{"rotation: newest first, the older one opens", []secretfile.Secret{newer, older}, nil},
		{"then the older one can go", []secretfile.Secret{newer}, nil},
		{"and opens nothing", []secretfile.Secret{older}, link.ErrSealed},
	}
	for i, step := range steps {
		store := open(t, step.ring...)
		if i == 0 {
			if _, err := store.PutKey(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}
		keys, err := store.Keys(t.Context(), vision, link.AssertionKey)
		if !errors.Is(err, step.want) {
			t.Fatalf("%s: got %v, want %v", step.reason, err, step.want)
		}
		if err == nil {
			if diff := cmp.Diff([]link.Key{key}, keys, compare); diff != "" {
				t.Errorf("%s: %s", step.reason, diff)
			}
		}
		closeStore(t, store)
	}
	store := open(t, secretfile.NewSecret("short"))
	if _, err := store.PutKey(t.Context(), newKey(t, vision, link.UserHashKey, 1)); err == nil {
		t.Error("a short encryption key was taken")
	}
	closeStore(t, store)
}

func testIssuerDocuments(t *testing.T, open Open) {
	store := open(t)
	const issuer = "https://sso.vision.example"
	if _, err := store.IssuerDocuments(t.Context(), vision, issuer); !errors.Is(err, link.ErrNotFound) {
		t.Fatalf("empty store: got %v, want %v", err, link.ErrNotFound)
	}
	documents := []link.IssuerDocuments{
		{Channel: vision, Issuer: issuer, Discovery: []byte(`{"a":"中文"}`), JWKS: []byte(`{"keys":[]}`), FetchedAt: moment},
		{Channel: vision, Issuer: issuer + "/", Discovery: []byte(`1`), JWKS: []byte(`2`), FetchedAt: moment},
		{Channel: another, Issuer: issuer, Discovery: bytes.Repeat([]byte("x"), 1<<20), JWKS: bytes.Repeat([]byte{0, 255}, 1<<19), FetchedAt: moment},
	}
	for _, d := range documents {
		if err := store.PutIssuerDocuments(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, store)

	again := open(t)
	for _, d := range documents {
		wantDocuments(t, again, d)
	}
	closeStore(t, again)
}

func testIssuerDocumentsNewestWins(t *testing.T, open Open) {
	store := open(t)
	at := func(second int) link.IssuerDocuments {
		return link.IssuerDocuments{
			Channel: vision, Issuer: "https://sso.vision.example",
			Discovery: []byte(fmt.Sprint(second)), JWKS: []byte(fmt.Sprint(second)),
			FetchedAt: moment.Add(time.Duration(second) * time.Second),
		}
	}
	var writers sync.WaitGroup
	for second := range 20 {
		writers.Go(func() {
			if err := store.PutIssuerDocuments(t.Context(), at(second)); err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	wantDocuments(t, store, at(19))

	refreshed := at(19) // a key refresh keeps the time of the discovery
	refreshed.JWKS = []byte("new keys")
	if err := store.PutIssuerDocuments(t.Context(), refreshed); err != nil {
		t.Fatal(err)
	}
	wantDocuments(t, store, refreshed)
	closeStore(t, store)
}

// A caller that gives up gets its own error, and the store goes on.
func testCanceled(t *testing.T, open Open) {
	store := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := store.Ping(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, link.ErrUnavailable) {
		t.Errorf("Ping: got %v, want %v", err, context.Canceled)
	}
	if _, err := store.Keys(ctx, vision, link.AssertionKey); !errors.Is(err, context.Canceled) {
		t.Errorf("Keys: got %v, want %v", err, context.Canceled)
	}
	if _, err := store.PutKey(ctx, newKey(t, vision, link.AssertionKey, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("PutKey: got %v, want %v", err, context.Canceled)
	}
	if err := store.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	closeStore(t, store)
}

func newKey(t *testing.T, channel link.ChannelID, purpose link.KeyPurpose, generation int) link.Key {
	t.Helper()
	key, err := link.NewKey(channel, purpose, generation, moment)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func wantKeys(t *testing.T, store link.Store, channel link.ChannelID, purpose link.KeyPurpose, want ...link.Key) {
	t.Helper()
	got, err := store.Keys(t.Context(), channel, purpose)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Error(diff)
	}
}

func wantDocuments(t *testing.T, store link.Store, want link.IssuerDocuments) {
	t.Helper()
	got, err := store.IssuerDocuments(t.Context(), want.Channel, want.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Error(diff)
	}
}

func closeStore(t *testing.T, store link.Store) {
	t.Helper()
	if err := store.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}
