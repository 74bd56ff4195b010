package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"channellink.dev/operator/webhookserver/adminapi"
)

// courierTest runs a courier in a bubble of faked time. It is the Unlinker.
type courierTest struct {
	*testing.T
	courier *Courier

	mu sync.Mutex
	// delay of an answer, by the audience of its server.
	delay map[string]time.Duration
	fails error
	leads bool
	// calls are the ids that were asked for, in order; underWay counts by audience, and most is the greatest of each.
	calls          []string
	underWay, most map[string]int
	all, mostOfAll int
}

// carry runs the test in a bubble with a running courier, and then sees that the courier remembers nobody.
func carry(t *testing.T, test func(*courierTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &courierTest{T: t, leads: true, delay: map[string]time.Duration{}, underWay: map[string]int{}, most: map[string]int{}}
		noKey := func(context.Context, types.NamespacedName) (*adminapi.Signer, error) { return nil, nil }
		c.courier = NewCourier(c, noKey, c.mayAsk)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.courier.Start(ctx) }()
		test(c)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Unlink implements Unlinker.
func (c *courierTest) Unlink(_ context.Context, target adminapi.Target, _ *adminapi.Signer, id string, _ adminapi.Unlink) (adminapi.UnlinkResult, error) {
	c.mu.Lock()
	c.calls = append(c.calls, id)
	server := target.Audience
	c.underWay[server]++
	c.all++
	c.most[server] = max(c.most[server], c.underWay[server])
	c.mostOfAll = max(c.mostOfAll, c.all)
	delay, fails := c.delay[server], c.fails
	c.mu.Unlock()
	<-time.After(delay)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.underWay[server]--
	c.all--
	return adminapi.UnlinkResult{Attempts: 1}, fails
}

func (c *courierTest) mayAsk() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leads
}

func (c *courierTest) lead(leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leads = leads
}

// takes sets how long a server takes for its answer.
func (c *courierTest) takes(server string, delay time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delay[server] = delay
}

// fail has every call fail from now on.
func (c *courierTest) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fails = err
}

func channelNamed(name string) types.NamespacedName {
	return types.NamespacedName{Namespace: "vision", Name: name}
}

// send sends an errand to the channel's server; done is called with the others'.
func (c *courierTest) send(id, channel string, done func()) {
	c.courier.send(&errand{
		id: types.UID(id), channel: channelNamed(channel), target: adminapi.Target{Audience: channel},
		pause: func(reply) time.Duration { return time.Minute }, done: done,
	})
}

// asked is what was asked so far, when nothing moves any more but time.
func (c *courierTest) asked() []string {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.calls)
}

func nobody() {}

// A thousand requests for one channel keep nobody else waiting: the other's ten are through in the time of three calls, one
// server never has more calls than its bound, and all servers together no more than there are couriers. C91
func TestChannelsTakeTurns(t *testing.T) {
	carry(t, func(c *courierTest) {
		const call = 10 * time.Second
		c.takes("busy", call)
		c.takes("quiet", call)
		for i := range 1000 {
			c.send(fmt.Sprint("busy-", i), "busy", nobody)
		}
		synctest.Wait()
		const late = 10
		var done atomic.Int32
		through := make(chan time.Time, 1)
		begun := time.Now()
		for i := range late {
			c.send(fmt.Sprint("quiet-", i), "quiet", func() {
				if done.Add(1) == late {
					through <- time.Now()
				}
			})
		}
		if took := (<-through).Sub(begun); took > 3*call {
			t.Errorf("the quiet channel waited %s behind the busy one", took)
		}
		<-time.After(1000 * call / callsPerChannel)
		if got := len(c.asked()); got != 1010 {
			t.Errorf("%d calls, want 1010", got)
		}
		if diff := cmp.Diff(map[string]int{"busy": callsPerChannel, "quiet": callsPerChannel}, c.most); diff != "" {
			t.Errorf("calls at once (-want +got):\n%s", diff)
		}
		if c.mostOfAll > DefaultCouriers {
			t.Errorf("%d calls at once, with %d couriers", c.mostOfAll, DefaultCouriers)
		}
		if len(c.courier.lanes) > 0 || len(c.courier.turns) > 0 {
			t.Errorf("%d lanes are kept for nobody", len(c.courier.lanes))
		}
	})
}

// Many channels at once: no more calls than couriers, and none idle while something waits.
func TestCouriersAreBounded(t *testing.T) {
	carry(t, func(c *courierTest) {
		for channel := range 2 * DefaultCouriers {
			name := fmt.Sprint("channel-", channel)
			c.takes(name, time.Second)
			c.send(name, name, nobody)
		}
		if got := len(c.asked()); got != DefaultCouriers {
			t.Errorf("%d calls at once, want %d", got, DefaultCouriers)
		}
		<-time.After(time.Second)
		if got := len(c.asked()); got != 2*DefaultCouriers {
			t.Errorf("%d calls after a second, want %d", got, 2*DefaultCouriers)
		}
	})
}

