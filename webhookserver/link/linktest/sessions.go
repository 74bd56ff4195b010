package linktest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// parallel is how many callers press for the same step at once.
const parallel = 100

// newSession returns a session whose random values all derive from its name.
func newSession(flow string) link.Session {
	return link.Session{
		Flow: flow, Channel: vision, Step: link.Started,
		StateHash: link.HashCode("state " + flow), CookieHash: link.HashCode("cookie " + flow),
		NonceHash: link.HashCode("nonce " + flow),
		Verifier:  "verifier " + flow, UserID: "U1", PlatformToken: "token " + flow,
		// What a browser sends need be neither UTF-8 nor free of NUL, and comes back byte for byte.
		Params:    map[string]string{"carry": "a\x00b\xff中", "linkToken": "raw " + flow, "empty": ""},
		Locale:    "zh-TW",
		StartedAt: moment, ExpiresAt: moment.Add(10 * time.Minute),
	}
}

func putSession(t *testing.T, store link.Store, flow string) link.Session {
	t.Helper()
	session := newSession(flow)
	if err := store.PutSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	return session
}

// identified brings a new session to the consent page.
func identified(t *testing.T, store link.Store, flow string) link.Session {
	t.Helper()
	session := putSession(t, store, flow)
	session, err := store.TakeCallback(t.Context(), session.Channel, session.StateHash, moment)
	if err != nil {
		t.Fatal(err)
	}
	session.Step = link.Identified
	session.Identity = person("sub-1")
	session.Display = []link.Claim{{Name: "name", Value: "王小明"}, {Name: "email", Value: "ming@vision.example"}}
	session.FormHash = link.HashCode("form " + flow)
	if err := store.Identify(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	return session
}

func person(subject string) link.Identity {
	return link.Identity{Issuer: "https://sso.vision.example", Subject: subject, Account: subject + "@vision.example"}
}

func testSessionSteps(t *testing.T, open Open) {
	store := open(t, secretfile.NewSecret("an encryption key of some length"))
	want := putSession(t, store, "flow-1")
	wantSession(t, store, want)

	taken, err := store.TakeCallback(t.Context(), vision, want.StateHash, moment)
	if err != nil {
		t.Fatal(err)
	}
	want.Step = link.Exchanging
	if diff := cmp.Diff(want, taken, compare); diff != "" {
		t.Error(diff)
	}

	want.Identity, want.Display = person("sub-1"), []link.Claim{{Name: "name", Value: "王小明"}}
	want.FormHash, want.UserID, want.Verified = link.HashCode("form"), "U2", true
	if err := store.Identify(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	want.Step, want.Verifier = link.Identified, "" // the verifier has served
	wantSession(t, store, want)

	if err := store.Refuse(t.Context(), vision, want.Flow); err != nil {
		t.Fatal(err)
	}
	want.Step, want.Params, want.Display = link.Done, nil, nil // nothing confidential outlives the end
	wantSession(t, store, want)
	closeStore(t, store)
}

// Steps that cannot be taken say why; a step that was taken stays taken.
func testSessionRefusals(t *testing.T, open Open) {
	store := open(t)
	late := moment.Add(10*time.Minute + time.Microsecond)
	started := putSession(t, store, "started")
	waiting := identified(t, store, "waiting")
	done := identified(t, store, "done")
	if err := store.Refuse(t.Context(), vision, done.Flow); err != nil {
		t.Fatal(err)
	}
	take := func(channel link.ChannelID, s link.Session, now time.Time) error {
		_, err := store.TakeCallback(t.Context(), channel, s.StateHash, now)
		return err
	}
	consent := func(s link.Session, now time.Time) error {
		l := pending(s.Flow, "U1", "sub-1")
		l.ConsentAt = now
		return store.Consent(t.Context(), s.Flow, l, 0, false)
	}
	cases := []struct {
		reason string
		err    error
		want   error
	}{
		{"state of nobody", take(vision, newSession("nobody"), moment), link.ErrNotFound},
		{"state of another channel", take(another, started, moment), link.ErrNotFound},
		{"callback after the session's end", take(vision, started, late), link.ErrExpired}, // C86
		{"second callback", take(vision, waiting, moment), link.ErrAlreadyUsed},
		{"second callback, later", take(vision, done, late), link.ErrAlreadyUsed},
		{"identify before the callback", store.Identify(t.Context(), started), link.ErrNotFound},
		{"identify twice", store.Identify(t.Context(), waiting), link.ErrAlreadyUsed},
		{"identify nobody", store.Identify(t.Context(), newSession("nobody")), link.ErrNotFound},
		{"consent before the login", consent(started, moment), link.ErrNotFound},
		{"consent after the session's end", consent(waiting, late), link.ErrExpired}, // C86
		{"consent after a refusal", consent(done, moment), link.ErrAlreadyUsed},
		{"refuse before the login", store.Refuse(t.Context(), vision, started.Flow), link.ErrNotFound},
		{"refuse twice", store.Refuse(t.Context(), vision, done.Flow), link.ErrAlreadyUsed},
		{"refuse on another channel", store.Refuse(t.Context(), another, waiting.Flow), link.ErrNotFound},
	}
	for _, tc := range cases {
		if !errors.Is(tc.err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.reason, tc.err, tc.want)
		}
	}
	if _, err := store.Session(t.Context(), another, started.Flow); !errors.Is(err, link.ErrNotFound) {
		t.Errorf("a session was found on another channel: %v", err)
	}
	// None of the refused calls has moved a session.
	if err := take(vision, started, moment); err != nil {
		t.Error(err)
	}
	if err := consent(waiting, moment); err != nil {
		t.Error(err)
	}
	closeStore(t, store)
}

// C30: a login that ends at the issuer is over at once, and not when its time is.
func testSessionRefusedAtIssuer(t *testing.T, open Open) {
	store := open(t)
	session := putSession(t, store, "flow-1")
	if _, err := store.TakeCallback(t.Context(), vision, session.StateHash, moment); err != nil {
		t.Fatal(err)
	}
	if err := store.Refuse(t.Context(), vision, session.Flow); err != nil {
		t.Fatal(err)
	}
	session.Step, session.Verifier, session.Params = link.Done, "", nil
	wantSession(t, store, session)
	if n, err := store.OpenSessions(t.Context(), vision, moment); err != nil || n != 0 {
		t.Errorf("%d sessions are open, %v; want none", n, err)
	}
	if err := store.Identify(t.Context(), session); !errors.Is(err, link.ErrAlreadyUsed) {
		t.Errorf("identify after the refusal: got %v, want %v", err, link.ErrAlreadyUsed)
	}
	closeStore(t, store)
}

// C4, C38: of many callers at once exactly one takes each step.
func testSessionStepsOnce(t *testing.T, open Open) {
	store := open(t)
	session := putSession(t, store, "flow-1")
	once(t, "TakeCallback", link.ErrAlreadyUsed, func(int) error {
		_, err := store.TakeCallback(t.Context(), vision, session.StateHash, moment)
		return err
	})
	once(t, "Identify", link.ErrAlreadyUsed, func(i int) error {
		mine := session
		mine.Identity = person(fmt.Sprint("sub-", i))
		return store.Identify(t.Context(), mine)
	})
	once(t, "Consent or Refuse", link.ErrAlreadyUsed, func(i int) error {
		if i%2 == 0 {
			return store.Refuse(t.Context(), vision, session.Flow)
		}
		return store.Consent(t.Context(), session.Flow, pending(fmt.Sprint("link-", i), "U1", "sub-1"), 0, false)
	})
	closeStore(t, store)
}

// Two logins with one token of the platform: the first consent spends it, and the other says so without being spent itself.
func testTokenSpentOnce(t *testing.T, open Open) {
	store := open(t)
	flows := make([]string, parallel)
	for i := range flows {
		flows[i] = identified(t, store, fmt.Sprint("flow-", i)).Flow
	}
	once(t, "Consent with one token", link.ErrTokenSpent, func(i int) error {
		l := pending(fmt.Sprint("link-", i), "U1", "sub-1")
		l.PlatformToken = "one and the same"
		return store.Consent(t.Context(), flows[i], l, 0, false)
	})
	waiting := 0
	for _, flow := range flows {
		session, err := store.Session(t.Context(), vision, flow)
		if err != nil {
			t.Fatal(err)
		}
		if session.Step == link.Identified {
			waiting++
		}
	}
	if waiting != parallel-1 {
		t.Errorf("%d sessions still wait, want all but one of %d", waiting, parallel)
	}
	elsewhere := newSession("elsewhere")
	elsewhere.Channel, elsewhere.Step = another, link.Identified
	if err := store.PutSession(t.Context(), elsewhere); err != nil {
		t.Fatal(err)
	}
	l := pending("elsewhere", "U1", "sub-1")
	l.Channel, l.PlatformToken = another, "one and the same"
	if err := store.Consent(t.Context(), elsewhere.Flow, l, 0, false); err != nil {
		t.Errorf("another channel's token: %v", err)
	}
	closeStore(t, store)
}

func testOpenSessions(t *testing.T, open Open) {
	store := open(t)
	putSession(t, store, "started")
	identified(t, store, "waiting")
	done := identified(t, store, "done")
	if err := store.Refuse(t.Context(), vision, done.Flow); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		reason  string
		channel link.ChannelID
		now     time.Time
		want    int64
	}{
		{"done is not open", vision, moment, 2},
		{"nor is what has ended", vision, moment.Add(11 * time.Minute), 0},
		{"each channel has its own", another, moment, 0},
	} {
		if n, err := store.OpenSessions(t.Context(), tc.channel, tc.now); err != nil || n != tc.want {
			t.Errorf("%s: %d open, %v; want %d", tc.reason, n, err, tc.want)
		}
	}
	closeStore(t, store)
}

// patiently calls again while the store is unavailable, as platforms and people do. On a busy machine some of a hundred
// callers wait longer than a call may take, and were told that nothing was done.
func patiently(call func() error) error {
	var err error
	for range 100 {
		if err = call(); !errors.Is(err, link.ErrUnavailable) {
			break
		}
	}
	return err
}

// once runs fn in parallel and wants one to succeed and all others to get the error.
func once(t *testing.T, what string, others error, fn func(i int) error) {
	t.Helper()
	var won atomic.Int64
	var callers sync.WaitGroup
	start := make(chan struct{})
	for i := range parallel {
		callers.Go(func() {
			<-start
			switch err := patiently(func() error { return fn(i) }); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, others):
				t.Errorf("%s: got %v, want %v", what, err, others)
			}
		})
	}
	close(start)
	callers.Wait()
	if won.Load() != 1 {
		t.Errorf("%s: %d of %d callers succeeded, want one", what, won.Load(), parallel)
	}
}

func wantSession(t *testing.T, store link.Store, want link.Session) {
	t.Helper()
	got, err := store.Session(t.Context(), want.Channel, want.Flow)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Error(diff)
	}
}
