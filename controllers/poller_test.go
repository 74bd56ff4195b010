package controllers

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/adminapi"
)

// pollerTest runs a poller in a bubble of faked time.
type pollerTest struct {
	*testing.T
	poller *Poller

	mu      sync.Mutex
	answer  func(target adminapi.Target) (adminapi.Status, error)
	asked   []time.Time
	changed []types.NamespacedName
	leads   bool
	// delay of an answer; atOnce is how many questions were under way at most.
	delay            time.Duration
	underWay, atMost int
	// how many questions and changes there were when the test looked last
	askedBefore, changedBefore int
}

// poll runs the test in a bubble with a running poller.
func poll(t *testing.T, test func(*pollerTest)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &pollerTest{T: t, leads: true}
		p.answer = func(adminapi.Target) (adminapi.Status, error) { return adminapi.Status{Version: "1"}, nil }
		secrets := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()
		keys := &Keyring{Live: secrets, Client: secrets, Namespace: "operator", Now: time.Now, Changed: func() {}}
		p.poller = NewPoller(p, keys, p.mayAsk, p.change)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.poller.Start(ctx) }()
		test(p)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Status implements Asker.
func (p *pollerTest) Status(_ context.Context, target adminapi.Target, _ *adminapi.Signer) (adminapi.Status, error) {
	p.mu.Lock()
	p.asked = append(p.asked, time.Now())
	p.underWay++
	p.atMost = max(p.atMost, p.underWay)
	answer, delay := p.answer, p.delay
	p.mu.Unlock()
	<-time.After(delay)
	p.mu.Lock()
	p.underWay--
	p.mu.Unlock()
	return answer(target)
}

func (p *pollerTest) mayAsk() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leads
}

func (p *pollerTest) change(key types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = append(p.changed, key)
}

// lead makes the process the leader, or not.
func (p *pollerTest) lead(leads bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leads = leads
}

// says changes what servers answer.
func (p *pollerTest) says(answer adminapi.Status, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = func(adminapi.Target) (adminapi.Status, error) { return answer, err }
}

// during lets the time pass and tells how often servers were asked since it did so last, and how often an answer was news.
func (p *pollerTest) during(d time.Duration) (asked, changed int) {
	p.Helper()
	<-time.After(d)
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	asked, changed = len(p.asked)-p.askedBefore, len(p.changed)-p.changedBefore
	p.askedBefore, p.changedBefore = len(p.asked), len(p.changed)
	return asked, changed
}

// expect compares what happens in the next while.
func (p *pollerTest) expect(d time.Duration, leastAsked, mostAsked, wantChanged int, reason string) {
	p.Helper()
	asked, changed := p.during(d)
	if asked < leastAsked || asked > mostAsked || changed != wantChanged {
		p.Errorf("%s: asked %d times in %s, want %d to %d; %d changes, want %d", reason, asked, d, leastAsked, mostAsked, changed, wantChanged)
	}
}

// pass is what a pass over a ChannelLink tells the poller: what it saw, and whether the ChannelLink is ready.
type pass struct {
	Subject
	ready bool
}

// watch does what the pass does.
func (p *pollerTest) watch(seen pass) {
	p.poller.Watch(someLink, seen.Subject)
	p.poller.Pace(someLink, seen.ready)
}

var (
	someLink = types.NamespacedName{Namespace: "vision", Name: "hr"}
	pending  = pass{Subject: Subject{Target: adminapi.Target{BaseURL: "http://hr-admin.vision.svc:8082", Audience: "uid"}, SettingsHash: "a"}}
)

func ready(seen pass) pass {
	seen.ready, seen.ReadyPods = true, 1
	return seen
}

func unready(seen pass) pass {
	seen.ready = false
	return seen
}

