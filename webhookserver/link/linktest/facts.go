package linktest

import (
	"sync"
	"testing"

	"channellink.dev/operator/webhookserver/link"
)

func testFacts(t *testing.T, open Open) {
	store := open(t)
	wantFact(t, store, vision, false)
	var replicas sync.WaitGroup
	for range 10 { // that all see it at once
		replicas.Go(func() {
			if err := store.NoteFact(t.Context(), vision, link.BotTellsLinked, moment); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	wantFact(t, store, another, false) // of its own channel alone
	closeStore(t, store)

	again := open(t)
	wantFact(t, again, vision, true)
	closeStore(t, again)
}

func wantFact(t *testing.T, store link.Store, channel link.ChannelID, want bool) {
	t.Helper()
	if known, err := store.KnowsFact(t.Context(), channel, link.BotTellsLinked); err != nil || known != want {
		t.Errorf("%s: known %t, %v; want %t", channel, known, err, want)
	}
}

// Keys that have served are dropped, and nothing else is.
func testDropKeys(t *testing.T, open Open) {
	store := open(t)
	var keys []link.Key
	for generation := 1; generation <= 4; generation++ {
		key := newKey(t, vision, link.AssertionKey, generation)
		keys = append([]link.Key{key}, keys...)
		if _, err := store.PutKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	hash, other := newKey(t, vision, link.UserHashKey, 1), newKey(t, another, link.AssertionKey, 1)
	for _, key := range []link.Key{hash, other} {
		if _, err := store.PutKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // a replica that comes late finds nothing to do
		if err := store.DropKeys(t.Context(), vision, link.AssertionKey, 3); err != nil {
			t.Fatal(err)
		}
		wantKeys(t, store, vision, link.AssertionKey, keys[:2]...)
	}
	wantKeys(t, store, vision, link.UserHashKey, hash)
	wantKeys(t, store, another, link.AssertionKey, other)
	closeStore(t, store)
}
