package controllers

import (
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/webhookserver/adminapi"
)

const (
	// DefaultCouriers is how many servers are asked for an unlinking at once. Each such call may take the server's whole
	// adminapi.UnlinkWork; an idle one costs a goroutine.
	DefaultCouriers = 32
	// callsPerChannel bounds the calls under way to one server, so that a thousand requests for one channel, or a channel
	// whose platform hangs, leave room for the others. The server has one token bucket for all of them anyway.
	callsPerChannel = 4
	// leaseCheck is how soon a process that does not lead looks again whether it does.
	leaseCheck = time.Second
)

// Unlinker asks one server for one attempt at an unlinking.
type Unlinker interface {
	Unlink(ctx context.Context, target adminapi.Target, signer *adminapi.Signer, id string, request adminapi.Unlink) (adminapi.UnlinkResult, error)
}

// Courier carries requests for unlinkings to servers and brings back the answers, beside the workqueues: an attempt takes
// up to 20 s, and no worker waits for it. Channels take turns, whoever has more to ask.
//
// All it knows is forgotten when the process ends. That does no harm: the server's ledger knows each request by its id, and
// answers one that it has carried out without carrying it out again.
type Courier struct {
	Unlinker Unlinker
	// Signer gives the key for the server of a ChannelLink.
	Signer func(context.Context, types.NamespacedName) (*adminapi.Signer, error)
	// MayAsk tells whether this process still leads; nobody asks after its lease has run out.
	MayAsk func() bool
	Clock  clock.WithTicker
	// Couriers is how many calls may be under way at once.
	Couriers int

	mu    sync.Mutex
	work  *sync.Cond
	ended bool
	// lanes hold what waits, by the ChannelLink that is asked; turns are those lanes from which a call may start, in turn.
	lanes map[types.NamespacedName]*lane
	turns []*lane
	// desks hold what was asked under each id.
	desks map[types.UID]*desk
}

// errand is one request to one server.
type errand struct {
	// id of the request in the server's ledger: the UID of the resource that asks.
	id      types.UID
	channel types.NamespacedName
	target  adminapi.Target
	request adminapi.Unlink
	// pause says how long the server is left alone after a reply.
	pause func(reply) time.Duration
	// done is called when every errand of this id has been answered.
	done func()

	// underWay: it is being carried.
	underWay bool
}

// reply is what came of the last call for an errand.
type reply struct {
	result adminapi.UnlinkResult
	err    error
	// known is the last result that came, this one's or that of an earlier call.
	known adminapi.UnlinkResult
	// epoch that the request had.
	epoch string
	// at is when it came, and next when the server may be asked again.
	at, next time.Time
	// inARow is how many replies in a row have had the same cause, this one included.
	inARow int
}

// lane is a server with the errands that wait for it.
type lane struct {
	channel  types.NamespacedName
	waiting  []*errand
	underWay int
	// inTurn: it stands in Courier.turns.
	inTurn bool
}

// desk is where the replies to one resource come in.
type desk struct {
	// open are the errands that wait or are under way.
	open    map[types.NamespacedName]*errand
	replies map[types.NamespacedName]reply
}

// NewCourier returns a courier that is not running yet.
func NewCourier(unlinker Unlinker, signer func(context.Context, types.NamespacedName) (*adminapi.Signer, error), mayAsk func() bool) *Courier {
	c := &Courier{
		Unlinker: unlinker, Signer: signer, MayAsk: mayAsk, Clock: clock.RealClock{}, Couriers: DefaultCouriers,
		lanes: map[types.NamespacedName]*lane{}, desks: map[types.UID]*desk{},
	}
	c.work = sync.NewCond(&c.mu)
	return c
}

// send has the server asked. While an errand of the same id to the same ChannelLink is open, it does nothing.
func (c *Courier) send(e *errand) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.desks[e.id]
	if !ok {
		d = &desk{open: map[types.NamespacedName]*errand{}, replies: map[types.NamespacedName]reply{}}
		c.desks[e.id] = d
	}
	if d.open[e.channel] != nil {
		return
	}
	d.open[e.channel] = e
	l, ok := c.lanes[e.channel]
	if !ok {
		l = &lane{channel: e.channel}
		c.lanes[e.channel] = l
	}
	l.waiting = append(l.waiting, e)
	c.queue(l)
}

