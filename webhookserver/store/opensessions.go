package store

import (
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// recountAfter is how long a count of open sessions is good for. Under a flood the count is long; so it is taken once in
// a while and not with each login.
const recountAfter = time.Second

// openSessions holds the bound on the open sessions of each channel.
type openSessions struct {
	limit int64

	mu       sync.Mutex
	channels map[link.ChannelID]openCount // as many as the process serves
}

type openCount struct {
	n  int64 // as counted, and what this process has admitted since
	at time.Time
}

func newOpenSessions(limit int64) *openSessions {
	if limit == 0 {
		limit = link.MaxOpenSessions
	}
	return &openSessions{limit: limit, channels: map[link.ChannelID]openCount{}}
}

// admit counts one more session that starts at now, or returns [link.ErrTooManySessions].
func (o *openSessions) admit(channel link.ChannelID, now time.Time, count func() (int64, error)) error {
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
func (o *openSessions) refresh(channel link.ChannelID, now time.Time, count func() (int64, error)) error {
	o.mu.Lock()
	before, ok := o.channels[channel]
	if ok && now.Sub(before.at).Abs() < recountAfter {
		o.mu.Unlock()
		return nil
	}
	o.channels[channel] = openCount{n: before.n, at: now}
	o.mu.Unlock()

	counted, err := count()

	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		delete(o.channels, channel) // the next caller counts
		return err
	}
	o.channels[channel] = openCount{n: counted + max(0, o.channels[channel].n-before.n), at: now}
	return nil
}
