package webhookserver

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/link"
)

// faultyStore fails as it is told to, and notes what it was asked.
type faultyStore struct {
	link.Store
	fail  map[string]error // by event
	asked []string
}

func (f *faultyStore) Confirm(_ context.Context, c link.Confirmation, _ time.Time) (link.Outcome, error) {
	f.asked = append(f.asked, c.Event)
	return link.Activated, f.fail[c.Event]
}

func (f *faultyStore) Unlink(_ context.Context, u link.Unlink, _ time.Time) (link.Outcome, error) {
	f.asked = append(f.asked, u.Event)
	return link.Removed, f.fail[u.Event]
}

// A batch with an event that can never be carried out holds up no other event, and comes to an end itself.
func TestPoisonIsGivenUp(t *testing.T) {
	poisonous := errors.New("most likely a fault of this program")
	store := &faultyStore{fail: map[string]error{"2": poisonous}}
	s := &Server{log: slog.New(slog.DiscardHandler), store: &storeKeeper{}, metrics: &metrics{hookMetrics: newHookMetrics(prometheus.NewRegistry())}}
	opened := link.Store(store)
	s.store.current.Store(&opened)
	c := &channel{}
	batch := event.Batch{Events: []event.Event{{ID: "1", Kind: event.Linked}, {ID: "2", Kind: event.Linked}, {ID: "3", Kind: event.Unlinked}}}

	for try := 1; try < poisonTries; try++ {
		if err := s.carryOut(t.Context(), c, batch, time.Now()); !errors.Is(err, poisonous) {
			t.Fatalf("try %d: %v, want the platform to come again", try, err)
		}
		if last := store.asked[len(store.asked)-1]; last != "3" {
			t.Fatalf("try %d stopped at %s", try, last)
		}
	}
	if err := s.carryOut(t.Context(), c, batch, time.Now()); err != nil {
		t.Errorf("after %d tries: %v", poisonTries, err)
	}

	// C45: a store that is down is no poison, however long that takes.
	store.fail = map[string]error{"1": link.ErrUnavailable}
	for range 3 * poisonTries {
		store.asked = nil
		if err := s.carryOut(t.Context(), c, batch, time.Now()); !errors.Is(err, link.ErrUnavailable) || len(store.asked) != 1 {
			t.Fatalf("%v after %v", err, store.asked)
		}
	}
}

func TestPoisonForgets(t *testing.T) {
	var p poison
	for i := range 10 * poisonKept {
		p.givenUp(string(rune(i)) + "x")
		if len(p.failures) > poisonKept {
			t.Fatalf("%d events are remembered", len(p.failures))
		}
	}
}
