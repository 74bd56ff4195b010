//go:build soak

package soak

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What may be more at rest after the run than before it. A leak shows with each of thousands of people; a pool or a
// measurement does not.
const (
	moreGoroutines  = 20
	moreDescriptors = 20
	moreResident    = 12 << 20
)

// usage is what the server that is never killed holds.
type usage struct{ goroutines, descriptors, resident int64 }

func (u usage) String() string {
	return fmt.Sprintf("%d goroutines, %d descriptors, %.1f MiB resident", u.goroutines, u.descriptors, float64(u.resident)/(1<<20))
}

func (u usage) judge(t *testing.T, before usage) {
	t.Helper()
	if u.goroutines > before.goroutines+moreGoroutines {
		t.Errorf("goroutines: %d, then %d", before.goroutines, u.goroutines)
	}
	if u.descriptors > before.descriptors+moreDescriptors {
		t.Errorf("descriptors: %d, then %d", before.descriptors, u.descriptors)
	}
	if u.resident > before.resident+moreResident {
		t.Errorf("memory: %d bytes, then %d", before.resident, u.resident)
	}
}

// rest leaves the servers alone and returns what the first of them holds then.
func (w *world) rest(t *testing.T) usage {
	t.Helper()
	for _, network := range []*http.Transport{w.network, w.inFront, w.ofPlatforms} {
		network.CloseIdleConnections()
	}
	select {
	case <-time.After(*restTime):
	case <-t.Context().Done():
	}
	s := w.servers[0]
	metrics := s.metrics(t)
	u := usage{goroutines: metrics["go_goroutines"], resident: metrics["process_resident_memory_bytes"]}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	u.descriptors = int64(len(open))
	return u
}

// metrics reads those of the server's metrics that have no label.
func (s *server) metrics(t *testing.T) map[string]int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ops+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	found := map[string]int64{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); ok && err == nil {
			found[name] = int64(value)
		}
	}
	return found
}
