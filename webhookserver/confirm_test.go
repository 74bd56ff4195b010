package webhookserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/link"
)

// fakeBotBonnie has records, notes when it is asked, and is a store of pending links beside.
type fakeBotBonnie struct {
	mu      sync.Mutex
	records []botbonnie.Customer
	happened
	down error
	slow time.Duration
}

// happened is what a test looks at.
type happened struct {
	pending   []link.Link
	looks     []time.Time
	since     []time.Time
	confirmed []link.Confirmation
}

// now is what happened so far.
func (f *fakeBotBonnie) now() happened {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.happened
	h.pending, h.looks = slices.Clone(h.pending), slices.Clone(h.looks)
	return h
}

func (f *fakeBotBonnie) Customers(ctx context.Context, since time.Time, fn func(botbonnie.Customer) bool) error {
	f.mu.Lock()
	f.looks, f.since = append(f.looks, time.Now()), append(f.since, since)
	records, down := f.records, f.down
	f.mu.Unlock()
	select {
	case <-time.After(f.slow):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, r := range records {
		if !fn(r) {
			break
		}
	}
	return down
}

func (f *fakeBotBonnie) UnconfirmedLinks(_ context.Context, _ link.ChannelID, _ string, now time.Time, _ int) ([]link.Link, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var open []link.Link
	for _, p := range f.pending {
		if !p.ExpiresAt.Add(link.EventSkew).Before(now) {
			open = append(open, p)
		}
	}
	return open, nil
}

func (f *fakeBotBonnie) Confirm(_ context.Context, c link.Confirmation, _ time.Time) (link.Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.confirmed = append(f.confirmed, c)
	for i, p := range f.pending {
		if p.CodeHash == c.Code && p.UserID == c.UserID {
			f.pending = append(f.pending[:i:i], f.pending[i+1:]...)
			return link.Activated, nil
		}
	}
	return link.Unknown, nil
}

func (f *fakeBotBonnie) wait(user, code string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pending = append(f.pending, link.Link{
		UserID: user, CodeHash: link.HashCode(code), LoginAt: at.Add(-time.Minute), ConsentAt: at, ExpiresAt: at.Add(10 * time.Minute),
	})
}

func (f *fakeBotBonnie) confirmer() *confirmer {
	return startConfirmer(confirmer{
		channel: link.NewChannelID("LINE", "507oftxz"), pageID: "507oftxz", platform: botbonnie.LINE,
		customers: f.Customers, store: func() (waitingStore, error) { return f, nil },
		now: time.Now, log: slog.New(slog.DiscardHandler), observe: func(string, string) {},
	})
}

func record(user, extID string) botbonnie.Customer {
	return botbonnie.Customer{UserID: user, PageID: "507oftxz", Platform: botbonnie.LINE, ExtID: extID}
}

// seconds are the moments since start, to read in a failure.
func seconds(start time.Time, moments []time.Time) []int {
	var all []int
	for _, m := range moments {
		all = append(all, int(m.Sub(start).Round(time.Second)/time.Second))
	}
	return all
}

// A login that BotBonnie confirms at last: asked for at 2 s, then less and less often, and not after.
func TestConfirmerLooksLessAndLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBotBonnie{}
		c := f.confirmer()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.run(ctx); close(ended) }()

		time.Sleep(time.Minute) // the bubble's clock
		if looks := f.now().looks; len(looks) != 0 {
			t.Errorf("asked at %v with nothing to ask for", looks)
		}
		start := time.Now()
		c.wake()
		f.wait("U1", "code-1", start)
		time.Sleep(100 * time.Second) // the bubble's clock
		if diff := cmp.Diff([]int{2, 4, 8, 16, 32, 64}, seconds(start, f.now().looks)); diff != "" {
			t.Errorf("looks (-want +got)\n%s", diff)
		}
		if since, want := f.now().since[0], start.Add(-2*time.Minute); !since.Equal(want) {
			t.Errorf("asked for records since %v, want %v: the login's start, and a minute for another clock", since, want)
		}
		f.mu.Lock()
		f.records = []botbonnie.Customer{record("U1", "code-1")}
		f.mu.Unlock()
		time.Sleep(time.Hour) // the bubble's clock
		stop()
		<-ended
		if len(f.confirmed) != 1 || len(f.looks) != 7 {
			t.Errorf("%d confirmations, looks at %v", len(f.confirmed), seconds(start, f.looks))
		}
	})
}

// One that nothing confirms is given up when its window closes, with a bounded number of calls.
func TestConfirmerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBotBonnie{down: errors.New("down")}
		c := f.confirmer()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		start := time.Now()
		f.wait("U1", "code-1", start) // left by a server that ended: nobody wakes this one
		go func() { c.run(ctx); close(ended) }()
		time.Sleep(time.Hour) // the bubble's clock
		stop()
		<-ended
		if n := len(f.looks); n < 12 || n > 20 {
			t.Errorf("%d looks at %v", n, seconds(start, f.looks))
		}
		if last := f.looks[len(f.looks)-1].Sub(start); last > 11*time.Minute {
			t.Errorf("asked %v after consent, when the window is closed", last)
		}
	})
}

// A thousand logins a minute share look-ups.
func TestConfirmerServesAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBotBonnie{}
		c := f.confirmer()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.run(ctx); close(ended) }()
		start := time.Now()
		for i := range 1000 {
			user, code := fmt.Sprint("U", i), fmt.Sprint("code-", i)
			c.wake()
			f.wait(user, code, time.Now())
			f.mu.Lock()
			f.records = append(f.records, record(user, code))
			f.mu.Unlock()
			time.Sleep(60 * time.Millisecond) // the bubble's clock
		}
		time.Sleep(10 * time.Second) // the bubble's clock
		stop()
		<-ended
		if len(f.pending) != 0 || len(f.looks) > 35 {
			t.Errorf("%d wait still after %d looks in %v", len(f.pending), len(f.looks), time.Since(start))
		}
	})
}

