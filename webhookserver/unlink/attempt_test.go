package unlink_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/unlink"
)

// wantTold checks who the platform was told of since the last time.
func wantTold(t *testing.T, reason string, p *platform, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, p.take()); diff != "" {
		t.Errorf("%s: told of (-want +got)\n%s", reason, diff)
	}
}

// C74: a failure that is one user's own holds up nobody; one that would be everybody's ends the attempt.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		cause  unlink.Cause
		calls  int
		counts map[link.RevokedState]int
	}{
		{unlink.Rejected, 3, map[link.RevokedState]int{link.RevokedFailed: 3}},
		{unlink.UpstreamFailed, 3, map[link.RevokedState]int{link.RevokedWaiting: 3}},
		{unlink.Unreachable, 3, map[link.RevokedState]int{link.RevokedWaiting: 3}},
		{unlink.RateLimited, 1, map[link.RevokedState]int{link.RevokedWaiting: 3}},
		{unlink.CredentialsRejected, 1, map[link.RevokedState]int{link.RevokedWaiting: 3}},
	} {
		s, p := inMemory(t), &platform{token: "token", answer: fails(c.cause, 0)}
		linkUsers(t, s, vision, 3, -time.Minute)
		clock := &clock{now: fence}
		u := newUnlinker(s, vision, p, clock.Now)
		got := u.Attempt(t.Context(), ofPerson("asked"))
		if diff := cmp.Diff(c.counts, got.Counts); diff != "" || len(p.take()) != c.calls || got.Attempts != 1 {
			t.Errorf("%s: %+v", c.cause, got)
		}
		if users := linked(t, s, vision); len(users) != 0 {
			t.Errorf("%s: %v are linked", c.cause, users)
		}
		want := c.cause
		if c.cause == unlink.Rejected {
			want = "" // it has ended
		}
		if got.Cause != want || got.More() != (c.cause != unlink.Rejected) {
			t.Errorf("%s: cause %q, more %t", c.cause, got.Cause, got.More())
		}

		p.answers(nil)
		r := ofPerson("asked")
		r.Epoch = "again"
		if got = u.Attempt(t.Context(), r); c.cause == unlink.CredentialsRejected {
			wantTold(t, "a token that was refused", p)
			p.token = "another"
			got = u.Attempt(t.Context(), r)
		}
		wantTold(t, string(c.cause)+": in the end", p, userN(0), userN(1), userN(2))
		if got.More() || got.Counts[link.RevokedDone] != 3 || got.Epoch != "again" {
			t.Errorf("%s: in the end %+v", c.cause, got)
		}
	}
}

// C74: while the platform wants to be left alone, nobody calls, whoever asks.
func TestRetryAfter(t *testing.T) {
	s, p := inMemory(t), &platform{token: "token", answer: func(string) error {
		return &unlink.CallError{Cause: unlink.UpstreamFailed, Status: 503, RetryAfter: time.Minute}
	}}
	linkUsers(t, s, vision, 2, -time.Minute)
	clock := &clock{now: fence}
	u := newUnlinker(s, vision, p, clock.Now)
	if got := u.Attempt(t.Context(), ofPerson("one")); got.RetryAfter != time.Minute || got.Counts[link.RevokedWaiting] != 2 {
		t.Errorf("%+v", got)
	}
	if told := p.take(); len(told) != 1 {
		t.Errorf("told of %v, want one", told)
	}
	clock.pass(time.Minute - time.Second)
	other := link.Revocation{ID: "two", UserID: userN(1), Fence: fence, CallUnknown: true}
	if got := u.Attempt(t.Context(), other); got.Cause != unlink.RateLimited || got.RetryAfter != time.Second {
		t.Errorf("too early: %+v", got)
	}
	wantTold(t, "too early", p)
	p.answers(nil)
	clock.pass(time.Second)
	if got := u.Attempt(t.Context(), ofPerson("one")); got.More() {
		t.Errorf("in time: %+v", got)
	}
	wantTold(t, "in time", p, userN(0), userN(1))
}

// A refused token is forgotten once there is another: should it come back, that is a decision of somebody's.
func TestRefusedTokenComesBack(t *testing.T) {
	s, p := inMemory(t), &platform{token: "old", answer: fails(unlink.CredentialsRejected, 401)}
	linkUsers(t, s, vision, 1, -time.Minute)
	u := newUnlinker(s, vision, p, func() time.Time { return fence })
	for _, c := range []struct {
		token string
		calls int
	}{{"old", 1}, {"old", 0}, {"new", 1}, {"new", 0}, {"old", 1}, {"old", 0}} {
		p.token = c.token
		if got := u.Attempt(t.Context(), ofPerson("asked")); got.Cause != unlink.CredentialsRejected || len(p.take()) != c.calls {
			t.Errorf("%s: %+v", c.token, got)
		}
	}
}

// An attempt ends within its time: what is left of it has to suffice for a call. What is cut off by nothing goes on.
func TestWorkTime(t *testing.T) {
	s := inMemory(t)
	linkUsers(t, s, vision, 20, -time.Minute)
	synctest.Test(t, func(t *testing.T) {
		p := &platform{token: "token", answer: func(string) error {
			<-time.After(3 * time.Second)
			return nil
		}}
		u := newUnlinker(s, vision, p, func() time.Time { return fence })
		gone, cancel := context.WithCancel(t.Context())
		cancel() // the caller has given up
		begun := time.Now()
		got := u.Attempt(gone, ofPerson("asked"))
		if took := time.Since(begun); took > unlink.WorkTime {
			t.Errorf("took %v", took)
		}
		if n := len(p.take()); n != 4 || got.Counts[link.RevokedDone] != 4 || got.Cause != "" || !got.More() {
			t.Errorf("%d calls: %+v", n, got)
		}
		hurried, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		if got := u.Attempt(hurried, ofPerson("asked")); got.Counts[link.RevokedWaiting] != 16 || !got.More() || len(p.take()) != 0 {
			t.Errorf("with no time for a call: %+v", got)
		}
	})
	if users := linked(t, s, vision); len(users) != 0 {
		t.Errorf("%v are linked", users)
	}
}

