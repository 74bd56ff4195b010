package linktest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// scene is a channel of its own, on which a case is played.
type scene struct {
	t       *testing.T
	store   link.Store
	channel link.ChannelID
}

func newScene(t *testing.T, store link.Store, name any) scene {
	t.Helper()
	return scene{t, store, link.ChannelID(fmt.Sprint("scene/", name))}
}

// login stores a pending link of a login that began so long after the fence.
func (s scene) login(id, userID string, who link.Identity, after time.Duration) {
	s.t.Helper()
	l := pending(id, userID, "")
	l.Channel, l.Identity = s.channel, who
	l.LoginAt = fence.Add(after)
	l.ConsentAt, l.ExpiresAt = l.LoginAt.Add(time.Minute), l.LoginAt.Add(10*time.Minute)
	putPending(s.t, s.store, l)
}

// linked is a login that was confirmed.
func (s scene) linked(id, userID string, who link.Identity, after time.Duration) {
	s.t.Helper()
	s.login(id, userID, who, after)
	s.confirm(id, userID, after+2*time.Minute, link.Activated)
}

func (s scene) confirm(id, userID string, after time.Duration, want link.Outcome) {
	s.t.Helper()
	c := linkedEvent(id, userID, 0)
	c.Channel, c.At = s.channel, fence.Add(after)
	confirm(s.t, s.store, c, want)
}

func (s scene) active() map[string]string {
	s.t.Helper()
	links := map[string]string{}
	for _, l := range allLinks(s.t, s.store, s.channel, "") {
		links[l.UserID] = l.ID
	}
	return links
}

func (s scene) open(r link.Revocation, tell link.Telling, after time.Duration) link.Lease {
	s.t.Helper()
	r.Channel = s.channel
	return openRevocation(s.t, s.store, r, tell, after)
}

func (s scene) counts(id string) map[link.RevokedState]int {
	s.t.Helper()
	standing, err := s.store.Standing(s.t.Context(), s.channel, id, 10)
	if err != nil {
		s.t.Fatal(err)
	}
	return standing.Counts
}

// before and later are logins on either side of the fence.
const (
	before = -time.Hour
	later  = time.Second
)

var (
	alice     = person("alice")
	bob       = person("bob")
	elsewhere = link.Identity{Issuer: "https://sso.elsewhere.example", Subject: alice.Subject, Account: alice.Account}
)

