package adminapi

import (
	"sync"
	"time"
)

// maxSeen bounds the ids that are remembered. The operator asks a server at most a few times a second, and an id is kept
// for about a minute.
const maxSeen = 1024

// replayGuard remembers token ids until their tokens expire. Only tokens with a good signature come here, so nobody but
// the operator can fill it; when it is full it refuses, because it could not tell a replay from a first use.
type replayGuard struct {
	limit int

	mu   sync.Mutex
	ends map[string]time.Time
}

func newReplayGuard(limit int) *replayGuard {
	return &replayGuard{limit: limit, ends: map[string]time.Time{}}
}

// first reports whether id is seen for the first time, and remembers it until end.
func (g *replayGuard) first(now time.Time, id string, end time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, seen := g.ends[id]; seen {
		return false
	}
	if len(g.ends) >= g.limit {
		for old, end := range g.ends {
			if !now.Before(end) {
				delete(g.ends, old)
			}
		}
		if len(g.ends) >= g.limit {
			return false
		}
	}
	g.ends[id] = end
	return true
}
