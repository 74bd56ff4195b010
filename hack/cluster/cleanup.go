package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// removeContainers ends every container through containerd, which then takes its
// shims, sockets and mounts away itself.
func (c *cluster) removeContainers(ctx context.Context) error {
	if _, alive := c.running("containerd"); !alive {
		return nil
	}
	ids, err := c.ctr(ctx, "containers", "ls", "--quiet")
	if err != nil {
		return err
	}
	for id := range strings.FieldsSeq(ids) {
		// Errors show below: whatever is still there is killed by its shim.
		_, _ = c.ctr(ctx, "tasks", "delete", "--force", id)
		_, _ = c.ctr(ctx, "containers", "delete", id)
	}
	return nil
}

// killShims ends the shims of this cluster's containerd, and the containers below
// them, when containerd could not. A shim names containerd's socket in its
// arguments, which tells ours from any other.
func (c *cluster) killShims() error {
	for _, pid := range processes() {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue // it has just ended
		}
		args := strings.Split(string(raw), "\x00")
		if !strings.HasPrefix(filepath.Base(args[0]), "containerd-shim") || !slices.Contains(args, c.containerdSocket()) {
			continue
		}
		for _, child := range append(descendants(pid), pid) {
			if err := syscall.Kill(child, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("kill %d: %w", child, err)
			}
		}
	}
	addresses, _ := filepath.Glob(c.path("run", "containerd", "io.containerd.runtime.v2.task", "*", "*", "address"))
	for _, file := range addresses {
		if address, err := os.ReadFile(file); err == nil {
			_ = os.Remove(strings.TrimPrefix(string(address), "unix://"))
		}
	}
	return nil
}

// processes lists the pids of the machine.
func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// descendants lists the processes below one, children before their parents'
// siblings.
func descendants(parent int) []int {
	var found []int
	for _, pid := range processes() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		rest, _ := afterLast(string(stat), ")")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			found = append(found, pid)
			found = append(found, descendants(pid)...)
		}
	}
	return found
}

// unmount takes away every mount below the state folder, the innermost first.
func (c *cluster) unmount() error {
	points, err := c.mounts()
	if err != nil {
		return err
	}
	slices.Reverse(points)
	for _, point := range points {
		if err := syscall.Unmount(point, syscall.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", point, err)
		}
	}
	return nil
}

// mounts lists the mount points below the state folder in the order in which
// they were mounted.
func (c *cluster) mounts() ([]string, error) {
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	var points []string
	for line := range strings.Lines(string(raw)) {
		if point, ok := mountPoint(line); ok && strings.HasPrefix(point, c.dir+"/") {
			points = append(points, point)
		}
	}
	return points, nil
}

// mountPoint takes the fifth field of a mountinfo line (proc(5)), whose blanks
// are written in octal.
func mountPoint(line string) (string, bool) {
	fields := strings.Fields(line)
	if len(fields) < 5 {
		return "", false
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(fields[4]), true
}

// removeCgroups removes the kubelet's empty cgroups in every hierarchy, the
// deepest first.
func removeCgroups() error {
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/kubepods") // version 1 and hybrid
	roots = append(roots, "/sys/fs/cgroup/kubepods")       // version 2
	var failed []error
	for _, root := range roots {
		var dirs []string
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
		slices.Reverse(dirs)
		for _, dir := range dirs {
			// A killed process leaves its cgroup a moment later.
			var err error
			if !until(stopTimeout, func() bool { err = syscall.Rmdir(dir); return err == nil }) {
				failed = append(failed, fmt.Errorf("remove cgroup %s: %w", dir, err))
			}
		}
	}
	return errors.Join(failed...)
}
