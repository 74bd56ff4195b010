package controllers

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/adminapi"
)

// The pace of the poller.
const (
	// DefaultReadyInterval is how often a server is asked whose ChannelLink is ready, ± jitter.
	DefaultReadyInterval = 30 * time.Second
	// DefaultPendingInterval is how often the others are asked.
	DefaultPendingInterval = 5 * time.Second
	// jitter spreads the questions, as a share of the interval, so that thousands of servers are not asked at once.
	jitter = 0.2
	// askers bounds the questions under way at once.
	askers = 32
	// patience is how many answers in a row may fail to come before a server that has answered counts as unreachable:
	// one lost packet is no news.
	patience = 3
	// linksInterval is how often a new number of links may lead to a write.
	linksInterval = 5 * time.Minute
)

// Answer is the last answer of a server, or why there is none.
type Answer struct {
	Contact status.Contact
	// Status without the number of links, so that traffic makes no difference.
	Status adminapi.Status
	// ActiveLinks is refreshed at most every five minutes.
	ActiveLinks *int64
}

// Asker asks one server for its status.
type Asker interface {
	Status(ctx context.Context, target adminapi.Target, signer *adminapi.Signer) (adminapi.Status, error)
}

// Poller asks the servers of all ChannelLinks how they are, beside the workqueue, and has a ChannelLink reconciled only
// when its server's answer changed.
type Poller struct {
	Asker Asker
	// Keys sign the questions.
	Keys *Keyring
	// MayAsk tells whether this process still leads; nobody asks after its lease has run out.
	MayAsk func() bool
	// Changed is called with the ChannelLink whose server's answer changed.
	Changed func(types.NamespacedName)
	// ReadyInterval and PendingInterval are the times between questions.
	ReadyInterval, PendingInterval time.Duration
	Now                            func() time.Time

	queue   workqueue.TypedDelayingInterface[types.NamespacedName]
	mu      sync.Mutex
	servers map[types.NamespacedName]*polled
}

// Subject is what the poller has to know of a ChannelLink to ask its server.
type Subject struct {
	Target adminapi.Target
	// SettingsHash and ReadyPods are those of the Deployment. When they change, the server may have news.
	SettingsHash string
	ReadyPods    int32
}

// polled is one server that is asked.
type polled struct {
	Subject
	// ready: its ChannelLink is, so that it is asked at the slow pace.
	ready  bool
	answer *Answer
	// failures in a row, and refusals since the last answer.
	failures, refusals int
	// keyIDs are the keys that the server said it knows.
	keyIDs  []string
	linksAt time.Time
}

// NewPoller returns a poller that is not running yet.
func NewPoller(asker Asker, keys *Keyring, mayAsk func() bool, changed func(types.NamespacedName)) *Poller {
	return &Poller{
		Asker: asker, Keys: keys, MayAsk: mayAsk, Changed: changed,
		ReadyInterval: DefaultReadyInterval, PendingInterval: DefaultPendingInterval, Now: time.Now,
		queue:   workqueue.NewTypedDelayingQueue[types.NamespacedName](),
		servers: map[types.NamespacedName]*polled{},
	}
}

// Watch has the server asked from now on: at once if there may be news, and then in its turn.
func (p *Poller) Watch(key types.NamespacedName, subject Subject) {
	p.mu.Lock()
	defer p.mu.Unlock()
	server, ok := p.servers[key]
	if !ok || server.Target != subject.Target {
		server = &polled{}
		p.servers[key] = server
	}
	if server.Subject != subject {
		p.queue.Add(key)
	}
	server.Subject = subject
}

// Pace has the server asked seldom while its ChannelLink is ready, and often while it is not.
func (p *Poller) Pace(key types.NamespacedName, ready bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	server, ok := p.servers[key]
	if !ok {
		return
	}
	if server.ready && !ready {
		// Not at once: two pods of different opinion would be asked in turns without a pause, each answer leading to
		// the next question.
		p.queue.AddAfter(key, p.PendingInterval)
	}
	server.ready = ready
}

