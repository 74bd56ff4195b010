package linktest

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// linking.confirmation AfterRedirect: the login alone activates, but takes nobody's place.
func testAfterRedirect(t *testing.T, open Open) {
	store := open(t)
	login := func(id, userID, subject string, after time.Duration) link.Link {
		l := pending(id, userID, subject)
		l.ConsentAt = moment.Add(after)
		l.ExpiresAt = l.ConsentAt.Add(link.LINETokenLife)
		if err := consentTo(t, store, l, 0, true); err != nil {
			t.Fatal(err)
		}
		stored, err := store.LinkByCode(t.Context(), vision, l.CodeHash)
		if err != nil {
			t.Fatal(err)
		}
		return stored
	}
	if l := login("first", "U1", "sub-1", 0); l.State != link.Active || l.Confirmed || !l.LinkedAt.Equal(moment) {
		t.Errorf("the login alone: %+v", l)
	}
	if l := login("again", "U1", "sub-1", time.Second); l.State != link.Active {
		t.Errorf("the same person again is %s, want active", l.State)
	}
	wantActive(t, store, "U1", "again")
	if l := login("other", "U1", "sub-2", 2*time.Second); l.State != link.Pending {
		t.Errorf("another person is %s, want pending", l.State)
	}
	wantActive(t, store, "U1", "again")
	if l := login("nobody", "", "sub-2", 2*time.Second); l.State != link.Pending {
		t.Errorf("for nobody in particular it is %s, want pending", l.State)
	}

	confirm(t, store, linkedEvent("again", "U1", 5), link.Activated) // the platform's word comes later
	l, err := store.ActiveLink(t.Context(), vision, "U1", time.Time{})
	if err != nil || !l.Confirmed || !l.LinkedAt.Equal(moment.Add(5*time.Second)) {
		t.Errorf("confirmed afterwards: %+v, %v", l, err)
	}
	confirm(t, store, linkedEvent("other", "U1", 6), link.Activated) // and another person's confirmation replaces
	wantActive(t, store, "U1", "other")

	login("wrong", "U2", "sub-1", 0)
	confirm(t, store, linkedEvent("wrong", "U3", 5), link.Burnt) // the platform knows better who it was
	wantActive(t, store, "U2", "")

	unlink(t, store, unlinkedEvent("U4", 60), link.Unknown)
	if l := login("older", "U4", "sub-1", 30*time.Second); l.State != link.Pending {
		t.Errorf("consent before a known unlinking is %s, want pending", l.State)
	}
	closeStore(t, store)
}

// linking.code Stable: the links of one person have one code; whose confirmation it is tells the chat user.
func testStableCode(t *testing.T, open Open) {
	store := open(t)
	code := link.HashCode("pseudonym")
	stable := func(id, userID string, after time.Duration) {
		l := pending(id, userID, "sub-1")
		l.CodeHash, l.StableCode, l.ConsentAt = code, true, moment.Add(after)
		putPending(t, store, l)
	}
	event := func(userID string, second int) link.Confirmation {
		c := linkedEvent("pseudonym", userID, second)
		return c
	}
	stable("a", "U1", 0)
	stable("b", "U2", time.Second)
	confirm(t, store, event("U1", 5), link.Activated)
	wantActive(t, store, "U1", "a")
	wantActive(t, store, "U2", "")
	confirm(t, store, event("U1", 6), link.Repeated) // and U2's login lives on
	confirm(t, store, event("U2", 7), link.Activated)
	wantActive(t, store, "U2", "b")
	stable("c", "U1", 8*time.Second)
	if l, err := store.LinkByCode(t.Context(), vision, code); err != nil || l.State != link.Active || !l.StableCode {
		t.Errorf("by code: %+v, %v; an active link comes first, and is known to have a stable code", l, err)
	}
	refusal := refusedEvent("pseudonym", 9)
	refusal.UserID = "U1"
	stable("d", "U2", 8*time.Second)
	confirm(t, store, refusal, link.Burnt)
	confirm(t, store, event("U2", 10), link.Activated) // the refusal was U1's
	wantActive(t, store, "U1", "a")
	wantActive(t, store, "U2", "d")
	closeStore(t, store)
}

// unconfirmed are the ids of the links of a user, or of all, that are unconfirmed so long after moment.
func unconfirmed(t *testing.T, store link.Store, userID string, after time.Duration, limit int) []string {
	t.Helper()
	links, err := store.UnconfirmedLinks(t.Context(), vision, userID, moment.Add(after), limit)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, l := range links {
		ids = append(ids, l.ID)
	}
	return ids
}

