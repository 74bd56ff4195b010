package linktest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// C60: the audit trail tells what became of links in the order of their ends, names nobody, and is found by whoever knows the
// user.
func testAudit(t *testing.T, open Open) {
	store := open(t)
	putPending(t, store, pending("first", "U1", "sub-1"), pending("other", "U2", "sub-2"))
	confirm(t, store, linkedEvent("first", "U1", 5), link.Activated)
	confirm(t, store, linkedEvent("other", "U2", 6), link.Activated)
	unlink(t, store, unlinkedEvent("U1", 7), link.Removed)

	type row struct{ What, Link string }
	read := func(channel link.ChannelID, userID string) (found []row, whole []link.AuditRow) {
		t.Helper()
		err := store.Audit(t.Context(), channel, userID, func(r link.AuditRow) error {
			found, whole = append(found, row{r.What, r.LinkID}), append(whole, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return found, whole
	}
	for _, tc := range []struct {
		reason  string
		channel link.ChannelID
		userID  string
		want    []row
	}{
		{"everybody", vision, "", []row{{"linked", "first"}, {"linked", "other"}, {"unlinked", "first"}}},
		{"one user", vision, "U1", []row{{"linked", "first"}, {"unlinked", "first"}}},
		{"nobody", vision, "U3", nil},
		{"another channel", another, "", nil},
	} {
		got, _ := read(tc.channel, tc.userID)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
	_, whole := read(vision, "U1")
	last := whole[1]
	if !last.At.Equal(unlinkedEvent("U1", 7).At) || last.Channel != vision || last.By != "chat user" || last.Why != "postback" {
		t.Errorf("the end of the link is told as %+v", last)
	}
	if !bytes.Equal(last.UserHash, whole[0].UserHash) || len(last.UserHash) == 0 || bytes.Contains(last.UserHash, []byte("U1")) {
		t.Errorf("the user is told as %x and %x", whole[0].UserHash, last.UserHash)
	}
	enough := errors.New("enough")
	if err := store.Audit(t.Context(), vision, "", func(link.AuditRow) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want the reader's own error", err)
	}
	closeStore(t, store)
}

// A trail that is longer than a page is read whole.
func testAuditPages(t *testing.T, open Open) {
	store := open(t)
	const many = 1203
	links := make([]link.Link, many)
	for i := range links {
		links[i] = pending(fmt.Sprintf("id-%04d", i), fmt.Sprintf("U%04d", i), fmt.Sprint("sub-", i))
		links[i].State, links[i].LinkedAt = link.Active, moment
	}
	wantImport(t, store, many, links...)
	next := 0
	err := store.Audit(t.Context(), vision, "", func(r link.AuditRow) error {
		if r.LinkID != links[next].ID {
			return fmt.Errorf("row %d is about %s, want %s", next, r.LinkID, links[next].ID)
		}
		next++
		return nil
	})
	if err != nil || next != many {
		t.Errorf("%d rows, %v; want %d", next, err, many)
	}
	closeStore(t, store)
}
