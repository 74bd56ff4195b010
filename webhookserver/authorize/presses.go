package authorize

import (
	"sync"
	"time"
)

// How long a second press counts as the same, and how many are remembered. It is a convenience for the thumb: a press that
// is forgotten, or that another replica took, gets a page.
const (
	pressLife  = 10 * time.Second
	maxPresses = 1024
)

// presses remembers the answers to the last presses. What it holds is in memory only, since it has the code in it.
type presses struct {
	mu   sync.Mutex
	last map[string]press
}

type press struct {
	answer answer
	until  time.Time
}

func newPresses() *presses { return &presses{last: map[string]press{}} }

func (p *presses) put(flow string, a answer, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for flow, old := range p.last {
		if !now.Before(old.until) {
			delete(p.last, flow)
		}
	}
	if len(p.last) < maxPresses {
		p.last[flow] = press{a, now.Add(pressLife)}
	}
}

func (p *presses) get(flow string, now time.Time) (answer, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.last[flow]
	if !ok || !now.Before(found.until) {
		return answer{}, false
	}
	return found.answer, true
}
