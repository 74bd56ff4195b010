package unlink_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/unlink"
)

// untilEnded makes attempts until there is no more to do. Whoever comes at a bad moment comes again.
func untilEnded(t *testing.T, u *unlink.Unlinker, r link.Revocation) unlink.Result {
	t.Helper()
	for range 10_000 {
		got := u.Attempt(t.Context(), r)
		if !got.More() {
			return got
		}
		if got.Cause != unlink.Busy && got.Cause != unlink.StoreUnavailable && got.Cause != "" {
			t.Fatalf("%s: %s", r.ID, got.Cause)
		}
	}
	t.Fatalf("%s comes to no end", r.ID)
	return unlink.Result{}
}

// C71: replicas that are all asked at once tell the platform of each user once.
func TestReplicas(t *testing.T) {
	const users, replicas = 20, 4
	eachDatabase(t, func(t *testing.T, fresh func(*testing.T) where) {
		s, p, clock := fresh(t).opened(t), &platform{token: "token"}, &clock{now: fence}
		linkUsers(t, s, vision, users, -time.Minute)
		var all sync.WaitGroup
		for range replicas {
			u := newUnlinker(s, vision, p, clock.Now)
			for range 3 {
				all.Go(func() { untilEnded(t, u, ofPerson("asked")) })
			}
		}
		all.Wait()
		told := p.take()
		if len(told) != users || len(slices.Compact(told)) != users {
			t.Errorf("told of %v", told)
		}
	})
}

// The points of an unlinking at which its user can link anew.
const (
	never           = "never"
	onceClosed      = "once his link is closed"
	beforeTheCall   = "before the call is begun"
	duringTheCall   = "while the call is made"
	afterTheCall    = "before the call is settled"
	afterSettlement = "once it is settled"
)

var points = []string{never, onceClosed, beforeTheCall, duringTheCall, afterTheCall, afterSettlement}

// watched is a ledger that tells of the points that it passes.
type watched struct {
	link.Ledger
	at func(point string, userIDs ...string)
}

func (w *watched) DueUsers(ctx context.Context, l link.Lease, limit int) ([]string, error) {
	users, err := w.Ledger.DueUsers(ctx, l, limit)
	w.at(onceClosed, users...)
	return users, err
}

func (w *watched) BeginCall(ctx context.Context, l link.Lease, userID string, now time.Time) error {
	w.at(beforeTheCall, userID)
	return w.Ledger.BeginCall(ctx, l, userID, now)
}

func (w *watched) EndCall(ctx context.Context, l link.Lease, userID string, s link.Settlement, now time.Time) error {
	w.at(afterTheCall, userID)
	defer w.at(afterSettlement, userID)
	return w.Ledger.EndCall(ctx, l, userID, s, now)
}

// C72: users link anew while an older unlinking of them is carried out: at whatever point, the new link stays, also when
// the platform tells of our call as if the user himself had unlinked. Who has linked before the call is not called for.
func TestRelinkingRacesAnUnlinking(t *testing.T) {
	const users = 18
	eachDatabase(t, func(t *testing.T, fresh func(*testing.T) where) {
		s, clock := fresh(t).opened(t), &clock{now: fence.Add(time.Minute)}
		linkUsers(t, s, vision, users, -time.Minute)
		relinksAt, spared, again := map[string]string{}, []string{}, []string{}
		var called []string
		for i := range users {
			point := points[i%len(points)]
			relinksAt[userN(i)] = point
			if point != never {
				again = append(again, userN(i))
			}
			if point == onceClosed || point == beforeTheCall {
				spared = append(spared, userN(i))
			} else {
				called = append(called, userN(i))
			}
		}
		at := func(point string, userIDs ...string) {
			for _, userID := range userIDs {
				if relinksAt[userID] == point {
					relink(t, s, userID, clock.Now())
				}
			}
		}
		p := &platform{token: "token"}
		p.answers(func(userID string) error {
			at(duringTheCall, userID)
			echo := link.Unlink{Channel: vision, UserID: userID, At: clock.Now(), By: "platform"}
			if got, err := s.Unlink(t.Context(), echo, clock.Now()); err != nil || got != link.Echo {
				t.Errorf("the platform's echo: %s, %v", got, err)
			}
			return nil
		})
		got := newUnlinker(&watched{s, at}, vision, p, clock.Now).Attempt(t.Context(), ofPerson("asked"))
		wantTold(t, "those who have not linked anew by then", p, called...)
		want := map[link.RevokedState]int{link.RevokedDone: len(called), link.RevokedSuperseded: len(spared)}
		if diff := cmp.Diff(want, got.Counts); diff != "" || got.More() {
			t.Errorf("in the end (-want +got)\n%s", diff)
		}
		if diff := cmp.Diff(again, linked(t, s, vision)); diff != "" {
			t.Errorf("linked are (-want +got)\n%s", diff)
		}
		left, err := s.CountLinks(t.Context(), vision)
		if err != nil || left[link.Unlinking] != 0 {
			t.Errorf("%v are left, %v", left, err)
		}
	})
}

// relink has a chat user log in after the fence, consent, and be linked.
func relink(t *testing.T, s link.Store, userID string, now time.Time) {
	t.Helper()
	session := link.Session{
		Flow: "flow-" + userID, Channel: vision, Step: link.Identified, Params: map[string]string{}, UserID: userID,
		StateHash: link.HashCode("state" + userID), CookieHash: link.HashCode("cookie" + userID),
		NonceHash: link.HashCode("nonce" + userID), FormHash: link.HashCode("form" + userID),
		Identity: link.Identity{Issuer: issuer, Subject: "00u1"}, StartedAt: fence.Add(time.Second), ExpiresAt: fence.Add(10 * time.Minute),
	}
	if err := s.PutSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	err := s.Consent(t.Context(), session.Flow, link.Link{
		ID: "again-" + userID, Channel: vision, UserID: userID, Identity: session.Identity, State: link.Pending,
		CodeHash: link.HashCode(userID), LoginAt: session.StartedAt, ConsentAt: now.Add(-time.Second), ExpiresAt: session.ExpiresAt,
	}, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	c := link.Confirmation{Channel: vision, Event: "event-" + userID, UserID: userID, Code: link.HashCode(userID), OK: true, At: now}
	if got, err := s.Confirm(t.Context(), c, now); err != nil || got != link.Activated {
		t.Fatalf("confirm: %s, %v", got, err)
	}
}
