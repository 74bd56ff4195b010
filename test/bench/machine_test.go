//go:build bench

package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// ticksPerSecond is USER_HZ, in which /proc counts; it is 100 on every Linux that Go runs on.
const ticksPerSecond = 100

func ticks(t *testing.T, fields []string) time.Duration {
	t.Helper()
	var sum int64
	for _, field := range fields {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatalf("parse a time of /proc: %v", err)
		}
		sum += n
	}
	return time.Duration(sum) * (time.Second / ticksPerSecond)
}

// stat is what /proc tells of one process: its parent, and the processor time that it has used in user and kernel mode.
type stat struct {
	name   string
	parent int
	cpu    time.Duration
}

func statOf(t *testing.T, content []byte) stat {
	t.Helper()
	// The name is in parentheses and may hold anything.
	open, end := bytes.IndexByte(content, '('), bytes.LastIndexByte(content, ')')
	fields := strings.Fields(string(content[end+1:])) // from the state on
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Fatalf("parse /proc/…/stat: %v", err)
	}
	return stat{name: string(content[open+1 : end]), parent: parent, cpu: ticks(t, fields[11:13])}
}

// usage is processor time used since some moment.
type usage struct {
	at time.Time
	// server is that of kube-apiserver and etcd; own, of this process and all that it has started, the program that is
	// measured among them; all, of everything on the machine.
	server, own, all time.Duration
}

// look reads the processor time used so far.
func look(t *testing.T) usage {
	t.Helper()
	u := usage{at: time.Now()}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	running := map[int]stat{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatalf("parse %s: %v", file, err)
		}
		running[pid] = statOf(t, content)
	}
	for pid, s := range running {
		for ancestor := pid; ancestor > 1; ancestor = running[ancestor].parent {
			if ancestor == os.Getpid() {
				u.own += s.cpu
				break
			}
		}
		if s.parent == os.Getpid() && (s.name == "kube-apiserver" || s.name == "etcd") {
			u.server += s.cpu
		}
	}
	content, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(content), "\n")
	// cpu user nice system idle iowait irq softirq steal …
	fields := strings.Fields(line)
	u.all = ticks(t, append(fields[1:4:4], fields[6:9]...))
	return u
}

// since is the usage between two looks.
func (u usage) since(before usage) usage {
	return usage{server: u.server - before.server, own: u.own - before.own, all: u.all - before.all}
}

// others is the share of the machine that others used while time passed.
func (u usage) others(passed time.Duration) float64 {
	return float64(u.all-u.own) / float64(passed) / float64(runtime.NumCPU())
}