// replies are the last replies to the id, by ChannelLink, and whether more are to come.
func (c *Courier) replies(id types.UID) (replies map[types.NamespacedName]reply, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.desks[id]
	if !ok {
		return nil, false
	}
	replies = make(map[types.NamespacedName]reply, len(d.replies))
	maps.Copy(replies, d.replies)
	return replies, len(d.open) > 0
}

// withdraw takes back what has not been asked yet, and tells whether calls are under way.
func (c *Courier) withdraw(id types.UID) (open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d, ok := c.desks[id]
	if !ok {
		return false
	}
	for channel, e := range d.open {
		if !e.underWay {
			delete(d.open, channel)
		}
	}
	return len(d.open) > 0
}

// forget drops all that is known of the id. A call that is under way goes on, and nobody hears what came of it.
func (c *Courier) forget(id types.UID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.desks, id)
}

// queue gives the lane its turn, if a call may start from it.
func (c *Courier) queue(l *lane) {
	if !l.inTurn && len(l.waiting) > 0 && l.underWay < callsPerChannel {
		l.inTurn = true
		c.turns = append(c.turns, l)
		c.work.Signal()
	}
}

// Start carries errands until the context ends. The manager runs it on the leader alone.
func (c *Courier) Start(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.ended = true
		c.work.Broadcast()
	})
	defer stop()
	var group sync.WaitGroup
	for range c.Couriers {
		group.Go(func() {
			for e, ok := c.next(); ok; e, ok = c.next() {
				result, err := c.call(ctx, e)
				if ctx.Err() != nil {
					return
				}
				c.deliver(e, result, err)
			}
		})
	}
	group.Wait()
	return nil
}

// next waits for an errand; false means that the courier has ended.
func (c *Courier) next() (*errand, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		for len(c.turns) == 0 && !c.ended {
			c.work.Wait()
		}
		if c.ended {
			return nil, false
		}
		l := c.turns[0]
		c.turns[0] = nil
		c.turns = c.turns[1:]
		l.inTurn = false
		e := l.waiting[0]
		l.waiting[0] = nil
		l.waiting = l.waiting[1:]
		// One that was taken back or forgotten is carried by nobody, also if another was sent in its place.
		if d := c.desks[e.id]; d == nil || d.open[e.channel] != e {
			c.leave(l)
			continue
		}
		e.underWay = true
		l.underWay++
		c.queue(l)
		return e, true
	}
}

// leave gives the lane its next turn, or drops it when it is empty.
func (c *Courier) leave(l *lane) {
	c.queue(l)
	if len(l.waiting) == 0 && l.underWay == 0 {
		delete(c.lanes, l.channel)
	}
}

// call asks the server as soon as this process leads.
func (c *Courier) call(ctx context.Context, e *errand) (adminapi.UnlinkResult, error) {
	signer, err := c.Signer(ctx, e.channel)
	if err != nil {
		return adminapi.UnlinkResult{}, err
	}
	for !c.MayAsk() {
		select {
		case <-ctx.Done():
			return adminapi.UnlinkResult{}, ctx.Err()
		case <-c.Clock.After(leaseCheck):
		}
	}
	return c.Unlinker.Unlink(ctx, e.target, signer, string(e.id), e.request)
}

// deliver puts down what came of the call, and wakes whoever waits for it.
func (c *Courier) deliver(e *errand, result adminapi.UnlinkResult, err error) {
	if err != nil {
		log.Log.V(1).Info("A server gave no answer to an unlinking", "channellink", e.channel, "id", e.id, "error", err.Error())
	}
	c.mu.Lock()
	l := c.lanes[e.channel]
	l.underWay--
	c.leave(l)
	d := c.desks[e.id]
	if d == nil || d.open[e.channel] != e {
		c.mu.Unlock()
		return
	}
	delete(d.open, e.channel)
	before := d.replies[e.channel]
	r := reply{result: result, err: err, known: result, epoch: e.request.Epoch, at: c.Clock.Now(), inARow: 1}
	if err != nil {
		r.known = before.known
	}
	if before.result.Cause == result.Cause && (before.err == nil) == (err == nil) {
		r.inARow += before.inARow
	}
	r.next = r.at.Add(e.pause(r))
	d.replies[e.channel] = r
	last := len(d.open) == 0
	c.mu.Unlock()
	if last {
		e.done()
	}
}
