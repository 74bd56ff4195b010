package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// supervisor owns the folder of one control plane, and a small shell that ends the control plane and removes the folder
// when the test process is gone. A test binary that runs into its time limit, panics outside a test or is killed never
// reaches Stop; without the shell it would leave an API server and an etcd behind each time.
//
// The shell waits at the reading end of a pipe whose writing end only the test process holds: the kernel closes it on
// every kind of death. It knows the programs by the process ids that their wrappers wrote, and touches no others.
type supervisor struct {
	dir   string
	shell *exec.Cmd
	pipe  io.Closer
	logs  []*os.File
}

// supervisorScript gets the folder as $1. A program that does not end within 5 s of SIGTERM is killed.
const supervisorScript = `
read -r _
alive() { for f in "$1"/*.pid; do [ -f "$f" ] && kill "$2" "$(cat "$f")" 2>/dev/null && return 0; done; return 1; }
for f in "$1"/*.pid; do [ -f "$f" ] && kill -TERM "$(cat "$f")" 2>/dev/null; done
n=0; while alive "$1" -0 && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
for f in "$1"/*.pid; do [ -f "$f" ] && kill -KILL "$(cat "$f")" 2>/dev/null; done
rm -rf "$1"
`

// wrapperScript becomes the program itself, so that the process id it has written down is the program's.
const wrapperScript = `#!/bin/sh
echo $$ > %[1]q
exec %[2]q "$@"
`

func startSupervisor() (*supervisor, error) {
	dir, err := os.MkdirTemp("", "channellink-testenv-")
	if err != nil {
		return nil, fmt.Errorf("make the control plane's folder: %w", err)
	}
	// No context may end the shell: it is the one that cleans up after all others.
	shell := exec.CommandContext(context.Background(), "/bin/sh", "-c", supervisorScript, "testenv-supervisor", dir) //nolint:gosec // a constant script, a folder as its parameter
	pipe, err := shell.StdinPipe()
	if err == nil {
		// A process group of its own: an interrupt typed at the terminal must not end the shell before its work.
		shell.SysProcAttr = ownProcessGroup()
		err = shell.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the supervisor: %w", err), os.RemoveAll(dir))
	}
	return &supervisor{dir: dir, shell: shell, pipe: pipe}, nil
}

// mkdir makes a folder of this name and returns its path.
func (s *supervisor) mkdir(name string) (string, error) {
	path := filepath.Join(s.dir, name)
	if err := os.Mkdir(path, 0o700); err != nil {
		return "", fmt.Errorf("make a folder of the control plane: %w", err)
	}
	return path, nil
}

// wrap writes a script that runs the program and lets the supervisor know its process id; it returns the script's path.
func (s *supervisor) wrap(program string) (string, error) {
	path := filepath.Join(s.dir, filepath.Base(program))
	script := fmt.Sprintf(wrapperScript, path+".pid", program)
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil { //nolint:gosec // a program must be executable
		return "", fmt.Errorf("write a wrapper: %w", err)
	}
	return path, nil
}

// log opens the file that gets what a program writes.
func (s *supervisor) log(name string) (io.Writer, error) {
	f, err := os.Create(filepath.Join(s.dir, name+".log"))
	if err != nil {
		return nil, fmt.Errorf("make a log of the control plane: %w", err)
	}
	s.logs = append(s.logs, f)
	return f, nil
}

// logTails is the end of each program's log, for the message of a failed start.
func (s *supervisor) logTails() string {
	const tail = 2000
	var all bytes.Buffer
	for _, f := range s.logs {
		content, err := os.ReadFile(f.Name())
		if err != nil {
			continue
		}
		fmt.Fprintf(&all, "--- %s\n%s\n", filepath.Base(f.Name()), content[max(0, len(content)-tail):])
	}
	return all.String()
}

// forget is called when the programs have ended: the kernel may give their process ids to others, which must not be
// signalled.
func (s *supervisor) forget() {
	files, _ := filepath.Glob(filepath.Join(s.dir, "*.pid")) // the pattern is constant and right
	for _, file := range files {
		_ = os.Remove(file) // at worst the shell signals a process id that is free
	}
}

// stop lets the shell do its work and waits for it.
func (s *supervisor) stop() error {
	var errs []error
	for _, f := range s.logs {
		errs = append(errs, f.Close())
	}
	errs = append(errs, s.pipe.Close(), s.shell.Wait())
	return errors.Join(errs...)
}
