package linktest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// asked is when the bot asks once more in the cases of testRefence: after the logins that are later than its first word.
const asked = 5 * time.Minute

// A user's revocation that waits is moved to a later moment, so that what has begun since ends with it, or left as it is.
func testRefence(t *testing.T, open Open) {
	store := open(t)
	for i, tc := range []struct {
		reason  string
		have    func(scene)
		tell    link.Telling
		moved   bool
		confirm link.Outcome // of the login "new", two minutes later
		active  map[string]string
	}{
		{"nothing since", func(scene) {}, link.TellLinked, true, link.Unknown, nil},
		{"a login", func(s scene) { s.login("new", "U1", bob, later) }, link.TellLinked, true, link.Unknown, nil},
		{"a login for nobody in particular", func(s scene) { s.login("new", "", bob, later) }, link.TellPossible, true, link.Revoked, nil},
		{"another user's login", func(s scene) {
			s.login("new", "U1", bob, later)
			s.linked("other", "U2", bob, later)
		}, link.TellLinked, true, link.Unknown, map[string]string{"U2": "other"}},
		{"a login that begins afterwards", func(s scene) { s.login("new", "U1", bob, asked+time.Second) }, link.TellLinked, true,
			link.Activated, map[string]string{"U1": "new"}},
		{"a login whose code the platform may have", func(s scene) { s.login("new", "U1", bob, later) }, link.TellPossible, false,
			link.Activated, map[string]string{"U1": "new"}},
		{"a new link", func(s scene) { s.linked("newer", "U1", bob, later) }, link.TellLinked, false, link.Unknown, map[string]string{"U1": "newer"}},
	} {
		s := newScene(t, store, i)
		s.linked("a", "U1", alice, before)
		lease := s.open(link.Revocation{ID: "user-1", UserID: "U1", Fence: fence}, tc.tell, 0)
		tc.have(s)
		w := link.WaitingUser{ID: "user-1", UserID: "U1", Fence: fence}
		moved, err := store.Refence(t.Context(), s.channel, w, tc.tell, fence.Add(asked))
		if err != nil || moved != tc.moved {
			t.Errorf("%s: moved %t, %v; want %t", tc.reason, moved, err, tc.moved)
		}
		s.confirm("new", "U1", asked+2*time.Minute, tc.confirm)
		if tc.active == nil {
			tc.active = map[string]string{}
		}
		if diff := cmp.Diff(tc.active, s.active()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
		wantDue(t, store, lease, "U1") // the lease is its holder's, who tells the platform once
		if diff := cmp.Diff(map[link.RevokedState]int{link.RevokedWaiting: 1}, s.counts("user-1")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}

	s := newScene(t, store, "over")
	s.linked("a", "U1", alice, before)
	lease := s.open(link.Revocation{ID: "user-1", UserID: "U1", Fence: fence}, link.TellLinked, 0)
	session := newSession("flow")
	session.Channel, session.StartedAt, session.ExpiresAt = s.channel, fence.Add(later), fence.Add(time.Hour)
	if err := store.PutSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	w := link.WaitingUser{ID: "user-1", UserID: "U1", Fence: fence}
	if moved, err := store.Refence(t.Context(), s.channel, w, link.TellLinked, fence.Add(asked)); err != nil || !moved {
		t.Errorf("moved %t, %v", moved, err)
	}
	if _, err := store.TakeCallback(t.Context(), s.channel, session.StateHash, fence.Add(asked)); !errors.Is(err, link.ErrNotFound) {
		t.Errorf("the user's session goes on: %v", err)
	}
	if moved, err := store.Refence(t.Context(), s.channel, w, link.TellLinked, fence.Add(later)); err != nil || moved {
		t.Errorf("back to an earlier moment: moved %t, %v", moved, err)
	}
	call(t, store, lease, "U1", asked, link.Settlement{State: link.RevokedDone})
	release(t, store, lease, asked)
	if moved, err := store.Refence(t.Context(), s.channel, w, link.TellLinked, fence.Add(2*asked)); err != nil || moved {
		t.Errorf("one that is over: moved %t, %v", moved, err)
	}
	closeStore(t, store)
}

// A login that is confirmed while the fence is moved: either it is too late, or the link is there and the fence stays.
func testRefenceRace(t *testing.T, open Open) {
	store := open(t)
	for i := range parallel {
		s := newScene(t, store, fmt.Sprint("race ", i))
		s.linked("a", "U1", alice, before)
		s.open(link.Revocation{ID: "user-1", UserID: "U1", Fence: fence}, link.TellLinked, 0)
		s.login("new", "", bob, later)
		c := linkedEvent("new", "U1", 0)
		c.Channel, c.At = s.channel, fence.Add(asked)
		var moved bool
		var outcome link.Outcome
		var both sync.WaitGroup
		try := func(fn func() error) {
			both.Go(func() {
				if err := patiently(fn); err != nil {
					t.Error(err)
				}
			})
		}
		try(func() (err error) {
			outcome, err = store.Confirm(t.Context(), c, c.At)
			return err
		})
		try(func() (err error) {
			w := link.WaitingUser{ID: "user-1", UserID: "U1", Fence: fence}
			moved, err = store.Refence(t.Context(), s.channel, w, link.TellLinked, fence.Add(asked))
			return err
		})
		both.Wait()
		if active := len(s.active()) == 1; active == moved || active != (outcome == link.Activated) {
			t.Errorf("moved %t, the confirmation %s, linked %t", moved, outcome, active)
		}
	}
	closeStore(t, store)
}
