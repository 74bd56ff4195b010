package linktest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// tally runs fn in parallel and counts its outcomes.
func tally(t *testing.T, fn func(i int) (link.Outcome, error)) map[link.Outcome]int {
	t.Helper()
	counts := map[link.Outcome]int{}
	var mu sync.Mutex
	var callers sync.WaitGroup
	start := make(chan struct{})
	for i := range parallel {
		callers.Go(func() {
			<-start
			var outcome link.Outcome
			if err := patiently(func() (err error) { outcome, err = fn(i); return err }); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			counts[outcome]++
		})
	}
	close(start)
	callers.Wait()
	return counts
}

// wantOnce wants one of the callers to have caused the first outcome and all others to have got the second.
func wantOnce(t *testing.T, got map[link.Outcome]int, first, others link.Outcome) {
	t.Helper()
	if got[first] != 1 || got[others] != parallel-1 {
		t.Errorf("outcomes %v, want one %q and %d %q", got, first, parallel-1, others)
	}
}

// C38: an event that comes to all replicas at once has its effect once.
func testConfirmOnce(t *testing.T, open Open) {
	store := open(t)
	putPending(t, store, pending("code", "U1", "sub-1"))
	event := linkedEvent("code", "U1", 5)
	wantOnce(t, tally(t, func(int) (link.Outcome, error) {
		return store.Confirm(t.Context(), event, moment)
	}), link.Activated, link.Repeated)

	putPending(t, store, pending("another", "U2", "sub-1"))
	wantOnce(t, tally(t, func(i int) (link.Outcome, error) { // what says the same need not be the same event
		c := linkedEvent("another", "U2", 5)
		c.Event = fmt.Sprint("event ", i)
		return store.Confirm(t.Context(), c, moment)
	}), link.Activated, link.Repeated)

	unlinking := unlinkedEvent("U1", 6)
	wantOnce(t, tally(t, func(int) (link.Outcome, error) {
		return store.Unlink(t.Context(), unlinking, moment)
	}), link.Removed, link.Repeated)
	wantActive(t, store, "U1", "")
	wantActive(t, store, "U2", "another")
	closeStore(t, store)
}

// A code that many users come with at once links the first of them, when it is for nobody in particular, and nobody else.
func testConfirmOneUser(t *testing.T, open Open) {
	store := open(t)
	putPending(t, store, pending("code", "", "sub-1"))
	wantOnce(t, tally(t, func(i int) (link.Outcome, error) {
		return store.Confirm(t.Context(), linkedEvent("code", fmt.Sprint("U", i), 5), moment)
	}), link.Activated, link.Unknown)
	if counts, err := store.CountLinks(t.Context(), vision); err != nil || counts[link.Active] != 1 || counts[link.Pending] != 0 {
		t.Errorf("%v, %v; want one active link and no pending one", counts, err)
	}
	closeStore(t, store)
}

// C33: of many confirmations for one chat user at once the newest is left, whatever order the database takes them in.
func testRelinkRace(t *testing.T, open Open) {
	store := open(t)
	for i := range parallel {
		putPending(t, store, pending(fmt.Sprintf("code-%03d", i), "U1", fmt.Sprint("sub-", i)))
	}
	got := tally(t, func(i int) (link.Outcome, error) {
		return store.Confirm(t.Context(), linkedEvent(fmt.Sprintf("code-%03d", i), "U1", i), moment)
	})
	if got[link.Activated]+got[link.Outdated] != parallel {
		t.Errorf("outcomes %v", got)
	}
	wantActive(t, store, "U1", fmt.Sprintf("code-%03d", parallel-1))
	if counts, err := store.CountLinks(t.Context(), vision); err != nil || counts[link.Active] != 1 {
		t.Errorf("%v, %v; want one active link", counts, err)
	}
	closeStore(t, store)
}

// C33: linking.maxLinksPerSubject holds for any number of confirmations at once, since consents of before knew nothing of
// each other, and for any number of consents that activate.
func testBoundRace(t *testing.T, open Open) {
	const bound = 3
	store := open(t)
	for i := range parallel {
		if err := consentTo(t, store, pending(fmt.Sprint("code-", i), fmt.Sprint("U", i), "sub-1"), bound, false); err != nil {
			t.Fatal(err)
		}
	}
	got := tally(t, func(i int) (link.Outcome, error) {
		return store.Confirm(t.Context(), linkedEvent(fmt.Sprint("code-", i), fmt.Sprint("U", i), 5), moment)
	})
	if got[link.Activated] != bound || got[link.TooMany] != parallel-bound {
		t.Errorf("outcomes %v, want %d %q", got, bound, link.Activated)
	}
	err := consentTo(t, store, pending("one more", "U-new", "sub-1"), bound, false)
	if !errors.Is(err, link.ErrTooManyLinks) {
		t.Errorf("one more: got %v, want %v", err, link.ErrTooManyLinks)
	}
	if err := consentTo(t, store, pending("somebody else", "U-new", "sub-2"), bound, false); err != nil {
		t.Errorf("another person: %v", err)
	}

	flows := make([]string, parallel)
	for i := range flows {
		flows[i] = identified(t, store, fmt.Sprint("flow-", i)).Flow
	}
	var mu sync.Mutex
	activated := 0
	var callers sync.WaitGroup
	for i, flow := range flows {
		callers.Go(func() {
			l := pending(flow, fmt.Sprint("V", i), "sub-3")
			err := patiently(func() error { return store.Consent(t.Context(), flow, l, bound, true) })
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				activated++
			case !errors.Is(err, link.ErrTooManyLinks):
				t.Error(err)
			}
		})
	}
	callers.Wait()
	if activated != bound {
		t.Errorf("%d logins activated links, want %d", activated, bound)
	}
	closeStore(t, store)
}

// A link and its unlinking in one moment, on different replicas: nobody stays linked.
func testUnlinkRace(t *testing.T, open Open) {
	store := open(t)
	for i := range parallel / 2 {
		putPending(t, store, pending(fmt.Sprint("code-", i), fmt.Sprint("U", i), "sub-1"))
	}
	tally(t, func(i int) (link.Outcome, error) {
		userID := fmt.Sprint("U", i/2)
		if i%2 == 0 {
			return store.Unlink(t.Context(), unlinkedEvent(userID, 5), moment)
		}
		return store.Confirm(t.Context(), linkedEvent(fmt.Sprint("code-", i/2), userID, 5), moment)
	})
	if counts, err := store.CountLinks(t.Context(), vision); err != nil || counts[link.Active] != 0 || counts[link.Pending] != 0 {
		t.Errorf("%v, %v; want no link", counts, err)
	}
	closeStore(t, store)
}

// Sweeping while logins and confirmations go on takes nothing from them.
func testSweepRace(t *testing.T, open Open) {
	store := open(t)
	got := tally(t, func(i int) (link.Outcome, error) {
		if i%10 == 0 {
			return "", store.Sweep(t.Context(), moment, time.Hour)
		}
		code, userID := fmt.Sprint("code-", i), fmt.Sprint("U", i)
		err := consentTo(t, store, pending(code, userID, "sub-1"), 0, false)
		if err != nil {
			return "", err
		}
		var outcome link.Outcome
		err = patiently(func() (err error) {
			outcome, err = store.Confirm(t.Context(), linkedEvent(code, userID, 5), moment)
			return err
		})
		return outcome, err
	})
	if got[link.Activated] != parallel-parallel/10 {
		t.Errorf("outcomes %v", got)
	}
	closeStore(t, store)
}
