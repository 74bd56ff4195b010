package linktest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// pending returns a link as a consent makes it; its code is the ID.
func pending(id, userID, subject string) link.Link {
	return link.Link{
		ID: id, Channel: vision, UserID: userID, Identity: person(subject), State: link.Pending,
		CodeHash: link.HashCode(id), PlatformToken: "token of " + id,
		LoginAt: moment.Add(-time.Minute), ConsentAt: moment, ExpiresAt: moment.Add(link.LINETokenLife),
	}
}

// putPending stores links by way of a login session each.
func putPending(t *testing.T, store link.Store, links ...link.Link) {
	t.Helper()
	for _, l := range links {
		if err := consentTo(t, store, l, 0, false); err != nil {
			t.Fatal(err)
		}
	}
}

func consentTo(t *testing.T, store link.Store, l link.Link, maxLinks int, active bool) error {
	t.Helper()
	session := newSession("flow of " + l.ID)
	session.Channel, session.Step, session.ExpiresAt = l.Channel, link.Identified, l.ConsentAt.Add(time.Minute)
	if err := patiently(func() error { return store.PutSession(t.Context(), session) }); err != nil {
		return err
	}
	return patiently(func() error { return store.Consent(t.Context(), session.Flow, l, maxLinks, active) })
}

// linkedEvent confirms the link of that ID after so many seconds.
func linkedEvent(id, userID string, second int) link.Confirmation {
	return link.Confirmation{
		Channel: vision, Event: fmt.Sprintf("linked %s %s %d", id, userID, second), Code: link.HashCode(id),
		UserID: userID, OK: true, At: moment.Add(time.Duration(second) * time.Second),
	}
}

func refusedEvent(id string, second int) link.Confirmation {
	c := linkedEvent(id, "", second)
	c.OK = false
	return c
}

func unlinkedEvent(userID string, second int) link.Unlink {
	return link.Unlink{
		Channel: vision, Event: fmt.Sprintf("unlinked %s %d", userID, second), UserID: userID,
		At: moment.Add(time.Duration(second) * time.Second), By: "chat user", Why: "postback",
	}
}

func confirm(t *testing.T, store link.Store, c link.Confirmation, want link.Outcome) {
	t.Helper()
	got, err := store.Confirm(t.Context(), c, c.At)
	if err != nil || got != want {
		t.Errorf("confirm %q: %q, %v; want %q", c.Event, got, err, want)
	}
}

func unlink(t *testing.T, store link.Store, u link.Unlink, want link.Outcome) {
	t.Helper()
	got, err := store.Unlink(t.Context(), u, u.At)
	if err != nil || got != want {
		t.Errorf("%q: %q, %v; want %q", u.Event, got, err, want)
	}
}

// wantActive wants the user's active link to have that ID, or none with "".
func wantActive(t *testing.T, store link.Store, userID, id string) {
	t.Helper()
	l, err := store.ActiveLink(t.Context(), vision, userID, time.Time{})
	if errors.Is(err, link.ErrNotFound) {
		err = nil
	}
	if err != nil || l.ID != id {
		t.Errorf("%s has link %q, %v; want %q", userID, l.ID, err, id)
	}
}

func testLinkLife(t *testing.T, open Open) {
	store := open(t)
	l := pending("code-1", "U1", "sub-1")
	putPending(t, store, l)
	wantActive(t, store, "U1", "") // C2: consent alone links nobody
	got, err := store.LinkByCode(t.Context(), vision, l.CodeHash)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, got, compare); diff != "" {
		t.Error(diff)
	}

	confirm(t, store, linkedEvent("code-1", "U1", 5), link.Activated)
	l.State, l.Confirmed, l.LinkedAt = link.Active, true, moment.Add(5*time.Second)
	got, err = store.ActiveLink(t.Context(), vision, "U1", moment.Add(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, got, compare); diff != "" {
		t.Error(diff)
	}
	if _, err := store.ActiveLink(t.Context(), vision, "U1", moment.Add(6*time.Second)); !errors.Is(err, link.ErrNotFound) {
		t.Errorf("linked before linking.maxAge: %v, want %v", err, link.ErrNotFound)
	}
	if _, err := store.ActiveLink(t.Context(), another, "U1", time.Time{}); !errors.Is(err, link.ErrNotFound) {
		t.Errorf("on another channel: %v, want %v", err, link.ErrNotFound)
	}
	confirm(t, store, linkedEvent("code-1", "U1", 6), link.Repeated) // C1, C38: a code confirms once
	last, ever, err := store.Confirmations(t.Context(), vision)
	if err != nil || !ever || !last.Equal(moment.Add(5*time.Second)) {
		t.Errorf("confirmations: %v, %t, %v", last, ever, err)
	}
	if _, ever, err := store.Confirmations(t.Context(), another); err != nil || ever {
		t.Errorf("confirmations elsewhere: %t, %v", ever, err)
	}

	unlink(t, store, unlinkedEvent("U1", 7), link.Removed)
	wantActive(t, store, "U1", "")
	if _, err := store.LinkByCode(t.Context(), vision, l.CodeHash); !errors.Is(err, link.ErrNotFound) {
		t.Errorf("after unlinking the code finds a link: %v", err)
	}
	unlink(t, store, unlinkedEvent("U1", 7), link.Repeated)
	unlink(t, store, unlinkedEvent("U1", 8), link.Unknown)
	closeStore(t, store)
}

