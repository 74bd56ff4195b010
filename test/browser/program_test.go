//go:build browser

package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"channellink.dev/operator/test/machine"
	"channellink.dev/operator/webhookserver/logtest"
)

// startTime bounds the start of a server and its becoming ready.
const startTime = 60 * time.Second

// patience bounds what is waited for elsewhere. The longest is the second look at BotBonnie, some six seconds after the first.
const patience = 30 * time.Second

// server is the program at work.
type server struct {
	public, ops string // host:port
	log         *logtest.Buffer
}

// startServer starts the program with a directory of settings and waits until it is ready. It ends with the test.
func startServer(t *testing.T, settingsDir string) *server {
	t.Helper()
	path, err := machine.Webhookserver()
	if err != nil {
		t.Fatal(err)
	}
	const anyPort = "127.0.0.1:0"
	command := exec.Command(path, "--settings-dir", settingsDir, "--ready-drain", "0s",
		"--public-address", anyPort, "--ops-address", anyPort, "--admin-address", anyPort)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{log: &logtest.Buffer{}}
	command.Stderr = s.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	serving := make(chan [2]string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		lines := bufio.NewScanner(io.TeeReader(out, s.log))
		for lines.Scan() {
			var line struct{ Msg, Public, Ops string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
				serving <- [2]string{line.Public, line.Ops}
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		killed := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
		defer killed.Stop()
		<-read // everything is in the log
		_ = command.Wait()
	})
	select {
	case at := <-serving:
		s.public, s.ops = at[0], at[1]
	case <-read:
		t.Fatalf("the server ended:\n%s", s.log)
	case <-time.After(startTime):
		t.Fatalf("the server does not serve:\n%s", s.log)
	}
	s.untilReady(t)
	return s
}

func (s *server) untilReady(t *testing.T) {
	t.Helper()
	eventually(t, "a ready server", func() error {
		resp, err := http.Get("http://" + s.ops + "/readyz")
		if err != nil {
			return err
		}
		defer func() { _ = resp.Body.Close() }()
		said, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%d %s; the log says\n%s", resp.StatusCode, said, s.log)
		}
		return nil
	})
}

// runProgram runs a command of the program and returns what it writes.
func runProgram(t *testing.T, args ...string) string {
	t.Helper()
	path, err := machine.Webhookserver()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), path, args...).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("%v: %v: %s", args, err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// eventually asks until there is no error.
func eventually(t *testing.T, what string, ask func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("waited for %s: %v", what, err)
		case <-tick.C:
		}
	}
}
