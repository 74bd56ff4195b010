package main

import (
	"bufio"
	"os/exec"
	"testing"
)

// A cluster that lives is found by its processes, so that what a killed one left is not mistaken for it.
func TestUserOfAddress(t *testing.T) {
	const ip = "198.51.100.7"
	if pid, found := userOf(ip); found {
		t.Fatalf("process %d uses %s before any does", pid, ip)
	}
	command := exec.CommandContext(t.Context(), "sh", "-c", "echo started; read _", "sh", "--node-ip="+ip)
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if pid, found := userOf(ip); !found || pid != command.Process.Pid {
		t.Errorf("found %v, process %d, want %d", found, pid, command.Process.Pid)
	}
	_ = input.Close()
	_ = command.Wait() // read fails at the end of its input
	if pid, found := userOf(ip); found {
		t.Errorf("process %d still uses %s", pid, ip)
	}
}
