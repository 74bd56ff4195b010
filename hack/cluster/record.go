package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// record identifies a process for good. A bare pid does not: the kernel gives it
// to somebody else after the process, or after a reboot.
type record struct {
	PID int `json:"pid"`
	// Start is the time of the start, in clock ticks since the boot.
	Start uint64 `json:"start"`
	// Boot is the kernel's identifier of this boot.
	Boot string `json:"boot"`
	// Key is the way of running that the process was started with.
	Key string `json:"key"`
}

// observe returns the record of a living process.
func observe(pid int) (record, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return record{}, err
	}
	state, start, err := parseStat(string(stat))
	if err != nil {
		return record{}, fmt.Errorf("process %d: %w", pid, err)
	}
	if state == "Z" || state == "X" {
		return record{}, fmt.Errorf("process %d has ended", pid)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return record{}, err
	}
	return record{PID: pid, Start: start, Boot: strings.TrimSpace(string(boot))}, nil
}

// alive reports whether the recorded process, and not a later one with its pid,
// still runs.
func (r record) alive() bool {
	now, err := observe(r.PID)
	return err == nil && now.Start == r.Start && now.Boot == r.Boot
}

// parseStat takes the state and the start time out of /proc/PID/stat (proc(5),
// fields 3 and 22). The second field is the program's name in parentheses and may
// itself hold blanks and parentheses, so that counting begins after the last one.
func parseStat(stat string) (state string, start uint64, err error) {
	_, rest, ok := cutLast(stat, ")")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", 0, fmt.Errorf("malformed stat line %q", stat)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0], start, err
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
