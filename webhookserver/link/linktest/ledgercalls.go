package linktest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// C72: who has linked anew between the closing and the call is not called for, and his new link stays.
func testRevocationSuperseded(t *testing.T, open Open) {
	store := open(t)
	linkUser(t, store, "old", "U1", "sub-1")
	lease := openRevocation(t, store, revocation("asked"), link.TellLinked, 2*time.Second)
	relink(t, store, "new", "U1", "sub-1")
	if err := store.BeginCall(t.Context(), lease, "U1", fence.Add(3*time.Minute)); !errors.Is(err, link.ErrSuperseded) {
		t.Fatalf("begin call: %v, want %v", err, link.ErrSuperseded)
	}
	wantActive(t, store, "U1", "new")
	release(t, store, lease, 3*time.Minute)
	wantStanding(t, store, "asked", link.Standing{
		StartedAt: fence.Add(2 * time.Second), Attempts: 1, Closed: true, Counts: map[link.RevokedState]int{link.RevokedSuperseded: 1},
		Users: []link.RevokedUser{{Masked: "…", Settlement: link.Settlement{State: link.RevokedSuperseded}}},
	})
	wantCounts(t, store, map[link.State]int64{link.Active: 1})
	closeStore(t, store)
}

// A step that failed for good leaves the link closed, and a new epoch arms it once more: once for each epoch.
func testRevocationEpochs(t *testing.T, open Open) {
	store := open(t)
	linkUser(t, store, "code", "U1", "sub-1")
	r := revocation("asked")
	refused := link.Settlement{State: link.RevokedFailed, Cause: "Rejected", HTTPStatus: 404}
	for i, tc := range []struct {
		reason string
		epoch  string
		due    []string
		want   string
	}{
		{"the first attempt", "", []string{"U1"}, ""},
		{"it has failed for good", "", nil, ""},
		{"a new epoch", "one", []string{"U1"}, "one"},
		{"the same again", "one", nil, "one"},
		{"none is no new one", "", nil, "one"},
		{"another", "two", []string{"U1"}, "two"},
	} {
		r.Epoch = tc.epoch
		after := time.Duration(i) * time.Minute
		lease := openRevocation(t, store, r, link.TellLinked, after)
		wantDue(t, store, lease, tc.due...)
		if diff := cmp.Diff(r.Actions, lease.Actions); diff != "" {
			t.Errorf("%s: actions: %s", tc.reason, diff)
		}
		for _, userID := range tc.due {
			call(t, store, lease, userID, after, refused)
		}
		release(t, store, lease, after)
		standing, err := store.Standing(t.Context(), vision, "asked", 10)
		if err != nil || standing.Epoch != tc.want || standing.Counts[link.RevokedFailed] != 1 {
			t.Errorf("%s: epoch %q, %v, %v; want %q", tc.reason, standing.Epoch, standing.Counts, err, tc.want)
		}
		wantActive(t, store, "U1", "")
		wantCounts(t, store, map[link.State]int64{link.Unlinking: 1})
	}
	closeStore(t, store)
}

// A lease ends with its time, and its holder writes nothing from then on but that a call has succeeded.
func testRevocationLeases(t *testing.T, open Open) {
	store := open(t)
	for i := range 4 {
		linkUser(t, store, fmt.Sprint("code-", i), fmt.Sprint("U", i), "sub-1")
	}
	r := link.Revocation{Channel: vision, ID: "asked", Subject: "sub-1", Issuer: person("").Issuer, Fence: fence}
	first := openRevocation(t, store, r, link.TellLinked, 0)
	for _, userID := range []string{"U0", "U1", "U2"} {
		if err := store.BeginCall(t.Context(), first, userID, fence); err != nil {
			t.Fatal(err)
		}
	}
	for reason, after := range map[string]time.Duration{
		"before its time is over":                               link.LeaseTime - time.Second,
		"by one who looked at the clock first, and then waited": -time.Microsecond,
		"by one whose clock is slow":                            -link.LeaseTime,
	} {
		if _, err := store.OpenRevocation(t.Context(), r, link.TellLinked, fence.Add(after)); !errors.Is(err, link.ErrLeased) {
			t.Errorf("%s: %v, want %v", reason, err, link.ErrLeased)
		}
	}
	second := openRevocation(t, store, r, link.TellLinked, link.LeaseTime)
	now := fence.Add(link.LeaseTime)
	waiting := link.Settlement{State: link.RevokedWaiting, Cause: "Unreachable"}
	for what, err := range map[string]error{
		"begin a call":    store.BeginCall(t.Context(), first, "U3", now),
		"a call waits":    store.EndCall(t.Context(), first, "U0", waiting, now),
		"a call failed":   store.EndCall(t.Context(), first, "U1", link.Settlement{State: link.RevokedFailed}, now),
		"release":         store.Release(t.Context(), first, now),
		"of no such one":  store.Release(t.Context(), link.Lease{Channel: vision, ID: "none", Run: 1}, now),
		"of another's id": store.BeginCall(t.Context(), link.Lease{Channel: another, ID: "asked", Run: 2}, "U0", now),
	} {
		if !errors.Is(err, link.ErrLeaseLost) {
			t.Errorf("%s: %v, want %v", what, err, link.ErrLeaseLost)
		}
	}
	if err := store.EndCall(t.Context(), first, "U2", link.Settlement{State: link.RevokedDone}, now); err != nil {
		t.Errorf("a call succeeded: %v", err) // C71: it must not be made again
	}
	wantDue(t, store, second, "U0", "U1", "U3")
	if err := store.BeginCall(t.Context(), second, "U2", now); !errors.Is(err, link.ErrLeaseLost) {
		t.Errorf("a call that succeeded begins again: %v", err)
	}
	// C71: two have called for U1, because the lease passed on meanwhile. That the first one's call succeeded stands, whatever
	// comes of the second one's.
	if err := store.BeginCall(t.Context(), second, "U1", now); err != nil {
		t.Fatal(err)
	}
	if err := store.EndCall(t.Context(), first, "U1", link.Settlement{State: link.RevokedDone}, now); err != nil {
		t.Fatal(err)
	}
	if err := store.EndCall(t.Context(), second, "U1", link.Settlement{State: link.RevokedFailed}, now); err != nil {
		t.Fatal(err)
	}
	if standing, err := store.Standing(t.Context(), vision, "asked", 100); err != nil || standing.Counts[link.RevokedDone] != 2 {
		t.Errorf("%v, %v; want U1 and U2 done", standing.Counts, err)
	}
	release(t, store, second, link.LeaseTime)

	third := openRevocation(t, store, r, link.TellLinked, 48*time.Hour)
	fourth := openRevocation(t, store, r, link.TellLinked, time.Hour) // C86: the clock has been set back by days
	if third.Run >= fourth.Run {
		t.Errorf("runs %d and %d", third.Run, fourth.Run)
	}
	closeStore(t, store)
}

