package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// sysctls are the kernel settings that the cluster changes: the first by itself,
// the others through the kubelet, which does not ask.
var sysctls = []string{
	"net/ipv4/ip_forward",
	"kernel/panic",
	"kernel/panic_on_oops",
	"vm/overcommit_memory",
	"vm/panic_on_oom",
}

// deviceSocket is where the kubelet listens for device plugins, whatever its
// root folder is.
const deviceSocket = "/var/lib/kubelet/device-plugins/kubelet.sock"

// takeHost notes that this state folder's cluster has the machine, and how the
// kernel was set before. The addresses exist once for each machine: a second
// cluster would break the first, and its down would take the first one's away.
// What is left of one whose processes were killed is taken back.
func (c *cluster) takeHost(ctx context.Context) error {
	if c.hasHost() {
		return nil
	}
	if hasAddress(nodeIP) {
		if user, found := userOf(nodeIP); found {
			return fmt.Errorf("process %d of another clone's cluster has the address %s: stop that cluster first, by `make down` there", user, nodeIP)
		}
		c.say("taking back the network of a cluster that was killed")
		if err := c.removeNetwork(ctx); err != nil {
			return err
		}
	}
	before := make(map[string]string)
	for _, name := range sysctls {
		value, err := os.ReadFile(sysctlFile(name))
		if errors.Is(err, os.ErrNotExist) {
			continue // the kernel is built without it
		}
		if err != nil {
			return err
		}
		before[name] = strings.TrimSpace(string(value))
	}
	raw, err := json.Marshal(before)
	if err != nil {
		return err
	}
	_, err = c.write(string(raw), 0o644, "run", "host.json")
	return err
}

// userOf returns a process that was told to use the node's address, as the API
// server and the kubelet are.
func userOf(ip string) (pid int, found bool) {
	for _, pid := range processes() {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue // it has just ended
		}
		for arg := range strings.SplitSeq(string(raw), "\x00") {
			if flag, value, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(flag, "--") && value == ip {
				return pid, true
			}
		}
	}
	return 0, false
}

// hasHost reports whether takeHost has run and the cluster was not taken down
// since.
func (c *cluster) hasHost() bool {
	_, err := os.Stat(c.path("run", "host.json"))
	return err == nil
}

// restoreSysctls sets the kernel as it was.
func (c *cluster) restoreSysctls() error {
	raw, err := os.ReadFile(c.path("run", "host.json"))
	if err != nil {
		return err
	}
	var before map[string]string
	if err := json.Unmarshal(raw, &before); err != nil {
		return err
	}
	var failed []error
	for name, value := range before {
		failed = append(failed, os.WriteFile(sysctlFile(name), []byte(value), 0o644))
	}
	return errors.Join(failed...)
}

func sysctlFile(name string) string { return filepath.Join("/proc/sys", name) }

// removeStrayFiles deletes what the kubelet and the CNI library put outside of
// the state folder, because they leave no choice.
func (c *cluster) removeStrayFiles() error {
	var failed []error
	remove := func(file string) {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	links, _ := filepath.Glob("/var/log/containers/*") // these patterns are well-formed
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, c.path("log")+"/") {
			remove(link)
		}
	}
	// A result is called after its network, its sandbox and its interface.
	sandboxes, _ := filepath.Glob(c.path("containerd", "io.containerd.grpc.v1.cri", "sandboxes", "*"))
	for _, sandbox := range sandboxes {
		results, _ := filepath.Glob("/var/lib/cni/results/*-" + filepath.Base(sandbox) + "-*")
		for _, result := range results {
			remove(result)
		}
	}
	if conn, err := net.Dial("unix", deviceSocket); err == nil {
		_ = conn.Close() // another kubelet's
	} else {
		remove(deviceSocket)
	}
	return errors.Join(failed...)
}