// What the settings say now counts, not what they said when the link was closed.
func TestSettingsChange(t *testing.T) {
	s, p := inMemory(t), &platform{token: "token", answer: fails(unlink.UpstreamFailed, 500)}
	linkUsers(t, s, vision, 2, -time.Minute)
	u := newUnlinker(s, vision, p, func() time.Time { return fence })
	if got := u.Attempt(t.Context(), ofPerson("asked")); got.Counts[link.RevokedWaiting] != 2 {
		t.Fatalf("%+v", got)
	}
	p.take()
	u.Tell, u.Platform = link.TellNobody, nil // botBonnie was taken out of the ChannelLink
	if got := u.Attempt(t.Context(), ofPerson("asked")); got.Counts[link.RevokedDone] != 2 || got.More() {
		t.Errorf("nobody to tell any more: %+v", got)
	}
	u.Actions = false
	got := u.Attempt(t.Context(), ofPerson("with actions"))
	if got.Cause != unlink.ActionsNotSupported || got.More() || !got.StartedAt.IsZero() {
		t.Errorf("actions with nobody to take them: %+v", got)
	}
}

// C71: a server that cannot be reached any more, or has lost its lease, writes down nothing but a success.
func TestLostLease(t *testing.T) {
	for _, c := range []struct {
		reason string
		late   error
	}{
		{"it has failed", &unlink.CallError{Cause: unlink.Rejected, Status: 404}},
		{"it has succeeded", nil},
	} {
		s, clock := inMemory(t), &clock{now: fence}
		linkUsers(t, s, vision, 1, -time.Minute)
		quick := &platform{token: "token"}
		slow := &platform{token: "token", answer: func(string) error {
			other := newUnlinker(s, vision, quick, clock.Now)
			if got := other.Attempt(t.Context(), ofPerson("asked")); got.Cause != unlink.Busy || !got.More() {
				t.Errorf("%s: while it is leased: %+v", c.reason, got)
			}
			wantTold(t, c.reason+": while it is leased", quick)
			clock.pass(link.LeaseTime)
			if got := other.Attempt(t.Context(), ofPerson("asked")); got.Counts[link.RevokedDone] != 1 || got.More() {
				t.Errorf("%s: after the lease: %+v", c.reason, got)
			}
			wantTold(t, c.reason+": after the lease", quick, userN(0))
			return c.late
		}}
		got := newUnlinker(s, vision, slow, clock.Now).Attempt(t.Context(), ofPerson("asked"))
		if got.Counts[link.RevokedDone] != 1 || got.More() || got.Users[0].Attempts != 2 {
			t.Errorf("%s: in the end %+v", c.reason, got)
		}
	}
}

// awayLedger is away for what is written down after a call, and for all that comes then, as often as it is told.
type awayLedger struct {
	link.Ledger
	away int
}

func (a *awayLedger) EndCall(ctx context.Context, l link.Lease, userID string, s link.Settlement, now time.Time) error {
	if a.away > 0 {
		a.away--
		return link.ErrUnavailable
	}
	return a.Ledger.EndCall(ctx, l, userID, s, now)
}

func (a *awayLedger) Release(ctx context.Context, l link.Lease, now time.Time) error {
	if a.away > 0 {
		return link.ErrUnavailable
	}
	return a.Ledger.Release(ctx, l, now)
}

// C71: what a call has come to is written down as soon as the store is back; if it stays away, that one call is repeated.
func TestStoreAwayAfterTheCall(t *testing.T) {
	for _, c := range []struct {
		reason string
		away   int
		cause  unlink.Cause
		calls  int
	}{
		{"for a moment", 3, "", 1},
		{"for longer", 1000, unlink.StoreUnavailable, 2},
	} {
		s := inMemory(t)
		linkUsers(t, s, vision, 1, -time.Minute)
		synctest.Test(t, func(t *testing.T) {
			p, clock := &platform{token: "token"}, &clock{now: fence}
			ledger := &awayLedger{s, c.away}
			u := newUnlinker(ledger, vision, p, clock.Now)
			if got := u.Attempt(t.Context(), ofPerson("asked")); got.Cause != c.cause || got.More() != (c.cause != "") {
				t.Errorf("%s: %+v", c.reason, got)
			}
			ledger.away = 0
			clock.pass(link.LeaseTime)
			got := u.Attempt(t.Context(), ofPerson("asked"))
			if n := len(p.take()); n != c.calls || got.Counts[link.RevokedDone] != 1 || got.Users[0].Attempts != c.calls {
				t.Errorf("%s: %d calls in the end, %+v", c.reason, n, got)
			}
		})
	}
}

// Without a store nothing is done, and whoever asked is told so.
func TestNoStore(t *testing.T) {
	p := &platform{token: "token"}
	u := unlink.New(unlink.Config{
		Channel: vision, Tell: link.TellPossible, Platform: p, Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Ledger: func() (link.Ledger, error) { return nil, link.ErrUnavailable },
	})
	if got := u.Attempt(t.Context(), link.Revocation{ID: "asked", UserID: "U1"}); got.Cause != unlink.StoreUnavailable || !got.More() {
		t.Errorf("%+v", got)
	}
	if _, err := u.UnlinkUser(t.Context(), "U1", "bot", ""); !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("%v, want %v", err, link.ErrUnavailable)
	}
	wantTold(t, "without a store", p)
}
