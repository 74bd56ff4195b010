//go:build soak

package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// tally counts what became of people.
type tally struct {
	mu      sync.Mutex
	ends    map[string]int
	slowest time.Duration // from the platform's word to the active link
}

// end notes how a login ended.
func (y *tally) end(how string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.ends == nil {
		y.ends = map[string]int{}
	}
	y.ends[how]++
}

func (y *tally) waited(d time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.slowest = max(y.slowest, d)
}

// judge wants the load to have been one.
func (y *tally) judge(t *testing.T) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.ends[linked] == 0 || y.ends[loggedOut] == 0 {
		t.Errorf("nobody linked, or nobody logged out: %v", y.ends)
	}
}

func (y *tally) String() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	var b strings.Builder
	for _, how := range slices.Sorted(maps.Keys(y.ends)) {
		fmt.Fprintf(&b, "%s: %d; ", how, y.ends[how])
	}
	fmt.Fprintf(&b, "the slowest link was active %s after the platform's word", y.slowest.Round(time.Millisecond))
	return b.String()
}
