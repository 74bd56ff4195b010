//go:build soak

package soak

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"channellink.dev/operator/test/machine"
)

// startTime bounds the start of a server and its becoming ready.
const startTime = time.Minute

// server is the program at work.
type server struct {
	command     *exec.Cmd
	public, ops string // host:port, the same after a restart
	down        atomic.Bool
	start       func(public, ops string) error
}

func TestMain(m *testing.M) {
	code := m.Run()
	machine.RemoveWebhookserver()
	os.Exit(code)
}

// startServer starts the program and waits until it is ready. It ends with the test.
func startServer(t *testing.T, settingsDir string) *server {
	t.Helper()
	path, err := machine.Webhookserver()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{}
	s.start = func(public, ops string) error {
		command := exec.Command(path, "--settings-dir", settingsDir, "--ready-drain", "0s",
			"--public-address", public, "--ops-address", ops, "--admin-address", "127.0.0.1:0")
		out, err := command.StdoutPipe()
		if err != nil {
			return err
		}
		command.Stderr = os.Stderr
		if err := command.Start(); err != nil {
			return err
		}
		serving := make(chan [2]string, 1)
		go func() {
			for lines := bufio.NewScanner(out); lines.Scan(); { // to its end, or the program could not write
				var line struct{ Msg, Public, Ops string }
				if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
					serving <- [2]string{line.Public, line.Ops}
				}
			}
		}()
		s.command = command
		select {
		case at := <-serving:
			if s.public == "" {
				s.public, s.ops = at[0], at[1]
			}
			return s.untilReady()
		case <-time.After(startTime):
			return fmt.Errorf("the server does not serve within %s", startTime)
		}
	}
	const anyPort = "127.0.0.1:0"
	if err := s.start(anyPort, anyPort); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.command.Process.Signal(syscall.SIGTERM)
		killed := time.AfterFunc(10*time.Second, func() { _ = s.command.Process.Kill() })
		defer killed.Stop()
		_ = s.command.Wait()
	})
	return s
}

// untilReady waits until the server takes requests.
func (s *server) untilReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ops+"/readyz", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}