// C2, C3: only the code that stands with the very user confirms, and only his link. The attacker's record, with the code of a
// login that names the victim, does not.
func TestConfirmerMatchesUserAndCode(t *testing.T) {
	for _, c := range []struct {
		reason string
		record botbonnie.Customer
		want   bool
	}{
		{"his code with him", record("U1", "code-1"), true},
		{"his code with somebody else", record("U2", "code-1"), false},
		{"somebody else's code with him", record("U1", "code-2"), false},
		{"no code", record("U1", ""), false},
		{"another page", botbonnie.Customer{UserID: "U1", PageID: "other", Platform: botbonnie.LINE, ExtID: "code-1"}, false},
		{"another platform", botbonnie.Customer{UserID: "U1", PageID: "507oftxz", Platform: botbonnie.Facebook, ExtID: "code-1"}, false},
		{"a code that begins the same", record("U1", "code-1 "), false},
		{"another case", record("u1", "code-1"), false},
	} {
		f := &fakeBotBonnie{records: []botbonnie.Customer{c.record, record("U9", "code-9")}}
		f.wait("U1", "code-1", time.Now())
		f.wait("", "code-9", time.Now()) // for nobody in particular: no record is its user's
		f.confirmer().lookUp(t.Context())
		if got := len(f.confirmed) == 1; got != c.want || len(f.confirmed) > 1 {
			t.Errorf("%s: confirmed %+v", c.reason, f.confirmed)
		}
	}
}

// Whatever stands in BotBonnie's records, what is confirmed is what they and the pending links both say.
func TestConfirmerProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"U1", "U2", "U3"})
		code := rapid.SampledFrom([]string{"a", "b", "c"})
		f := &fakeBotBonnie{}
		both := map[string]bool{}
		for range rapid.IntRange(0, 5).Draw(t, "records") {
			f.records = append(f.records, record(name.Draw(t, "user"), code.Draw(t, "extId")))
		}
		for range rapid.IntRange(1, 5).Draw(t, "pending") {
			user, code := name.Draw(t, "for"), code.Draw(t, "code")
			f.wait(user, code, time.Now())
			for _, r := range f.records {
				if r.UserID == user && r.ExtID == code {
					both[user+code] = true
				}
			}
		}
		f.confirmer().lookUp(context.Background())
		if len(f.confirmed) != len(both) {
			t.Fatalf("%d confirmed, want %v", len(f.confirmed), both)
		}
	})
}

// Modules that call at once share one look-up, which began after they asked, and wait no longer than they may. The look-up
// itself goes on.
func TestLookUpIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeBotBonnie{slow: 5 * time.Second, records: []botbonnie.Customer{record("U1", "code-1")}}
		c := f.confirmer()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.run(ctx); close(ended) }()
		synctest.Wait()
		start := time.Now()
		f.wait("U1", "code-1", start)
		f.wait("U2", "code-2", start) // keeps it looking

		hasty, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		c.lookNow(hasty)
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("a caller who waits a second waited %v", waited)
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { c.lookNow(ctx) })
		}
		all.Wait()
		waited := time.Since(start)
		stop()
		<-ended
		if waited != 10*time.Second {
			t.Errorf("the 50 waited until %v", waited)
		}
		if diff := cmp.Diff([]int{0, 5}, seconds(start, f.looks[:2])); diff != "" || len(f.confirmed) != 1 {
			t.Errorf("%d confirmed; look-ups: the one that ran, and one for all who came meanwhile (-want +got)\n%s", len(f.confirmed), diff)
		}
	})
}

// A clock that is set back by an hour, by which the last look-up and a login that waits are of the time to come, holds up
// neither the logins after that nor, for long, that one.
func TestConfirmerClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ahead atomic.Int64 // of the process's clock
		ahead.Store(int64(time.Hour))
		f := &fakeBotBonnie{}
		c := f.confirmer()
		c.now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.run(ctx); close(ended) }()

		f.wait("U1", "code-1", c.now())             // nobody confirms this one before
		time.Sleep(lookForWaiting + 10*time.Second) // the bubble's clock
		ahead.Store(0)
		before := len(f.now().looks)
		start := time.Now()
		c.wake()
		f.wait("U2", "code-2", c.now())
		f.mu.Lock()
		f.records = []botbonnie.Customer{record("U2", "code-2")}
		f.mu.Unlock()
		time.Sleep(lookForWaiting + firstLook) // the bubble's clock
		if n := len(f.now().confirmed); n != 1 {
			t.Errorf("%d confirmations in %v, want that of the login after the step", n, time.Since(start))
		}
		f.mu.Lock()
		f.records = append(f.records, record("U1", "code-1"))
		f.mu.Unlock()
		time.Sleep(2 * slowestLook) // the bubble's clock
		stop()
		<-ended
		if len(f.confirmed) != 2 {
			t.Errorf("%d confirmations, want that of the login before the step too", len(f.confirmed))
		}
		if n := len(f.looks) - before; n < 2 || n > 8 {
			t.Errorf("%d look-ups after the step, at %v", n, seconds(start, f.looks[before:]))
		}
	})
}

func TestDueAfter(t *testing.T) {
	consent := time.Unix(1000, 0)
	var got []int
	last := time.Time{}
	for range 10 {
		last = dueAfter(consent, last)
		got = append(got, int(last.Sub(consent)/time.Second))
	}
	if diff := cmp.Diff([]int{2, 4, 8, 16, 32, 64, 124, 184, 244, 304}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
