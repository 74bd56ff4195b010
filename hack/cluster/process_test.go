package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// testCluster is one with an empty state folder.
func testCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	return &cluster{kind: own, root: dir, dir: filepath.Join(dir, ".cluster"), port: 8080, tlsPort: 8443, out: &bytes.Buffer{}}
}

// sleeper is a process that runs until it is stopped.
func sleeper(t *testing.T, config string) process {
	t.Helper()
	binary, err := lookup("sleep")
	if err != nil {
		t.Fatal(err)
	}
	return process{name: "sleeper", path: binary, args: []string{"600"}, files: []string{config}}
}

func TestEnsureStartsOnceAndRestartsOnChange(t *testing.T) {
	c := testCluster(t)
	config, err := c.write("one", 0o644, "run", "config")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.stop("sleeper"); err != nil {
			t.Error(err)
		}
	})
	start := func() record {
		t.Helper()
		if err := c.ensure(t.Context(), sleeper(t, config)); err != nil {
			t.Fatal(err)
		}
		r, alive := c.running("sleeper")
		if !alive {
			t.Fatal("the process does not run")
		}
		return r
	}
	first := start()
	if second := start(); second != first {
		t.Errorf("an unchanged process was restarted: %+v, then %+v", first, second)
	}
	if _, err := c.write("two", 0o644, "run", "config"); err != nil {
		t.Fatal(err)
	}
	changed := start()
	if changed.PID == first.PID || first.alive() {
		t.Error("the process runs on with its old configuration")
	}
	if err := c.stop("sleeper"); err != nil {
		t.Fatal(err)
	}
	if changed.alive() || len(c.names()) != 0 {
		t.Error("stop left the process or its pid file")
	}
}

func TestStopLeavesForeignProcessAlone(t *testing.T) {
	c := testCluster(t)
	self, err := observe(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// A stale pid file after a reboot: the pid now belongs to this very test.
	stale := `{"pid":` + strconv.Itoa(self.PID) + `,"start":1,"boot":"earlier"}`
	if _, err := c.write(stale, 0o644, "run", "etcd.pid"); err != nil {
		t.Fatal(err)
	}
	if err := c.stop("etcd"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.pidFile("etcd")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the stale pid file is still there: %v", err)
	}
}

func TestEnsureShowsTheLogOfAProcessThatDies(t *testing.T) {
	c := testCluster(t)
	shell, err := lookup("sh")
	if err != nil {
		t.Fatal(err)
	}
	err = c.ensure(t.Context(), process{
		name:  "doomed",
		path:  shell,
		args:  []string{"-c", "echo address already in use; exit 3"},
		ready: func(context.Context) error { return errors.New("not yet") },
	})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("ensure() = %v, want the last lines of the log", err)
	}
}

func TestWithoutProxy(t *testing.T) {
	got := withoutProxy([]string{"PATH=/bin", "HTTPS_PROXY=http://proxy", "no_proxy=x", "HOME=/"})
	if strings.Join(got, " ") != "PATH=/bin HOME=/" {
		t.Errorf("withoutProxy() = %q", got)
	}
}
