//go:build soak

package soak

import (
	"context"
	"flag"
	"sync"
	"testing"
	"time"
)

var (
	duration = flag.Duration("duration", time.Minute, "how long people come")
	people   = flag.Int("people", 6, "how many come at once")
	// Whatever the servers have begun ends meanwhile, and the heap is given back.
	restTime = flag.Duration("rest", 45*time.Second, "how long the servers are left alone before they are looked at")
)

// warmUp is how long people come before anything is measured: pools fill, and the heap finds its size.
const warmUp = 15 * time.Second

// C85: hours of mixed load in bad weather.
func TestSoak(t *testing.T) {
	w := newWorld(t)
	w.crowd(t, warmUp, nil)
	before := w.rest(t)

	w.crowd(t, *duration, func(ctx context.Context) { w.misfortunes(ctx, t) })
	after := w.rest(t)

	t.Logf("%s", w.tally.String())
	t.Logf("at rest before: %s", before)
	t.Logf("at rest after:  %s", after)
	w.tally.judge(t)
	after.judge(t, before)
}

// crowd lets people come, one after the other at each of the doors, while something else happens. It ends when the last of
// them is done: nobody is sent away.
func (w *world) crowd(t *testing.T, during time.Duration, meanwhile func(context.Context)) {
	t.Helper()
	open, closeDoors := context.WithTimeout(t.Context(), during)
	defer closeDoors()
	var all sync.WaitGroup
	for range *people {
		all.Go(func() {
			for i := 0; open.Err() == nil && !t.Failed(); i++ {
				w.visit(t, w.channels[i%len(w.channels)])
			}
		})
	}
	if meanwhile != nil {
		all.Go(func() { meanwhile(open) })
	}
	all.Wait()
}
