package linktest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// Who waits by the bot's word is found, and nobody else: not those of whom the platform was told or has refused to be told,
// and not those for whom a controller comes again.
func testWaitingUsers(t *testing.T, open Open) {
	store := open(t)
	want := func(reason, userID string, limit int, ids ...string) {
		t.Helper()
		waiting, err := store.WaitingUsers(t.Context(), vision, "user-", userID, limit)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range waiting {
			got = append(got, w.ID)
		}
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", reason, diff)
		}
	}
	want("nobody", "", 10)
	leases := map[string]link.Lease{}
	for i, id := range []string{"user-1", "user-2", "user-3", "USER-4", "3f2b-5"} {
		user := fmt.Sprint("U", i+1)
		linkUser(t, store, fmt.Sprint("code-", i), user, fmt.Sprint("sub-", i))
		r := revocation(id)
		r.UserID, r.Actions = user, nil
		leases[id] = openRevocation(t, store, r, link.TellLinked, time.Duration(i)*time.Second)
	}
	want("the bot's, oldest first", "", 10, "user-1", "user-2", "user-3")
	want("no more than asked for", "", 2, "user-1", "user-2")
	want("one user's", "U2", 10, "user-2")
	want("of a user for whom a controller comes", "U5", 10)

	failed := link.Settlement{State: link.RevokedWaiting, Cause: "Unreachable"}
	call(t, store, leases["user-1"], "U1", 10*time.Second, failed)
	release(t, store, leases["user-1"], 12*time.Second)
	want("who was tried for comes last", "", 10, "user-2", "user-3", "user-1")
	call(t, store, leases["user-2"], "U2", 10*time.Second, link.Settlement{State: link.RevokedDone})
	release(t, store, leases["user-2"], 12*time.Second)
	call(t, store, leases["user-3"], "U3", 10*time.Second, link.Settlement{State: link.RevokedFailed, Cause: "Rejected", HTTPStatus: 400})
	release(t, store, leases["user-3"], 12*time.Second)
	want("told, and refused for good", "", 10, "user-1")

	waiting, err := store.WaitingUsers(t.Context(), vision, "user-", "", 10)
	if err != nil {
		t.Fatal(err)
	}
	whole := []link.WaitingUser{{ID: "user-1", UserID: "U1", Fence: fence, StartedAt: fence, WorkedAt: fence.Add(12 * time.Second)}}
	if diff := cmp.Diff(whole, waiting, compare); diff != "" {
		t.Errorf("all that it takes to go on: (-want +got)\n%s", diff)
	}
	if other, err := store.WaitingUsers(t.Context(), another, "user-", "", 10); err != nil || len(other) != 0 {
		t.Errorf("another channel: %v, %v", other, err)
	}
	closeStore(t, store)
}