// One person who gives consent over and over keeps nobody else waiting, and comes through with the newest.
func testUnconfirmedShare(t *testing.T, open Open) {
	store := open(t)
	at := func(id, userID string, who link.Identity, second int) {
		l := pending(id, userID, "")
		l.Identity, l.ConsentAt = who, moment.Add(time.Duration(second)*time.Second)
		putPending(t, store, l)
	}
	at("namesake", "U9", elsewhere, 0)
	var flood []string
	for i := range 3 * link.UnconfirmedShare {
		flood = append(flood, fmt.Sprintf("flood-%02d", i))
		at(flood[i], fmt.Sprint("U", i%3), alice, i+1)
	}
	at("late", "U1", bob, 60)
	newest := flood[2*link.UnconfirmedShare:]
	for _, tc := range []struct {
		reason, userID string
		limit          int
		want           []string
	}{
		{"there is room for all", "", 100, slices.Concat([]string{"namesake"}, flood, []string{"late"})},
		{"not for all, and the same sub at another issuer is somebody else", "", 17, slices.Concat([]string{"namesake"}, newest, []string{"late"})},
		{"still the oldest first, and no more than asked for", "", 6, slices.Concat([]string{"namesake"}, newest)},
		{"of one user", "U1", 100, []string{"flood-01", "flood-04", "flood-07", "flood-10", "flood-13", "late"}},
		{"of a user who has none", "U8", 100, nil},
	} {
		if diff := cmp.Diff(tc.want, unconfirmed(t, store, tc.userID, 0, tc.limit)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
	closeStore(t, store)
}

// A pending link has lapsed when its window has closed, for the events' skew too; an active one never does.
func testLapsed(t *testing.T, open Open) {
	store := open(t)
	putPending(t, store, pending("a", "U1", "sub-1"))
	if err := consentTo(t, store, pending("by login", "U2", "sub-2"), 0, true); err != nil {
		t.Fatal(err)
	}
	const closes = link.LINETokenLife
	for _, tc := range []struct {
		reason     string
		since, now time.Duration
		want       bool
	}{
		{"open", 0, closes, false},
		{"an event of the last moment may come", 0, closes + link.EventSkew, false},
		{"closed", 0, closes + link.EventSkew + time.Second, true},
		{"closed before", closes, closes + time.Hour, false},
		{"just not before", closes - time.Second, closes + time.Hour, true},
	} {
		got, err := store.Lapsed(t.Context(), vision, moment.Add(tc.since), moment.Add(tc.now))
		if err != nil || got != tc.want {
			t.Errorf("%s: %t, %v; want %t", tc.reason, got, err, tc.want)
		}
	}
	confirm(t, store, linkedEvent("a", "U1", 5), link.Activated)
	if got, err := store.Lapsed(t.Context(), vision, moment, moment.Add(closes+time.Hour)); err != nil || got {
		t.Errorf("it was confirmed: %t, %v", got, err)
	}
	closeStore(t, store)
}

func testUnconfirmed(t *testing.T, open Open) {
	store := open(t)
	for i, id := range []string{"c", "a", "b"} {
		l := pending(id, "U1", "sub-1")
		l.ConsentAt = moment.Add(time.Duration(i) * time.Second)
		l.ExpiresAt = moment.Add(time.Duration(i+1) * time.Minute)
		putPending(t, store, l)
	}
	ids := func(after time.Duration, limit int) []string {
		return unconfirmed(t, store, "", after, limit)
	}
	for _, tc := range []struct {
		reason string
		got    []string
		want   []string
	}{
		{"oldest consent first", ids(0, 10), []string{"c", "a", "b"}},
		{"no more than asked for", ids(0, 2), []string{"c", "a"}},
		{"the skew counts to the window", ids(2*time.Minute, 10), []string{"c", "a", "b"}},
		{"closed windows are left out", ids(2*time.Minute+1*time.Second, 10), []string{"a", "b"}},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s: %s", tc.reason, diff)
		}
	}
	confirm(t, store, linkedEvent("b", "U1", 5), link.Activated) // C44: an event of that time still counts

	if err := consentTo(t, store, pending("by login", "U2", "sub-2"), 0, true); err != nil {
		t.Fatal(err)
	}
	wantActive(t, store, "U2", "by login")
	for _, tc := range []struct {
		reason string
		after  time.Duration
		want   []string
	}{
		{"what the login alone activated may be confirmed still", 3 * time.Minute, []string{"by login", "a"}},
		{"within its window", link.LINETokenLife + link.EventSkew + time.Second, nil},
	} {
		if diff := cmp.Diff(tc.want, ids(tc.after, 10)); diff != "" {
			t.Errorf("%s: %s", tc.reason, diff)
		}
	}
	confirm(t, store, linkedEvent("by login", "U2", 6), link.Activated)
	if diff := cmp.Diff([]string{"a"}, ids(3*time.Minute, 10)); diff != "" {
		t.Errorf("a confirmed link waits for nothing: %s", diff)
	}
	closeStore(t, store)
}

// C33: links in order, page by page, and an import that never goes back in time.
func testImport(t *testing.T, open Open) {
	store := open(t)
	const many = 1203 // more than two pages
	at := func(i int, after time.Duration) link.Link {
		l := pending(fmt.Sprintf("id-%04d-%d", i, after), fmt.Sprintf("U%04d", i), fmt.Sprint("sub-", i))
		l.State, l.Confirmed, l.LinkedAt = link.Active, i%2 == 0, moment.Add(after)
		return l
	}
	var links []link.Link
	for i := range many {
		links = append(links, at(i, 0))
	}
	shuffled := slices.Clone(links)
	slices.Reverse(shuffled)
	wantImport(t, store, many, shuffled...)
	wantImport(t, store, 0, links...) // again
	if diff := cmp.Diff(links, allLinks(t, store, vision, ""), compare); diff != "" {
		t.Error(diff)
	}
	if got := allLinks(t, store, vision, "U1200"); len(got) != 2 || got[0].UserID != "U1201" {
		t.Errorf("after U1200 there are %d", len(got))
	}
	if got := allLinks(t, store, another, ""); len(got) != 0 {
		t.Errorf("another channel has %d links", len(got))
	}
	enough := errors.New("enough")
	if err := store.Links(t.Context(), vision, "", func(link.Link) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("fn's error: got %v", err)
	}

	wantImport(t, store, 0, at(1, -time.Second))
	wantActive(t, store, "U0001", links[1].ID)
	wantImport(t, store, 1, at(1, time.Second))
	wantActive(t, store, "U0001", at(1, time.Second).ID)

	unlink(t, store, unlinkedEvent("U0002", 60), link.Removed)
	wantImport(t, store, 0, at(2, time.Second)) // a backup brings nobody back who has left since
	wantActive(t, store, "U0002", "")
	wantImport(t, store, 1, at(2, 2*time.Minute))

	anonymous := at(3, time.Hour)
	anonymous.ID = ""
	wantImport(t, store, 1, anonymous)
	if l, err := store.ActiveLink(t.Context(), vision, "U0003", time.Time{}); err != nil || l.ID == "" {
		t.Errorf("without an id: %+v, %v", l, err)
	}
	namesake := at(4, time.Hour)
	namesake.ID = at(5, 0).ID // another user's
	wantImport(t, store, 1, namesake)
	wantActive(t, store, "U0005", at(5, 0).ID)
	if l, err := store.ActiveLink(t.Context(), vision, "U0004", time.Time{}); err != nil || !l.LinkedAt.Equal(namesake.LinkedAt) {
		t.Errorf("with another's id: %+v, %v", l, err)
	}
	counts, err := store.CountLinks(t.Context(), vision)
	if want := map[link.State]int64{link.Active: many, link.Pending: 0, link.Unlinking: 0}; err != nil || !cmp.Equal(want, counts) {
		t.Errorf("%v, %v; want %v", counts, err, want)
	}
	closeStore(t, store)
}

func wantImport(t *testing.T, store link.Store, want int, links ...link.Link) {
	t.Helper()
	if stored, err := store.Import(t.Context(), links, moment); err != nil || stored != want {
		t.Errorf("%d of %d stored, %v; want %d", stored, len(links), err, want)
	}
}

func allLinks(t *testing.T, store link.Store, channel link.ChannelID, after string) []link.Link {
	t.Helper()
	var all []link.Link
	err := store.Links(t.Context(), channel, after, func(l link.Link) error {
		all = append(all, l)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// What is over goes, and nothing before its time.
func testSweep(t *testing.T, open Open) {
	store := open(t)
	putPending(t, store, pending("kept", "U1", "sub-1"), pending("late", "U2", "sub-1"), pending("linked", "U3", "sub-1"))
	confirm(t, store, linkedEvent("linked", "U3", 5), link.Activated)
	unlink(t, store, unlinkedEvent("U1", 5), link.Unknown)
	waiting, over := identified(t, store, "waiting"), identified(t, store, "over")
	if err := store.Refuse(t.Context(), vision, over.Flow); err != nil {
		t.Fatal(err)
	}
	sweep := func(after time.Duration) {
		t.Helper()
		if err := store.Sweep(t.Context(), moment.Add(after), 9600*time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	hasSession := func(s link.Session, want bool) {
		t.Helper()
		_, err := store.Session(t.Context(), vision, s.Flow)
		if want && err != nil || !want && !errors.Is(err, link.ErrNotFound) {
			t.Errorf("session %s: %v, want it: %t", s.Flow, err, want)
		}
	}
	sweep(10 * time.Minute)
	hasSession(waiting, true)
	sweep(10*time.Minute + time.Second)
	hasSession(waiting, false) // C60: with what is confidential in it
	sweep(20 * time.Minute)
	hasSession(over, true) // its owner is still told that it is over
	sweep(20*time.Minute + time.Second)
	hasSession(over, false)

	sweep(48*time.Hour + 10*time.Minute)
	confirm(t, store, linkedEvent("kept", "U1", 5), link.Outdated) // C44: the pending link and the unlinking are known
	confirm(t, store, linkedEvent("linked", "U3", 5), link.Repeated)
	sweep(48*time.Hour + 10*time.Minute + time.Second)
	confirm(t, store, linkedEvent("late", "U2", 5), link.Unknown)
	wantActive(t, store, "U3", "linked") // what is active stays

	sweep(8 * 24 * time.Hour)
	confirm(t, store, linkedEvent("linked", "U3", 5), link.Repeated) // not for the event's sake: the link is there
	wantActive(t, store, "U3", "linked")
	closeStore(t, store)
}
