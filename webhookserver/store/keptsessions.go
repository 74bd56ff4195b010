package store

import (
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// recountAfter is how long a count of sessions is good for. Under a flood the count is long; so it is taken once in
// a while and not with each login.
const recountAfter = time.Second

// keptSessions holds the bound on the sessions of each channel.
type keptSessions struct {
	limit int64

	mu       sync.Mutex
	channels map[link.ChannelID]keptCount // as many as the process serves
}

type keptCount struct {
	n  int64 // as counted, and what this process has admitted since
	at time.Time
}

func newKeptSessions(limit int64) *keptSessions {
	if limit == 0 {
		limit = link.MaxSessions
	}
	return &keptSessions{limit: limit, channels: map[link.ChannelID]keptCount{}}
}

// admit counts one more session that starts at now, or returns [link.ErrTooManySessions].
func (o *keptSessions) admit(channel link.ChannelID, now time.Time, count func() (int64, error)) error {
	if err := o.refresh(channel, now, count); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	known := o.channels[channel]
	if known.n >= o.limit {
		return link.ErrTooManySessions
	}
	known.n++
	o.channels[channel] = known
	return nil
}

// refresh counts anew what is known for too long. One caller counts, and the others go on with what was known: those who
// are admitted meanwhile may be counted twice for a moment, which errs on the side of the bound.
func (o *keptSessions) refresh(channel link.ChannelID, now time.Time, count func() (int64, error)) error {
	o.mu.Lock()
	before, ok := o.channels[channel]
	if ok && now.Sub(before.at).Abs() < recountAfter {
		o.mu.Unlock()
		return nil
	}
	o.channels[channel] = keptCount{n: before.n, at: now}
	o.mu.Unlock()

	counted, err := count()

	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		delete(o.channels, channel) // the next caller counts
		return err
	}
	o.channels[channel] = keptCount{n: counted + max(0, o.channels[channel].n-before.n), at: now}
	return nil
}
