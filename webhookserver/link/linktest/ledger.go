package linktest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// fence is the moment of most revocations here: after the logins of [pending], which are of a minute before moment.
var fence = moment.Add(time.Minute)

// revocation is one of the chat user U1.
func revocation(id string) link.Revocation {
	return link.Revocation{
		Channel: vision, ID: id, UserID: "U1", Requester: "AccountUnlink hr/" + id, Reason: "HR-1234 離職", Fence: fence,
		Actions: []link.RevocationAction{{Type: "saveParams", Name: "age", Value: "18"}, {Type: "notifyAgent", Message: "用戶已解除綁定 <b>"}},
	}
}

// linkUser has a chat user linked: the code, and the link's ID, is the given one.
func linkUser(t *testing.T, store link.Store, id, userID, subject string) {
	t.Helper()
	putPending(t, store, pending(id, userID, subject))
	confirm(t, store, linkedEvent(id, userID, 5), link.Activated)
}

// relink has a chat user log in after the fence, and be linked.
func relink(t *testing.T, store link.Store, id, userID, subject string) {
	t.Helper()
	l := pending(id, userID, subject)
	l.LoginAt, l.ConsentAt, l.ExpiresAt = fence.Add(time.Second), fence.Add(time.Minute), fence.Add(5*time.Minute)
	putPending(t, store, l)
	confirm(t, store, linkedEvent(id, userID, 150), link.Activated)
}

func openRevocation(t *testing.T, store link.Store, r link.Revocation, tell link.Telling, after time.Duration) link.Lease {
	t.Helper()
	lease, err := store.OpenRevocation(t.Context(), r, tell, fence.Add(after))
	if err != nil {
		t.Fatalf("open %s: %v", r.ID, err)
	}
	return lease
}

func wantDue(t *testing.T, store link.Store, l link.Lease, want ...string) {
	t.Helper()
	got, err := store.DueUsers(t.Context(), l, 100)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, sorted(got)); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
}

// call begins and ends a call, each a second after the other.
func call(t *testing.T, store link.Store, l link.Lease, userID string, after time.Duration, s link.Settlement) {
	t.Helper()
	if err := store.BeginCall(t.Context(), l, userID, fence.Add(after)); err != nil {
		t.Fatalf("begin call for %s: %v", userID, err)
	}
	if err := store.EndCall(t.Context(), l, userID, s, fence.Add(after+time.Second)); err != nil {
		t.Fatalf("end call for %s: %v", userID, err)
	}
}

func release(t *testing.T, store link.Store, l link.Lease, after time.Duration) {
	t.Helper()
	if err := store.Release(t.Context(), l, fence.Add(after)); err != nil {
		t.Fatalf("release: %v", err)
	}
}

func wantStanding(t *testing.T, store link.Store, id string, want link.Standing) {
	t.Helper()
	got, err := store.Standing(t.Context(), vision, id, 100)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("%s (-want +got):\n%s", id, diff)
	}
}

// C71: one revocation from its first attempt to its end, with a failure between.
func testRevocationLife(t *testing.T, open Open) {
	store := open(t)
	linkUser(t, store, "code-1", "U1", "sub-1")
	linkUser(t, store, "code-2", "U2", "sub-1")
	r := revocation("life")
	lease := openRevocation(t, store, r, link.TellLinked, 0)
	if diff := cmp.Diff(link.Lease{Channel: vision, ID: "life", Run: 1, Actions: r.Actions, Closed: true}, lease); diff != "" {
		t.Error(diff)
	}
	wantActive(t, store, "U1", "") // from the first attempt on, whatever the platform says
	wantActive(t, store, "U2", "code-2")
	if l, err := store.LinkByCode(t.Context(), vision, link.HashCode("code-1")); err != nil || l.State != link.Unlinking {
		t.Errorf("the closed link is %s, %v; want %s", l.State, err, link.Unlinking)
	}
	wantDue(t, store, lease, "U1")
	call(t, store, lease, "U1", time.Second, link.Settlement{State: link.RevokedWaiting, Cause: "UpstreamFailed", HTTPStatus: 500})
	wantDue(t, store, lease) // once in an attempt
	wantStanding(t, store, "life", link.Standing{
		StartedAt: fence, Attempts: 1, Closed: true, Counts: map[link.RevokedState]int{link.RevokedWaiting: 1},
		Users: []link.RevokedUser{{
			Masked: "…", Attempts: 1, Settlement: link.Settlement{State: link.RevokedWaiting, Cause: "UpstreamFailed", HTTPStatus: 500},
		}},
	})
	if _, err := store.OpenRevocation(t.Context(), r, link.TellLinked, fence.Add(10*time.Second)); !errors.Is(err, link.ErrLeased) {
		t.Errorf("while it is leased: %v, want %v", err, link.ErrLeased)
	}
	release(t, store, lease, 11*time.Second)

	other := r // what is asked later is not what was asked
	other.UserID, other.Actions, other.Reason = "U2", nil, ""
	again := openRevocation(t, store, other, link.TellLinked, 12*time.Second)
	if diff := cmp.Diff(r.Actions, again.Actions); diff != "" {
		t.Errorf("actions changed: %s", diff)
	}
	wantActive(t, store, "U2", "code-2")
	wantDue(t, store, again, "U1")
	call(t, store, again, "U1", 13*time.Second, link.Settlement{State: link.RevokedDone})
	release(t, store, again, 14*time.Second)
	ended := link.Standing{
		StartedAt: fence, Attempts: 2, Closed: true, Counts: map[link.RevokedState]int{link.RevokedDone: 1},
		Users: []link.RevokedUser{{Masked: "…", Attempts: 2, Settlement: link.Settlement{State: link.RevokedDone}}},
	}
	wantStanding(t, store, "life", ended)
	if _, err := store.LinkByCode(t.Context(), vision, link.HashCode("code-1")); !errors.Is(err, link.ErrNotFound) {
		t.Errorf("the row is still there: %v", err)
	}

	more := openRevocation(t, store, r, link.TellLinked, time.Hour)
	wantDue(t, store, more)
	release(t, store, more, time.Hour)
	wantStanding(t, store, "life", ended) // to ask again is to ask how it stands
	if _, err := store.Standing(t.Context(), another, "life", 1); !errors.Is(err, link.ErrNotFound) {
		t.Errorf("on another channel: %v, want %v", err, link.ErrNotFound)
	}
	closeStore(t, store)
}

func sorted(users []string) []string {
	slices.Sort(users)
	return users
}
