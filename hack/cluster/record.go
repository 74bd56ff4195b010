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

// observe returns the record of a process, which may already have ended as long
// as its parent has not waited for it.
func observe(pid int) (record, error) {
	_, start, err := readStat(pid)
	if err != nil {
		return record{}, err
	}
	boot, err := bootID()
	return record{PID: pid, Start: start, Boot: boot}, err
}

// alive reports whether the recorded process, and not a later one with its pid,
// still runs.
func (r record) alive() bool {
	state, start, err := readStat(r.PID)
	if err != nil || start != r.Start || state == "Z" || state == "X" {
		return false
	}
	boot, err := bootID()
	return err == nil && boot == r.Boot
}

func readStat(pid int) (state string, start uint64, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, err
	}
	return parseStat(string(stat))
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

// parseStat takes the state and the start time out of /proc/PID/stat (proc(5),
// fields 3 and 22). The second field is the program's name in parentheses and may
// itself hold blanks and parentheses, so that counting begins after the last one.
func parseStat(stat string) (state string, start uint64, err error) {
	rest, ok := afterLast(stat, ")")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", 0, fmt.Errorf("malformed stat line %q", stat)
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0], start, err
}

// afterLast returns what follows the last separator.
func afterLast(s, sep string) (after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", false
	}
	return s[i+len(sep):], true
}
