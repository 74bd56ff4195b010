package outbound

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// Key names one gate: the calls of one channel to one upstream. Upstream stands
// in error texts, so it is a host or a fixed word.
type Key struct {
	Channel  string
	Upstream string
}

// Limit is a token bucket: Burst calls at once, then PerSecond. A PerSecond of 0
// means no limit.
type Limit struct {
	PerSecond float64
	Burst     int
}

// The breaker's defaults and the bound on gates.
const (
	DefaultTripAfter = 5                // failures in a row
	DefaultOpenFor   = 30 * time.Second // then one call tries again
	DefaultMaxKeys   = 1024             // the least recently used gate is forgotten first
)

// GateOptions are the parameters of [Gates]. Zero values mean the defaults.
type GateOptions struct {
	// Limit returns the bucket of a key, asked when its gate is made; nil means
	// no limit.
	Limit     func(Key) Limit
	TripAfter uint32
	OpenFor   time.Duration
	MaxKeys   int
}

// Gates holds a token bucket and a breaker for each channel and upstream. It is
// safe for concurrent use and bounded in memory.
type Gates struct {
	options GateOptions

	mu     sync.Mutex
	byKey  map[Key]*list.Element
	recent *list.List // of *gate, most recently used first
}

type gate struct {
	key     Key
	limiter *rate.Limiter
	breaker *gobreaker.CircuitBreaker[struct{}]
}

// NewGates returns an empty set of gates.
func NewGates(o GateOptions) *Gates {
	if o.TripAfter == 0 {
		o.TripAfter = DefaultTripAfter
	}
	if o.OpenFor == 0 {
		o.OpenFor = DefaultOpenFor
	}
	if o.MaxKeys == 0 {
		o.MaxKeys = DefaultMaxKeys
	}
	return &Gates{options: o, byKey: map[Key]*list.Element{}, recent: list.New()}
}

// Do waits for a token and runs call, unless the token would come after ctx's
// deadline ([RateLimited]) or the breaker is open ([CircuitOpen]). Otherwise it
// returns call's own error.
func (g *Gates) Do(ctx context.Context, key Key, call func(context.Context) error) error {
	gate := g.get(key)
	if err := gate.limiter.Wait(ctx); err != nil {
		if errors.Is(ctx.Err(), context.Canceled) {
			return &Error{Reason: Canceled, Host: key.Upstream}
		}
		return &Error{Reason: RateLimited, Host: key.Upstream}
	}
	_, err := gate.breaker.Execute(func() (struct{}, error) {
		return struct{}{}, call(ctx)
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return &Error{Reason: CircuitOpen, Host: key.Upstream}
	}
	return err
}

func (g *Gates) get(key Key) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if element, ok := g.byKey[key]; ok {
		g.recent.MoveToFront(element)
		return element.Value.(*gate)
	}
	made := g.newGate(key)
	g.byKey[key] = g.recent.PushFront(made)
	if g.recent.Len() > g.options.MaxKeys {
		oldest := g.recent.Remove(g.recent.Back()).(*gate)
		delete(g.byKey, oldest.key)
	}
	return made
}

func (g *Gates) newGate(key Key) *gate {
	limit := Limit{}
	if g.options.Limit != nil {
		limit = g.options.Limit(key)
	}
	limiter := rate.NewLimiter(rate.Inf, 0)
	if limit.PerSecond > 0 {
		limiter = rate.NewLimiter(rate.Limit(limit.PerSecond), max(limit.Burst, 1))
	}
	return &gate{
		key:     key,
		limiter: limiter,
		breaker: gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Timeout:      g.options.OpenFor,
			ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= g.options.TripAfter },
			IsSuccessful: func(err error) bool { return !upstreamFault(err) },
			IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) },
		}),
	}
}

// upstreamFault reports whether err tells of a sick upstream, as opposed to one
// that answers and says no.
func upstreamFault(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return false
	}
	switch e.Reason {
	case DNSFailed, ConnectFailed, TLSFailed, ConnectionLost, TimedOut:
		return true
	case BadStatus:
		return e.Status >= 500
	default:
		return false
	}
}
