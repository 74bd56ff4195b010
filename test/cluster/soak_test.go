//go:build cluster && soak

package cluster

import (
	"context"
	"flag"
	"sync"
	"testing"
	"time"
)

var (
	duration = flag.Duration("duration", 5*time.Minute, "how long people come while one thing after the other goes wrong")
	people   = flag.Int("people", 4, "how many come at once")
	only     = flag.String("misfortunes", "", "a regular expression: those to play; without it all of them")
	quiet    = flag.Duration("quiet", 100*time.Second, "how long all is left alone before it is measured: the ingress keeps silent connections for 90 s")
)

const (
	// warmUp is how long people come before anything is measured: pools fill, and the heap finds its size.
	warmUp = 30 * time.Second
	// betweenVisits is how long nobody comes where somebody has gone. Two cores hold the whole cluster.
	betweenVisits = time.Second
)

// C85 on a cluster: people link, speak and unlink while pods, processes, database, issuer, API server and operator fail in turn.
// At the end each login that a platform took is the link of its person and no other link is there, each word said has
// reached the company's bot, each AccountUnlink is complete, and what was there has not grown.
func TestSoak(t *testing.T) {
	w := newSoakWorld(t)
	w.crowd(t, warmUp, nil)
	before := w.rest(t)
	t.Logf("at rest before:\n%s", before)

	w.crowd(t, *duration, w.misfortunes)
	w.crowd(t, warmUp, nil) // what is new gets warm, too
	after := w.rest(t)

	w.audit(t)
	t.Logf("at rest before:\n%s", before)
	t.Logf("at rest after:\n%s", after)
	after.judge(t, before)
	w.restartsAreOurs(t)
}

// crowd lets people come, one after the other at each of the doors, and those leave who have to, while something else happens
// or for that time. It ends when the last of them is done: nobody is sent away.
func (w *soakWorld) crowd(t *testing.T, during time.Duration, meanwhile func(context.Context, *testing.T)) {
	t.Helper()
	var all sync.WaitGroup
	defer all.Wait()
	open, closeDoors := context.WithCancel(t.Context())
	defer closeDoors()
	for door := range *people {
		all.Go(func() {
			for i := door; open.Err() == nil && !t.Failed(); i++ {
				w.visit(t, w.channels[i%len(w.channels)])
				pause(open, betweenVisits)
			}
		})
	}
	for range exits {
		all.Go(func() { w.leave(open, t) })
	}
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	if meanwhile == nil {
		<-ctx.Done()
		return
	}
	meanwhile(ctx, t)
}

// pause waits, and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
