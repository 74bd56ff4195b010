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
	o.mu.Lock()
	known, ok := o.channels[channel]
	age := now.Sub(known.at)
	if !ok || age >= recountAfter || age <= -recountAfter {
		known.at = now // the others go on with the old count meanwhile
		o.channels[channel] = known
		o.mu.Unlock()
		n, err := count()
		if err != nil {
			o.forget(channel)
			return err
		}
		o.mu.Lock()
		known = openCount{n: n, at: now}
	}
	defer o.mu.Unlock()
	if known.n >= o.limit {
		o.channels[channel] = known
		return link.ErrTooManySessions
	}
	known.n++
	o.channels[channel] = known
	return nil
}

// forget makes the next call count, after a count that failed.
func (o *openSessions) forget(channel link.ChannelID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.channels, channel)
}
