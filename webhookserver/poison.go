package webhookserver

import "sync"

// Bounds of [poison].
const (
	// poisonTries is how often an event is tried that fails for a reason of its own.
	poisonTries = 5
	// poisonKept is how many such events are remembered at once; a server without faults has none.
	poisonKept = 1024
)

// poison counts the failures of events, so that one which can never be carried out is not redelivered for days, and with it
// the batch that it came in.
type poison struct {
	mu       sync.Mutex
	failures map[string]int
}

// givenUp counts a failure and reports whether it was the last one.
func (p *poison) givenUp(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failures == nil || len(p.failures) >= poisonKept {
		p.failures = map[string]int{} // forgetting costs some more tries
	}
	p.failures[id]++
	if p.failures[id] < poisonTries {
		return false
	}
	delete(p.failures, id)
	return true
}
