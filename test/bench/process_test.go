//go:build bench

package bench

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// compile builds the programs as the images have them and returns the folder that they are in.
func compile(t *testing.T, packages ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := append([]string{"build", "-trimpath", "-ldflags=-s -w", "-o", dir}, packages...)
	build := exec.CommandContext(t.Context(), "go", args...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %v: %v\n%s", packages, err, out)
	}
	return dir
}

// process is a program of its own, so that its CPU time and memory are nobody else's.
type process struct {
	cmd     *exec.Cmd
	log     string
	started time.Time
	stopped bool
}

// start runs the program until stop or the end of the test.
func start(t *testing.T, env []string, program string, args ...string) *process {
	t.Helper()
	dir := t.TempDir()
	if *keep != "" {
		dir = *keep
	}
	log, err := os.CreateTemp(dir, filepath.Base(program)+"-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // the program has its own
	p := &process{cmd: exec.Command(program, args...), log: log.Name()}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.started = time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("%s ended its log with\n%s", filepath.Base(program), p.logTail())
		}
	})
	return p
}

// stop ends the program as the kubelet would, and waits for its end.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if p.stopped {
		return
	}
	p.stopped = true
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop %s: %v", p.cmd.Path, err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%s ended with %v", p.cmd.Path, err)
	}
}

func (p *process) logTail() string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(content[max(0, len(content)-4000):])
}

// cpu is the processor time that the program has used, in user and kernel mode.
func (p *process) cpu(t *testing.T) time.Duration {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return statOf(t, content).cpu
}

// memory gives the resident memory, and the most that it has been, in bytes.
func (p *process) memory(t *testing.T) (resident, peak int64) {
	t.Helper()
	sizes := p.sizes(t)
	return sizes["VmRSS"], sizes["VmHWM"]
}

// anonymous is the resident memory without the pages of the program's file, which the kernel takes back when it needs them.
// It is what a memory limit has to have room for.
func (p *process) anonymous(t *testing.T) int64 {
	t.Helper()
	return p.sizes(t)["RssAnon"]
}

// sizes are those of /proc/PID/status (proc(5)), in bytes.
func (p *process) sizes(t *testing.T) map[string]int64 {
	t.Helper()
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	sizes := map[string]int64{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), ":")
		if text, ok := strings.CutSuffix(text, " kB"); ok {
			size, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			if err != nil {
				t.Fatalf("parse %q: %v", lines.Text(), err)
			}
			sizes[name] = size << 10
		}
	}
	return sizes
}

// freeAddress is a loopback address with a port that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// metrics are the sums of a controller's metrics over all labels.
type metrics map[string]float64

// plain asks for no compression, which would be the larger part of what a look at the metrics costs the program.
var plain = &http.Client{Transport: &http.Transport{DisableCompression: true}}

// scrape reads a program's /metrics.
func scrape(ctx context.Context, address string) (metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := plain.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	sums := metrics{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, rest, ok := strings.Cut(lines.Text(), "{")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("parse %q: %w", lines.Text(), err)
		}
		sums[name] += value
	}
	return sums, lines.Err()
}

// The metrics of controller-runtime that tell what a controller does.
const (
	reconciles = "controller_runtime_reconcile_total"
	working    = "controller_runtime_active_workers"
	waiting    = "workqueue_depth"
)

// settled waits until the controller has reconciled at least so often and has had nothing to do for a second. It returns
// how often it has reconciled, and when it was first seen idle with that count.
func settled(t *testing.T, address string, atLeast int) (done int, since time.Time) {
	t.Helper()
	const pause, calm = 500 * time.Millisecond, time.Second // each look costs the program about 2 ms
	done = -1
	err := wait.PollUntilContextTimeout(t.Context(), pause, patience, true, func(ctx context.Context) (bool, error) {
		m, err := scrape(ctx, address)
		if err != nil {
			return false, nil //nolint:nilerr // the program is still starting
		}
		if now := int(m[reconciles]); now != done || m[working]+m[waiting] > 0 || now < atLeast {
			done, since = now, time.Now()
			return false, nil
		}
		return time.Since(since) >= calm, nil
	})
	if err != nil {
		t.Fatalf("the controller does not come to rest after %d reconciles, of at least %d: %v", done, atLeast, err)
	}
	return done, since
}