// Forget stops asking.
func (p *Poller) Forget(key types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.servers, key)
}

// Answer is the last answer; false while there has been none.
func (p *Poller) Answer(key types.NamespacedName) (Answer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	server, ok := p.servers[key]
	if !ok || server.answer == nil {
		return Answer{}, false
	}
	return *server.answer, true
}

// Signer gives the key that the server of the ChannelLink is likeliest to know, for other questions than the poller's own.
func (p *Poller) Signer(ctx context.Context, key types.NamespacedName) (*adminapi.Signer, error) {
	p.mu.Lock()
	var keyIDs []string
	refusals := 0
	if server, ok := p.servers[key]; ok {
		keyIDs, refusals = server.keyIDs, server.refusals
	}
	p.mu.Unlock()
	return p.Keys.SignerFor(ctx, keyIDs, refusals)
}

// Start asks until the context ends. The manager runs it on the leader alone.
func (p *Poller) Start(ctx context.Context) error {
	var group sync.WaitGroup
	for range askers {
		group.Go(func() {
			for {
				key, shutdown := p.queue.Get()
				if shutdown {
					return
				}
				p.ask(ctx, key)
				p.queue.Done(key)
			}
		})
	}
	<-ctx.Done()
	p.queue.ShutDown()
	group.Wait()
	return nil
}

// ask puts one question and sees to it that the next one follows.
func (p *Poller) ask(ctx context.Context, key types.NamespacedName) {
	p.mu.Lock()
	server, ok := p.servers[key]
	if !ok {
		p.mu.Unlock()
		return
	}
	target, keyIDs, refusals := server.Target, server.keyIDs, server.refusals
	p.mu.Unlock()

	var answer adminapi.Status
	signer, err := p.Keys.SignerFor(ctx, keyIDs, refusals)
	if err == nil {
		if !p.MayAsk() {
			p.queue.AddAfter(key, p.PendingInterval)
			return
		}
		answer, err = p.Asker.Status(ctx, target, signer)
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		log.FromContext(ctx).V(1).Info("A server gave no status", "channellink", key, "error", err.Error())
	}

	p.mu.Lock()
	changed := server.take(answer, err, p.Now())
	pause := p.PendingInterval
	if server.ready && server.answer.Contact == status.Answered && server.failures == 0 {
		pause = p.ReadyInterval
	}
	p.mu.Unlock()

	p.queue.AddAfter(key, time.Duration(float64(pause)*(1+jitter*(2*rand.Float64()-1)))) //nolint:gosec // spreads load, guards nothing
	if changed {
		p.Changed(key)
	}
}

// take notes an answer, or that none came, and tells whether that is news.
func (s *polled) take(got adminapi.Status, err error, now time.Time) (changed bool) {
	if err != nil {
		return s.takeFailure(err)
	}
	s.failures, s.refusals, s.keyIDs = 0, 0, got.KeyIDs

	next := Answer{Contact: status.Answered, Status: got}
	next.Status.Links = nil
	if s.answer != nil {
		next.ActiveLinks = s.answer.ActiveLinks
	}
	if got.Links != nil && (next.ActiveLinks == nil || now.Sub(s.linksAt) >= linksInterval) {
		s.linksAt, next.ActiveLinks = now, &got.Links.Active
	}
	changed = s.answer == nil || !reflect.DeepEqual(*s.answer, next)
	s.answer = &next
	return changed
}

func (s *polled) takeFailure(err error) (changed bool) {
	contact := status.Unreachable
	if errors.Is(err, adminapi.ErrRefused) {
		contact = status.Refused
		s.refusals++
		s.keyIDs = nil
	}
	s.failures++
	if s.answer != nil && s.answer.Contact == status.Answered && s.failures < patience {
		return false
	}
	changed = s.answer == nil || s.answer.Contact != contact
	s.answer = &Answer{Contact: contact}
	return changed
}