// Rules of a confirmation, each from pending links alpha (U1), beta (U1, the same person on another try), gamma (U2) and
// open (nobody in particular).
func testConfirmRules(t *testing.T, open Open) {
	store := open(t)
	type state struct{ u1, u2, u3 string }
	cases := []struct {
		reason string
		events []any // link.Confirmation or link.Unlink
		last   link.Outcome
		want   state
	}{
		{"a code of nobody", []any{linkedEvent("delta", "U1", 5)}, link.Unknown, state{}},
		{"C1: another user's event burns", []any{linkedEvent("alpha", "U2", 5)}, link.Burnt, state{}},
		{"and it stays burnt", []any{linkedEvent("alpha", "U2", 5), linkedEvent("alpha", "U1", 6)}, link.Unknown, state{}},
		{"C2: the platform refuses, without a user", []any{refusedEvent("alpha", 5), linkedEvent("alpha", "U1", 6)}, link.Unknown, state{}},
		{"a refusal leaves others", []any{refusedEvent("alpha", 5), linkedEvent("beta", "U1", 6)}, link.Activated, state{u1: "beta"}},
		{"a confirmation without a user", []any{linkedEvent("alpha", "", 5)}, link.Unknown, state{}},
		{"for nobody in particular: whoever comes", []any{linkedEvent("open", "U3", 5)}, link.Activated, state{u3: "open"}},
		{"one event, twice", []any{linkedEvent("alpha", "U1", 5), linkedEvent("alpha", "U1", 5)}, link.Repeated, state{u1: "alpha"}},
		{"before the window", []any{linkedEvent("alpha", "U1", -61)}, link.Late, state{}},
		{"a clock that is a minute behind", []any{linkedEvent("alpha", "U1", -60)}, link.Activated, state{u1: "alpha"}},
		{"C86: a clock that is a minute ahead", []any{linkedEvent("alpha", "U1", 660)}, link.Activated, state{u1: "alpha"}},
		{"after the window", []any{linkedEvent("alpha", "U1", 661)}, link.Late, state{}},
		{"too late for another user: nothing burns", []any{linkedEvent("alpha", "U2", 661), linkedEvent("alpha", "U1", 5)}, link.Activated, state{u1: "alpha"}},
		{"relinking replaces", []any{linkedEvent("alpha", "U1", 5), linkedEvent("beta", "U1", 6)}, link.Activated, state{u1: "beta"}},
		{"C44: the older one comes last", []any{linkedEvent("beta", "U1", 6), linkedEvent("alpha", "U1", 5)}, link.Outdated, state{u1: "beta"}},
		{"C44: unlinked before linked, in time", []any{unlinkedEvent("U1", 4), linkedEvent("alpha", "U1", 5)}, link.Activated, state{u1: "alpha"}},
		{"C44: unlinked after linked, but comes first", []any{unlinkedEvent("U1", 6), linkedEvent("alpha", "U1", 5)}, link.Outdated, state{}},
		{"C44: redelivered hours later", []any{unlinkedEvent("U1", 6), linkedEvent("alpha", "U1", 5), linkedEvent("alpha", "U1", 5)}, link.Repeated, state{}},
		{"of one moment: unlinked wins", []any{linkedEvent("alpha", "U1", 5), unlinkedEvent("U1", 5)}, link.Removed, state{}},
		{"also when it comes first", []any{unlinkedEvent("U1", 5), linkedEvent("alpha", "U1", 5)}, link.Outdated, state{}},
		{"an old unlinking leaves a younger link", []any{linkedEvent("beta", "U1", 6), unlinkedEvent("U1", 5)}, link.Outdated, state{u1: "beta"}},
		{"unlinking spends no pending link", []any{unlinkedEvent("U1", 5), linkedEvent("beta", "U1", 6)}, link.Activated, state{u1: "beta"}},
		{"C33: two chat users of one person", []any{linkedEvent("alpha", "U1", 5), linkedEvent("gamma", "U2", 6)}, link.Activated, state{u1: "alpha", u2: "gamma"}},
		{"unlinking is for one of them", []any{linkedEvent("alpha", "U1", 5), linkedEvent("gamma", "U2", 6), unlinkedEvent("U1", 7)}, link.Removed, state{u2: "gamma"}},
	}
	for i, tc := range cases {
		channel := link.ChannelID(fmt.Sprint("case/", i))
		for _, l := range []link.Link{
			pending("alpha", "U1", "sub-1"), pending("beta", "U1", "sub-1"),
			pending("gamma", "U2", "sub-1"), pending("open", "", "sub-1"),
		} {
			l.Channel = channel
			putPending(t, store, l)
		}
		var last link.Outcome
		for _, event := range tc.events {
			last = apply(t, store, channel, event)
		}
		active := func(userID string) string {
			l, err := store.ActiveLink(t.Context(), channel, userID, time.Time{})
			if err != nil && !errors.Is(err, link.ErrNotFound) {
				t.Fatal(err)
			}
			return l.ID
		}
		got := state{active("U1"), active("U2"), active("U3")}
		if last != tc.last || got != tc.want {
			t.Errorf("%s: outcome %q, links %+v; want %q, %+v", tc.reason, last, got, tc.last, tc.want)
		}
	}
	closeStore(t, store)
}

// apply hands an event to the store, on that channel, hours after its time.
func apply(t *testing.T, store link.Store, channel link.ChannelID, event any) link.Outcome {
	t.Helper()
	now := moment.Add(12 * time.Hour)
	var outcome link.Outcome
	var err error
	switch e := event.(type) {
	case link.Confirmation:
		e.Channel = channel
		outcome, err = store.Confirm(t.Context(), e, now)
	case link.Unlink:
		e.Channel = channel
		outcome, err = store.Unlink(t.Context(), e, now)
	default:
		t.Fatalf("no event: %T", event)
	}
	if err != nil {
		t.Fatal(err)
	}
	return outcome
}