// What a revocation closes, whom the platform is told of, and what survives. C72: by the login's time alone.
func testRevocationRules(t *testing.T, open Open) {
	store := open(t)
	counts := func(state link.RevokedState, n int) map[link.RevokedState]int {
		return map[link.RevokedState]int{state: n}
	}
	user := link.Revocation{UserID: "U1"}
	subject := link.Revocation{Subject: alice.Subject, Issuer: alice.Issuer}
	account := link.Revocation{Account: alice.Account, Issuer: alice.Issuer}
	unknown := link.Revocation{UserID: "U1", CallUnknown: true}
	for i, tc := range []struct {
		reason string
		have   func(scene)
		asked  link.Revocation
		tell   link.Telling
		due    []string
		active map[string]string
		counts map[link.RevokedState]int
	}{
		{"the platform keeps no links: done at once", func(s scene) { s.linked("a", "U1", alice, before) },
			user, link.TellNobody, nil, nil, counts(link.RevokedDone, 1)},
		{"it keeps them: to be told", func(s scene) { s.linked("a", "U1", alice, before) },
			user, link.TellLinked, []string{"U1"}, nil, counts(link.RevokedWaiting, 1)},
		{"nothing to unlink", func(scene) {},
			user, link.TellPossible, nil, nil, counts(link.RevokedNotLinked, 1)},
		{"nothing to unlink, call all the same", func(scene) {},
			unknown, link.TellPossible, []string{"U1"}, nil, counts(link.RevokedWaiting, 1)},
		{"which is for BotBonnie alone", func(scene) {},
			unknown, link.TellLinked, nil, nil, counts(link.RevokedNotLinked, 1)},
		{"a login that was never confirmed may be known to BotBonnie", func(s scene) { s.login("a", "U1", alice, before) },
			user, link.TellPossible, []string{"U1"}, nil, counts(link.RevokedWaiting, 1)},
		{"and to nobody else", func(s scene) { s.login("a", "U1", alice, before) },
			user, link.TellLinked, nil, nil, counts(link.RevokedNotLinked, 1)},
		{"a later login survives", func(s scene) { s.linked("a", "U1", alice, later) },
			user, link.TellPossible, nil, map[string]string{"U1": "a"}, counts(link.RevokedSuperseded, 1)},
		{"also when the user is to be called if unknown", func(s scene) { s.linked("a", "U1", alice, later) },
			unknown, link.TellPossible, nil, map[string]string{"U1": "a"}, counts(link.RevokedSuperseded, 1)},
		{"the login counts, not when the platform confirmed it", func(s scene) { s.linked("a", "U1", alice, -time.Second) },
			user, link.TellLinked, []string{"U1"}, nil, counts(link.RevokedWaiting, 1)},
		{"a login of the very moment does not survive", func(s scene) { s.linked("a", "U1", alice, 0) },
			user, link.TellLinked, []string{"U1"}, nil, counts(link.RevokedWaiting, 1)},
		{"a link that was taken over without its login", func(s scene) {
			l := link.Link{ID: "a", Channel: s.channel, UserID: "U1", Identity: alice, LinkedAt: fence.Add(before)}
			wantImport(s.t, s.store, 1, l)
		}, user, link.TellLinked, []string{"U1"}, nil, counts(link.RevokedWaiting, 1)},
		{"every chat user of a person, and nobody else", func(s scene) {
			s.linked("a", "U1", alice, before)
			s.linked("b", "U2", alice, before)
			s.linked("c", "U3", bob, before)
		}, subject, link.TellLinked, []string{"U1", "U2"}, map[string]string{"U3": "c"}, counts(link.RevokedWaiting, 2)},
		{"the same sub at another issuer is somebody else", func(s scene) {
			s.linked("a", "U1", alice, before)
			s.linked("b", "U2", elsewhere, before)
		}, subject, link.TellLinked, []string{"U1"}, map[string]string{"U2": "b"}, counts(link.RevokedWaiting, 1)},
		{"by account too", func(s scene) {
			s.linked("a", "U1", alice, before)
			s.linked("b", "U2", elsewhere, before)
			s.linked("c", "U3", bob, before)
		}, account, link.TellNobody, nil, map[string]string{"U2": "b", "U3": "c"}, counts(link.RevokedDone, 1)},
		{"of a person's links the later one survives", func(s scene) {
			s.linked("a", "U1", alice, before)
			s.linked("b", "U2", alice, later)
		}, subject, link.TellLinked, []string{"U1"}, map[string]string{"U2": "b"},
			map[link.RevokedState]int{link.RevokedWaiting: 1, link.RevokedSuperseded: 1}},
		{"a person of whom nothing is known", func(scene) {},
			subject, link.TellPossible, nil, nil, map[link.RevokedState]int{}},
		{"another person holds the chat user by now", func(s scene) {
			s.login("a", "U1", alice, before)
			s.linked("b", "U1", bob, before)
		}, subject, link.TellLinked, nil, map[string]string{"U1": "b"}, counts(link.RevokedNotLinked, 1)},
		{"linked, and logging in once more: one user", func(s scene) {
			s.linked("a", "U1", alice, before)
			s.login("b", "U1", alice, before)
		}, subject, link.TellPossible, []string{"U1"}, nil, counts(link.RevokedWaiting, 1)},
		{"a login for nobody in particular", func(s scene) { s.login("a", "", alice, before) },
			subject, link.TellPossible, nil, nil, map[link.RevokedState]int{}},
		{"closed before, and BotBonnie was never told", func(s scene) {
			s.linked("a", "U1", alice, before)
			release(s.t, s.store, s.open(link.Revocation{ID: "given up", UserID: "U1", Fence: fence}, link.TellPossible, 0), 0)
		}, user, link.TellPossible, []string{"U1"}, nil, counts(link.RevokedWaiting, 1)},
	} {
		s := newScene(t, store, i)
		tc.have(s)
		tc.asked.ID, tc.asked.Fence = "asked", fence
		lease := s.open(tc.asked, tc.tell, 10*time.Minute)
		type outcome struct {
			Due    []string
			Active map[string]string
			Counts map[link.RevokedState]int
		}
		due, err := store.DueUsers(t.Context(), lease, 10)
		if err != nil {
			t.Fatal(err)
		}
		if tc.active == nil {
			tc.active = map[string]string{}
		}
		want := outcome{tc.due, tc.active, tc.counts}
		if diff := cmp.Diff(want, outcome{sorted(due), s.active(), s.counts("asked")}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
	closeStore(t, store)
}

// The moment is the request's, and now if that lies ahead: nobody unlinks the future.
func testRevocationFence(t *testing.T, open Open) {
	store := open(t)
	for i, tc := range []struct {
		reason string
		fence  time.Time
	}{
		{"no fence is now", time.Time{}},
		{"nor does one of tomorrow reach further", fence.Add(24 * time.Hour)},
	} {
		s := newScene(t, store, i)
		s.linked("a", "U1", alice, before)
		s.linked("b", "U2", alice, time.Minute)
		s.open(link.Revocation{ID: "asked", Subject: alice.Subject, Issuer: alice.Issuer, Fence: tc.fence}, link.TellNobody, 30*time.Second)
		if diff := cmp.Diff(map[string]string{"U2": "b"}, s.active()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
	closeStore(t, store)
}

// C72, and the other way round: a login that began before the fence becomes no link any more, however far it had come, and
// one that began later is not disturbed.
func testRevocationEndsLogins(t *testing.T, open Open) {
	store := open(t)
	login := func(flow, userID, subject string, after time.Duration) link.Session {
		session := newSession(flow)
		session.UserID, session.StartedAt, session.ExpiresAt = userID, fence.Add(after), fence.Add(after+10*time.Minute)
		session.Step, session.Identity = link.Identified, person(subject)
		if err := store.PutSession(t.Context(), session); err != nil {
			t.Fatal(err)
		}
		return session
	}
	consent := func(session link.Session) error {
		l := pending("link of "+session.Flow, session.UserID, session.Identity.Subject)
		l.LoginAt, l.ConsentAt = session.StartedAt, session.StartedAt.Add(time.Minute)
		l.ExpiresAt, l.PlatformToken = session.ExpiresAt, ""
		return store.Consent(t.Context(), session.Flow, l, 0, false)
	}
	ofUser, ofPerson := login("user", "U1", "sub-9", -time.Minute), login("person", "U8", "sub-1", -time.Minute)
	ofNobody, after := login("unknown person", "U7", "", 0), login("later", "U1", "sub-1", time.Second)
	putPending(t, store, pending("anybody's", "", "sub-9"))

	release(t, store, openRevocation(t, store, revocation("of U1"), link.TellNobody, time.Minute), time.Minute)
	r := revocation("of sub-1")
	r.UserID, r.Subject, r.Issuer = "", "sub-1", person("").Issuer
	release(t, store, openRevocation(t, store, r, link.TellNobody, time.Minute), time.Minute)

	for _, tc := range []struct {
		reason  string
		session link.Session
		want    error
	}{
		{"the user's session is gone", ofUser, link.ErrNotFound},
		{"and the person's", ofPerson, link.ErrNotFound},
		{"a login that turns out later to be the person's", func() link.Session {
			ofNobody.Identity = person("sub-1")
			return ofNobody
		}(), link.ErrExpired},
		{"a login of after the fence", after, nil},
	} {
		if err := consent(tc.session); !errors.Is(err, tc.want) {
			t.Errorf("%s: consent: %v, want %v", tc.reason, err, tc.want)
		}
	}
	// A login for nobody in particular turns out to be the user's by its confirmation alone.
	confirm(t, store, linkedEvent("anybody's", "U1", 5), link.Revoked)
	confirm(t, store, linkedEvent("anybody's", "U1", 6), link.Unknown)
	confirm(t, store, linkedEvent("link of later", "U1", 65), link.Activated)
	wantActive(t, store, "U1", "link of later")
	closeStore(t, store)
}