// A server is asked at once, then every 5 s ± 20 % until its ChannelLink is ready, and every 30 s ± 20 % from then on; only
// an answer that changed is told.
func TestPollerPace(t *testing.T) {
	poll(t, func(p *pollerTest) {
		p.watch(pending)
		p.expect(time.Second, 1, 1, 1, "at once, and the first answer is news")
		p.expect(time.Minute, 10, 15, 0, "every 5 s ± 20 %, and the same answer is none")
		p.watch(ready(pending))
		p.during(time.Minute)
		p.expect(time.Hour, 100, 150, 0, "every 30 s ± 20 %")
		p.says(adminapi.Status{Version: "2"}, nil)
		p.expect(time.Minute, 1, 3, 1, "an answer that changed is told once")
	})
	poll(t, func(p *pollerTest) {
		p.watch(ready(pending))
		p.during(time.Hour)
		for i := 1; i < len(p.asked); i++ {
			if pause := p.asked[i].Sub(p.asked[i-1]); pause < 24*time.Second || pause > 36*time.Second {
				t.Errorf("a pause of %s, want 30 s ± 20 %%", pause)
			}
		}
	})
}

// A server is asked out of turn when there may be news, and not because somebody looks at its ChannelLink.
func TestPollerAsksOutOfTurn(t *testing.T) {
	other := pending
	other.SettingsHash = "b"
	elsewhere := pending
	elsewhere.Target.Audience = "another"
	for _, tc := range []struct {
		reason      string
		before, now pass
		atOnce      int
	}{
		{"new settings, new pods", ready(pending), ready(other), 1},
		{"more pods are ready", pending, unready(ready(pending)), 1},
		{"the ChannelLink was made anew", ready(pending), ready(elsewhere), 1},
		{"something failed, as its last answer has said", ready(pending), unready(ready(pending)), 0},
		{"looked at again", ready(pending), ready(pending), 0},
		{"looked at again while it is not ready", pending, pending, 0},
		{"became ready by this very answer", unready(ready(pending)), ready(pending), 0},
	} {
		poll(t, func(p *pollerTest) {
			p.watch(tc.before)
			p.during(time.Second)
			p.watch(tc.now)
			if asked, _ := p.during(time.Second); asked != tc.atOnce {
				t.Errorf("%s: asked %d times at once, want %d", tc.reason, asked, tc.atOnce)
			}
		})
	}
}

// When something fails, the pace is quick again from there on.
func TestPollerHurries(t *testing.T) {
	poll(t, func(p *pollerTest) {
		p.watch(ready(pending))
		p.during(time.Second)
		p.watch(unready(ready(pending)))
		p.expect(6*time.Second, 1, 2, 0, "not only after 30 s")
	})
}

// Two pods of different opinion do not make the operator ask in a circle: each answer is looked at, and the next question
// waits for its turn. C75
func TestPollerDoesNotSpin(t *testing.T) {
	poll(t, func(p *pollerTest) {
		flip := 0
		p.answer = func(adminapi.Target) (adminapi.Status, error) {
			flip++
			return adminapi.Status{Version: fmt.Sprint(flip % 2)}, nil
		}
		// What the reconciler does on a change.
		p.poller.Changed = func(key types.NamespacedName) {
			p.change(key)
			answer, _ := p.poller.Answer(key)
			seen := ready(pending)
			seen.ready = answer.Status.Version == "1"
			p.watch(seen)
		}
		p.watch(pending)
		if asked, _ := p.during(10 * time.Minute); asked > 150 {
			t.Errorf("asked %d times in 10 minutes: more often than every 5 s ± 20 %%", asked)
		}
	})
}

// The number of links is refreshed at most every five minutes; in between, traffic is no news.
func TestPollerLinks(t *testing.T) {
	poll(t, func(p *pollerTest) {
		links := int64(0)
		p.answer = func(adminapi.Target) (adminapi.Status, error) {
			links++
			return adminapi.Status{Links: &adminapi.Links{Active: links}}, nil
		}
		p.watch(ready(pending))
		p.expect(time.Second, 1, 1, 1, "the first number is told")
		p.expect(4*time.Minute, 6, 10, 0, "later ones wait")
		if _, told := p.during(time.Hour); told < 10 || told > 12 {
			t.Errorf("told %d times in an hour, want once in five minutes", told)
		}
	})
}

