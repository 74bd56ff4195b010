package main

import (
	"os"
	"os/exec"
	"testing"
)

func TestParseStat(t *testing.T) {
	const tail = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	tests := []struct {
		reason string
		stat   string
		state  string
		start  uint64
		fails  bool
	}{
		{reason: "A plain name.", stat: "12 (etcd)" + tail, state: "S", start: 4711},
		{reason: "A name may hold blanks and parentheses.", stat: "12 (a) R (b c)" + tail, state: "S", start: 4711},
		{reason: "A short line is refused.", stat: "12 (etcd) S 1", fails: true},
		{reason: "No name is refused.", stat: "12 etcd", fails: true},
	}
	for _, tc := range tests {
		t.Run(tc.reason, func(t *testing.T) {
			state, start, err := parseStat(tc.stat)
			if (err != nil) != tc.fails || state != tc.state || start != tc.start {
				t.Errorf("parseStat(%q) = %q, %d, %v", tc.stat, state, start, err)
			}
		})
	}
}

func TestRecordAlive(t *testing.T) {
	self, err := observe(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !self.alive() {
		t.Error("the running test is not alive")
	}
	later := self
	later.Start++
	if later.alive() {
		t.Error("a process that reused the pid passes for the recorded one")
	}
	rebooted := self
	rebooted.Boot = "another boot"
	if rebooted.alive() {
		t.Error("a process of this boot passes for one of an earlier boot")
	}
}

func TestZombieIsNotAlive(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	child, err := observe(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	// Until Wait, the ended child keeps its pid as a zombie.
	if !until(stopTimeout, func() bool { return !child.alive() }) {
		t.Error("an ended child that nobody has waited for passes for alive")
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
}
