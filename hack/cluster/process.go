package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is one long-running program of the cluster.
type process struct {
	name  string
	path  string // of the binary
	args  []string
	files []string // configuration files: a change restarts the process
	ready func(context.Context) error
}

const (
	readyTimeout = 90 * time.Second
	stopTimeout  = 15 * time.Second
	pollInterval = 50 * time.Millisecond
)

// ensure starts the process unless it already runs with these very arguments,
// binary and files, and returns when it is ready.
func (c *cluster) ensure(ctx context.Context, p process) error {
	key, err := p.key()
	if err != nil {
		return err
	}
	record, alive := c.running(p.name)
	if alive && record.Key != key {
		c.say("%s has changed, restarting it", p.name)
		if err := c.stop(p.name); err != nil {
			return err
		}
		alive = false
	}
	died := make(chan error, 1)
	if !alive {
		if died, err = c.spawn(p, key); err != nil {
			return fmt.Errorf("start %s: %w", p.name, err)
		}
	}
	return c.await(ctx, p, died)
}

// spawn starts the process in a session of its own, so that it outlives this
// program, with its output going to the log folder.
func (c *cluster) spawn(p process, key string) (chan error, error) {
	c.say("starting %s", p.name)
	for _, dir := range []string{"run", "log"} {
		if err := os.MkdirAll(c.path(dir), 0o755); err != nil {
			return nil, err
		}
	}
	log, err := os.OpenFile(c.logFile(p.name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }()

	cmd := exec.Command(p.path, p.args...)
	cmd.Dir = c.dir
	cmd.Env = withoutProxy(os.Environ())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	record, err := observe(cmd.Process.Pid)
	if err != nil {
		return nil, err
	}
	record.Key = key
	raw, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.pidFile(p.name), raw, 0o644); err != nil {
		return nil, errors.Join(err, cmd.Process.Kill())
	}
	died := make(chan error, 1)
	go func() { died <- cmd.Wait() }()
	return died, nil
}

// await polls until the process is ready, and gives up early when it dies.
func (c *cluster) await(ctx context.Context, p process, died <-chan error) error {
	if p.ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := p.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case exit := <-died:
			return fmt.Errorf("%s ended at once: %w; the end of %s:\n%s", p.name, ended(exit), c.logFile(p.name), c.logTail(p.name))
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w; see %s", p.name, err, c.logFile(p.name))
		}
	}
}

// ended gives an exit without an error an error all the same: none of these
// programs may end by itself.
func ended(exit error) error {
	if exit == nil {
		return errors.New("exit status 0")
	}
	return exit
}

// stop ends a process that ensure started, and waits until it is gone. A process
// that is not ours, or not there, is left alone.
func (c *cluster) stop(name string) error {
	record, alive := c.running(name)
	if alive {
		c.say("stopping %s", name)
		if err := terminate(record); err != nil {
			return fmt.Errorf("stop %s: %w", name, err)
		}
	}
	if err := os.Remove(c.pidFile(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// terminate asks the process to end and, when it does not, ends it.
func terminate(r record) error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(r.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
		if until(stopTimeout, func() bool { return !r.alive() }) {
			return nil
		}
	}
	return fmt.Errorf("process %d does not end", r.PID)
}

// until polls the condition and reports whether it came true in time.
func until(timeout time.Duration, condition func() bool) bool {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	deadline := time.After(timeout)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			return condition()
		}
	}
	return true
}

// key identifies a way of running: binary, arguments and configuration.
func (p process) key() (string, error) {
	sum := sha256.New()
	info, err := os.Stat(p.path)
	if err != nil {
		return "", err
	}
	fmt.Fprintln(sum, p.path, info.Size(), info.ModTime().UnixNano(), strings.Join(p.args, "\x00"))
	for _, file := range p.files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%s %d\n%s", file, len(raw), raw)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

// running returns what the pid file says and whether that very process lives.
func (c *cluster) running(name string) (record, bool) {
	raw, err := os.ReadFile(c.pidFile(name))
	if err != nil {
		return record{}, false
	}
	var r record
	if err := json.Unmarshal(raw, &r); err != nil {
		return record{}, false
	}
	return r, r.alive()
}

func (c *cluster) pidFile(name string) string { return c.path("run", name+".pid") }
func (c *cluster) logFile(name string) string { return c.path("log", name+".log") }

// logTail returns the last lines of a log, for an error message.
func (c *cluster) logTail(name string) string {
	raw, err := os.ReadFile(c.logFile(name))
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-15):], []byte("\n")))
}

// withoutProxy takes the proxy settings out of an environment: everything that
// the cluster's processes talk to is on this machine.
func withoutProxy(environ []string) []string {
	var kept []string
	for _, v := range environ {
		name, _, _ := strings.Cut(v, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY":
		default:
			kept = append(kept, v)
		}
	}
	return kept
}

// names lists the pid files, so that down also finds what an older version of
// this program started.
func (c *cluster) names() []string {
	files, _ := filepath.Glob(c.pidFile("*")) // the pattern is well-formed
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".pid"))
	}
	return names
}