// One lost answer or two are no news of a server that has answered; the third in a row is, and so is the next answer. Of
// one that never answered the first silence is.
func TestPollerPatience(t *testing.T) {
	contact := func(p *pollerTest) status.Contact {
		answer, _ := p.poller.Answer(someLink)
		return answer.Contact
	}
	poll(t, func(p *pollerTest) {
		p.watch(ready(pending))
		p.during(time.Second)
		p.says(adminapi.Status{}, adminapi.ErrUnreachable)
		for p.failures() < 2 {
			p.expect(time.Second, 0, 1, 0, "no news yet")
		}
		if got := contact(p); got != status.Answered {
			t.Errorf("contact %q after two failures", got)
		}
		p.expect(10*time.Second, 1, 3, 1, "the third failure in a row, asked for at the quick pace")
		if got := contact(p); got != status.Unreachable {
			t.Errorf("contact %q after three failures", got)
		}
		p.expect(time.Minute, 10, 15, 0, "that it goes on is no news")
		p.says(adminapi.Status{Version: "1"}, nil)
		p.expect(time.Minute, 1, 15, 1, "that it is back is")
	})
	poll(t, func(p *pollerTest) {
		p.says(adminapi.Status{}, fmt.Errorf("status 401: %w", adminapi.ErrRefused))
		p.watch(pending)
		p.expect(time.Second, 1, 1, 1, "the first silence of one that never answered")
		if got := contact(p); got != status.Refused {
			t.Errorf("contact %q", got)
		}
	})
}

func (p *pollerTest) failures() int {
	p.poller.mu.Lock()
	defer p.poller.mu.Unlock()
	return p.poller.servers[someLink].failures
}

// A forgotten server is asked no more and has no answer, even if one comes late.
func TestPollerForgets(t *testing.T) {
	poll(t, func(p *pollerTest) {
		p.delay = 3 * time.Second
		p.watch(pending)
		p.during(time.Second)
		p.poller.Forget(someLink)
		p.during(time.Minute)
		p.expect(time.Hour, 0, 0, 0, "forgotten")
		if answer, ok := p.poller.Answer(someLink); ok {
			t.Errorf("an answer of a forgotten server: %+v", answer)
		}
		if len(p.poller.servers) != 0 {
			t.Error("it is still in memory")
		}
	})
}

// At most 32 questions are under way at once, and a thousand servers are spread over the interval.
func TestPollerAtOnce(t *testing.T) {
	poll(t, func(p *pollerTest) {
		const servers = 1000
		p.delay = 100 * time.Millisecond
		for i := range servers {
			key, subject := types.NamespacedName{Namespace: "vision", Name: fmt.Sprint(i)}, pending.Subject
			subject.Target.Audience = key.Name
			p.poller.Watch(key, subject)
			p.poller.Pace(key, true)
		}
		p.during(5 * time.Minute)
		if p.atMost != askers {
			t.Errorf("%d questions at once at most, want %d", p.atMost, askers)
		}
		perSecond := map[int64]int{}
		for _, at := range p.asked[servers:] {
			perSecond[at.Unix()]++
		}
		for second, number := range perSecond {
			if number > servers/5 {
				t.Errorf("%d questions in second %d: they are not spread", number, second)
			}
		}
	})
}

// A process whose lease has run out asks nobody, and goes on when it leads again. C76
func TestPollerAsksOnlyWhileItLeads(t *testing.T) {
	poll(t, func(p *pollerTest) {
		p.watch(pending)
		p.during(time.Second)
		p.lead(false)
		p.expect(time.Hour, 0, 0, 0, "not the leader")
		p.lead(true)
		p.expect(time.Minute, 8, 15, 0, "the leader again")
	})
}

// An answer carries what the server said, without the number of links, which has a field of its own.
func TestPollerAnswer(t *testing.T) {
	poll(t, func(p *pollerTest) {
		p.says(adminapi.Status{Version: "1", SettingsHash: "a", Links: &adminapi.Links{Active: 7}}, nil)
		p.watch(pending)
		p.during(time.Second)
		got, ok := p.poller.Answer(someLink)
		want := Answer{Contact: status.Answered, Status: adminapi.Status{Version: "1", SettingsHash: "a"}, ActiveLinks: new(int64(7))}
		if diff := cmp.Diff(want, got); diff != "" || !ok {
			t.Errorf("answer %v (-want +got):\n%s", ok, diff)
		}
	})
}