// Whoever asks in several channels is woken once, by the last answer; the same question twice is one call; and a question
// after the answer is another.
func TestTheLastAnswerWakes(t *testing.T) {
	carry(t, func(c *courierTest) {
		c.takes("slow", time.Second)
		var woken atomic.Int32
		wake := func() { woken.Add(1) }
		c.send("leaver", "fast", wake)
		for range 3 { // asked once, since it is under way
			c.send("leaver", "slow", wake)
		}
		c.asked()
		if replies, open := c.courier.replies("leaver"); len(replies) != 1 || !open || woken.Load() != 0 {
			t.Errorf("with one answer of two: %d replies, open %t, woken %d times", len(replies), open, woken.Load())
		}
		<-time.After(time.Second)
		if diff := cmp.Diff([]string{"leaver", "leaver"}, c.asked()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		replies, open := c.courier.replies("leaver")
		if len(replies) != 2 || open || woken.Load() != 1 {
			t.Errorf("with both answers: %d replies, open %t, woken %d times", len(replies), open, woken.Load())
		}
		if fast := replies[channelNamed("fast")]; !fast.next.Equal(fast.at.Add(time.Minute)) || fast.inARow != 1 {
			t.Errorf("the next question is due at %s, %d in a row", fast.next, fast.inARow)
		}
		c.fail(errors.New("no answer"))
		c.send("leaver", "fast", wake)
		c.asked()
		replies, _ = c.courier.replies("leaver")
		again := replies[channelNamed("fast")]
		if again.err == nil || again.inARow != 1 || again.known.Attempts != 1 || woken.Load() != 2 {
			t.Errorf("a failure after an answer: %+v, woken %d times", again, woken.Load())
		}
		c.send("leaver", "fast", wake)
		c.asked()
		replies, _ = c.courier.replies("leaver")
		if again := replies[channelNamed("fast")]; again.inARow != 2 {
			t.Errorf("%d failures in a row, want 2", again.inARow)
		}
	})
}

// What is taken back is not asked for, what is under way is answered, and who is forgotten is told nothing.
func TestErrandsAreTakenBack(t *testing.T) {
	carry(t, func(c *courierTest) {
		c.takes("busy", time.Second)
		for i := range callsPerChannel {
			c.send(fmt.Sprint("first-", i), "busy", nobody)
		}
		c.send("waiting", "busy", func() { t.Error("woken for what was taken back") })
		if c.courier.withdraw("waiting") {
			t.Error("nothing of it is under way")
		}
		c.asked()
		if !c.courier.withdraw("first-0") {
			t.Error("a call is under way and cannot be taken back")
		}
		c.send("forgotten", "busy", func() { t.Error("woken for what was forgotten") })
		<-time.After(time.Second)
		c.asked() // now it is under way
		c.courier.forget("forgotten")
		if c.courier.withdraw("unknown") {
			t.Error("nobody knows it")
		}
		<-time.After(time.Second)
		if got := c.asked(); slices.Contains(got, "waiting") {
			t.Errorf("asked for %v", got)
		}
		if _, open := c.courier.replies("forgotten"); open || len(c.courier.lanes) > 0 {
			t.Errorf("something is kept of it, or of %d lanes", len(c.courier.lanes))
		}
	})
}

// What is sent again after it was taken back is one call, though both errands stand in the lane.
func TestTakenBackAndSentAgain(t *testing.T) {
	carry(t, func(c *courierTest) {
		c.lead(false)
		for i := range callsPerChannel {
			c.send(fmt.Sprint("first-", i), "busy", nobody)
		}
		woken := 0
		c.send("again", "busy", func() { t.Error("the first errand was taken back") })
		c.courier.withdraw("again")
		c.send("again", "busy", func() { woken++ })
		c.lead(true)
		<-time.After(2 * leaseCheck)
		if got := len(c.asked()); got != callsPerChannel+1 || woken != 1 {
			t.Errorf("%d calls, woken %d times", got, woken)
		}
	})
}

// Nobody asks whose lease has run out. C76
func TestNoCallWithoutTheLease(t *testing.T) {
	carry(t, func(c *courierTest) {
		c.lead(false)
		c.send("leaver", "channel", nobody)
		<-time.After(time.Minute)
		if got := c.asked(); len(got) > 0 {
			t.Errorf("asked for %v without leading", got)
		}
		c.lead(true)
		<-time.After(leaseCheck)
		if diff := cmp.Diff([]string{"leaver"}, c.asked()); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// A courier that ends leaves calls and errands as they are: the ledger knows them, and the next process asks again.
func TestTheCourierEnds(t *testing.T) {
	carry(t, func(c *courierTest) {
		c.takes("slow", time.Second)
		for i := range 100 {
			c.send(fmt.Sprint(i), "slow", func() { t.Error("woken at the end") })
		}
		c.asked()
	})
}
