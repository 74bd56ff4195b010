package linktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// A whole channel is closed in bites: all of it, also what becomes active meanwhile, and nothing of another channel.
func testRevocationOfAll(t *testing.T, open Open) {
	const users = 130 // more than two bites
	store := open(t)
	s := newScene(t, store, "all")
	var links []link.Link
	for i := range users {
		links = append(links, link.Link{
			ID: fmt.Sprint("link-", i), Channel: s.channel, UserID: fmt.Sprintf("U%03d", i), Identity: person(fmt.Sprint("sub-", i)),
			LoginAt: fence.Add(before), LinkedAt: fence.Add(before),
		})
	}
	wantImport(t, store, users, links...)
	for i := range users / 2 { // half of them log in once more, and as many strangers log in
		s.login(fmt.Sprint("again-", i), fmt.Sprintf("U%03d", i), alice, before)
		s.login(fmt.Sprint("new-", i), fmt.Sprintf("V%03d", i), alice, before)
	}
	s.linked("survivor", "W", bob, later)
	linkUser(t, store, "elsewhere", "U1", "sub-1") // on another channel
	for i := range 600 {                           // more than one bite
		session := newSession(fmt.Sprint("open-", i))
		session.Channel, session.StartedAt = s.channel, fence.Add(-time.Minute)
		if err := store.PutSession(t.Context(), session); err != nil {
			t.Fatal(err)
		}
	}

	r := link.Revocation{ID: "asked", All: true, Fence: fence}
	lease := s.open(r, link.TellPossible, 5*time.Minute)
	if lease.Closed {
		t.Error("closed before anything was closed")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if done, err := store.CloseLinks(ended, lease, link.TellPossible, fence); done || err != nil {
		t.Errorf("without time: %t, %v", done, err)
	}
	release(t, store, lease, 5*time.Minute)
	if standing, err := store.Standing(t.Context(), s.channel, "asked", 1); err != nil || standing.Ended() {
		t.Errorf("it has ended before it was closed: %+v, %v", standing, err)
	}

	lease = s.open(r, link.TellPossible, 6*time.Minute)
	var confirming sync.WaitGroup
	confirming.Go(func() { // behind the back of whoever closes
		for i := range users / 2 {
			c := linkedEvent(fmt.Sprint("new-", i), fmt.Sprintf("V%03d", i), 0)
			c.Channel, c.At = s.channel, fence.Add(before+time.Minute)
			if err := patiently(func() error { _, err := store.Confirm(t.Context(), c, c.At); return err }); err != nil {
				t.Error(err)
			}
		}
	})
	var done bool
	err := patiently(func() (err error) {
		done, err = store.CloseLinks(t.Context(), lease, link.TellPossible, fence.Add(6*time.Minute))
		return err
	})
	if !done || err != nil {
		t.Fatalf("close: %t, %v", done, err)
	}
	confirming.Wait()
	if active := s.active(); len(active) != 1 || active["W"] != "survivor" {
		t.Errorf("active are %v, want the later login alone", active)
	}
	if n := s.counts("asked")[link.RevokedWaiting]; n < users {
		t.Errorf("%d users wait, want %d and those whose login was dropped", n, users)
	}
	if n, err := store.OpenSessions(t.Context(), s.channel, fence); err != nil || n != 0 {
		t.Errorf("%d sessions are open, %v", n, err)
	}
	wantActive(t, store, "U1", "elsewhere")
	if _, err := store.CloseLinks(t.Context(), link.Lease{Channel: s.channel, ID: "asked", Run: 1}, link.TellNobody, fence); !errors.Is(err, link.ErrLeaseLost) {
		t.Errorf("a lease that has passed on closes: %v", err)
	}
	closeStore(t, store)
}

// A person with more links than a transaction can close, as with an account that many share, is closed in bites, over several
// attempts if need be: all of it, and nobody else. It has not ended before that.
func testRevocationOfManyLinks(t *testing.T, open Open) {
	const users = 130 // more than all that is closed at once
	store := open(t)
	for name, r := range map[string]link.Revocation{
		"subject": {Subject: alice.Subject, Issuer: alice.Issuer},
		"account": {Account: alice.Account, Issuer: alice.Issuer},
	} {
		s := newScene(t, store, "many by "+name)
		var links []link.Link
		for i := range users {
			links = append(links,
				link.Link{UserID: fmt.Sprintf("U%03d", i), Identity: alice},
				link.Link{UserID: fmt.Sprintf("U%03d-also", i), Identity: elsewhere})
		}
		for i := range links {
			links[i].Channel, links[i].LoginAt, links[i].LinkedAt = s.channel, fence.Add(before), fence.Add(before)
		}
		wantImport(t, store, len(links), links...)
		for i := range users / 4 { // some log in once more, and as many do for whom nobody knows
			s.login(fmt.Sprint("again-", i), fmt.Sprintf("U%03d", i), alice, before)
			s.login(fmt.Sprint("new-", i), "", alice, before)
		}
		s.linked("survivor", "W", alice, later)

		r.ID, r.Fence = "asked", fence
		lease := s.open(r, link.TellNobody, 5*time.Minute)
		release(t, store, lease, 5*time.Minute)
		if standing, err := store.Standing(t.Context(), s.channel, "asked", 1); err != nil || lease.Closed || standing.Ended() {
			t.Errorf("by %s: it has ended before it was closed: %+v, %v", name, standing, err)
		}
		lease = s.open(r, link.TellNobody, 6*time.Minute)
		if lease.Closed {
			t.Errorf("by %s: the second attempt takes it for closed", name)
		}
		other := lease
		other.Asked = link.Revocation{Account: elsewhere.Account, Issuer: elsewhere.Issuer}
		if _, err := store.CloseLinks(t.Context(), other, link.TellNobody, fence); !errors.Is(err, link.ErrLeaseLost) {
			t.Errorf("by %s: it closes the links of somebody else: %v", name, err)
		}
		if done, err := store.CloseLinks(t.Context(), lease, link.TellNobody, fence.Add(6*time.Minute)); !done || err != nil {
			t.Fatalf("by %s: close: %t, %v", name, done, err)
		}
		release(t, store, lease, 6*time.Minute)
		if active := s.active(); len(active) != users+1 || active["W"] != "survivor" {
			t.Errorf("by %s: %d are linked, want %d of somebody else and the later login", name, len(active), users)
		}
		want := map[link.RevokedState]int{link.RevokedDone: users, link.RevokedSuperseded: 1}
		if diff := cmp.Diff(want, s.counts("asked")); diff != "" {
			t.Errorf("by %s (-want +got):\n%s", name, diff)
		}
		if standing, err := store.Standing(t.Context(), s.channel, "asked", 1); err != nil || !standing.Ended() {
			t.Errorf("by %s: it has not ended: %+v, %v", name, standing, err)
		}
		if again := s.open(r, link.TellNobody, 7*time.Minute); !again.Closed {
			t.Errorf("by %s: the third attempt has more to close", name)
		}
		s.confirm("new-0", "V", before+2*time.Minute, link.Unknown)
	}
	closeStore(t, store)
}

// The ledger forgets in its time: what has ended after [link.RevocationsKept], and what has not after [link.UnendedKept],
// each counted from the last attempt.
func testRevocationSweep(t *testing.T, open Open) {
	store := open(t)
	linkUser(t, store, "code-1", "U1", "sub-1")
	linkUser(t, store, "code-2", "U2", "sub-1")
	ended, waits := revocation("ended"), revocation("waits")
	waits.UserID = "U2"
	lease := openRevocation(t, store, ended, link.TellNobody, 0)
	release(t, store, lease, 0)
	release(t, store, openRevocation(t, store, waits, link.TellLinked, 0), 0)
	for _, tc := range []struct {
		reason       string
		after        time.Duration
		ended, waits bool
	}{
		{"the longest deadline", 30 * 24 * time.Hour, true, true},
		{"to its last day", link.RevocationsKept, true, true},
		{"and no longer", link.RevocationsKept + time.Second, false, true},
		{"what waits is kept for longer", link.UnendedKept, false, true},
		{"but not for ever", link.UnendedKept + time.Second, false, false},
	} {
		if err := store.Sweep(t.Context(), fence.Add(tc.after), 9600*time.Hour); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[string]bool{"ended": tc.ended, "waits": tc.waits} {
			_, err := store.Standing(t.Context(), vision, id, 1)
			if got := err == nil; got != want || err != nil && !errors.Is(err, link.ErrNotFound) {
				t.Errorf("%s: %s is known: %t, %v", tc.reason, id, got, err)
			}
		}
		// A backup brings no link back that is being unlinked, and is not held up by it.
		if closed, err := store.LinkByCode(t.Context(), vision, link.HashCode("code-2")); err == nil {
			if closed.State != link.Unlinking {
				t.Errorf("%s: the link is %s", tc.reason, closed.State)
			}
			wantImport(t, store, 0, closed)
		}
	}
	wantCounts(t, store, map[link.State]int64{}) // the link that nobody told the platform of is gone with it
	closeStore(t, store)
}

// A backup brings nobody back whose link a revocation has ended, by whatever name, for as long as the revocation is known. Unlinkings
// are forgotten long before.
func testRevocationHoldsBackups(t *testing.T, open Open) {
	store := open(t)
	for name, r := range map[string]link.Revocation{
		"user":    {UserID: "U1"},
		"subject": {Subject: alice.Subject, Issuer: alice.Issuer},
		"account": {Account: alice.Account, Issuer: alice.Issuer},
		"all":     {All: true},
	} {
		s := newScene(t, store, name)
		s.linked("link", "U1", alice, before)
		backup := allLinks(t, store, s.channel, "")
		r.ID, r.Fence = "asked", fence
		lease := s.open(r, link.TellNobody, 0)
		if _, err := store.CloseLinks(t.Context(), lease, link.TellNobody, fence); err != nil {
			t.Fatal(err)
		}
		release(t, store, lease, 0)
		anew := backup[0]
		anew.LoginAt = fence.Add(later)
		anew.LinkedAt = anew.LoginAt
		for _, tc := range []struct {
			reason string
			after  time.Duration
			link   link.Link
			want   int
		}{
			{"before the unlinking is forgotten", time.Hour, backup[0], 0},
			{"after that", link.EventsKept + time.Hour, backup[0], 0},
			{"to the ledger's last day", link.RevocationsKept, backup[0], 0},
			{"a later login", link.RevocationsKept, anew, 1},
		} {
			if err := store.Sweep(t.Context(), fence.Add(tc.after), 9600*time.Hour); err != nil {
				t.Fatal(err)
			}
			if n, err := store.Import(t.Context(), []link.Link{tc.link}, fence.Add(tc.after)); n != tc.want || err != nil {
				t.Errorf("by %s, %s: %d stored, %v; want %d", name, tc.reason, n, err, tc.want)
			}
		}
	}
	closeStore(t, store)
}