// Of those who wait, those come first whom nobody has called for longest: a few who fail hold up nobody.
func testRevocationTurns(t *testing.T, open Open) {
	store := open(t)
	for i := range 3 {
		linkUser(t, store, fmt.Sprint("code-", i), fmt.Sprint("U", i), "sub-1")
	}
	r := link.Revocation{Channel: vision, ID: "asked", Subject: "sub-1", Issuer: person("").Issuer, Fence: fence}
	called := map[string]int{}
	for i := range 6 { // one call each attempt
		after := time.Duration(i) * time.Minute
		lease := openRevocation(t, store, r, link.TellLinked, after)
		due, err := store.DueUsers(t.Context(), lease, 1)
		if err != nil || len(due) != 1 {
			t.Fatalf("%q, %v", due, err)
		}
		called[due[0]]++
		call(t, store, lease, due[0], after, link.Settlement{State: link.RevokedWaiting, Cause: "UpstreamFailed", HTTPStatus: 503})
		release(t, store, lease, after)
	}
	if diff := cmp.Diff(map[string]int{"U0": 2, "U1": 2, "U2": 2}, called); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	closeStore(t, store)
}

// A user's unlinking within a minute of our own call is its echo; it touches no newer link, and leaves nothing behind that
// could.
func testRevocationEcho(t *testing.T, open Open) {
	store := open(t)
	const called = 3 * time.Minute
	for i, tc := range []struct {
		reason string
		after  time.Duration // of our call, by the event's own time
		want   link.Outcome
		linked bool
	}{
		{"at once", 0, link.Echo, true},
		{"a platform whose clock is behind", -30 * time.Second, link.Echo, true},
		{"a minute later", link.EchoTime, link.Echo, true},
		{"later than that it is the user's own", link.EchoTime + time.Second, link.Removed, false},
	} {
		s := newScene(t, store, i)
		s.linked("old", "U1", alice, before)
		lease := s.open(link.Revocation{ID: "asked", UserID: "U1", Fence: fence}, link.TellLinked, 0)
		call(t, store, lease, "U1", called, link.Settlement{State: link.RevokedDone})
		s.login("new", "U1", alice, later)
		u := link.Unlink{Channel: s.channel, Event: "echo", UserID: "U1", At: fence.Add(called + tc.after), By: "platform"}
		if tc.linked { // it comes before the newer link is confirmed, and again after it
			unlink(t, store, u, link.Echo)
			u.Event = "echo again"
		}
		s.confirm("new", "U1", 2*time.Minute, link.Activated)
		unlink(t, store, u, tc.want)
		if got := s.active()["U1"] == "new"; got != tc.linked {
			t.Errorf("%s: linked %t, want %t", tc.reason, got, tc.linked)
		}
	}
	s := newScene(t, store, "never called")
	s.linked("code", "U1", alice, before)
	unlink(t, store, link.Unlink{Channel: s.channel, UserID: "U1", At: fence, By: "chat user"}, link.Removed)
	closeStore(t, store)
}

func wantCounts(t *testing.T, store link.Store, want map[link.State]int64) {
	t.Helper()
	got, err := store.CountLinks(t.Context(), vision)
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range []link.State{link.Pending, link.Active, link.Unlinking} {
		if got[state] != want[state] {
			t.Errorf("%d links are %s, want %d", got[state], state, want[state])
		}
	}
}
