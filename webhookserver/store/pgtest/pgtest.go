// Package pgtest runs a PostgreSQL server of a test's own.
package pgtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// skipVariable set to "skip" skips the tests that need PostgreSQL.
const skipVariable = "CHANNELLINK_TEST_POSTGRES"

const howToInstall = `PostgreSQL is not installed. On Debian:

    apt-get install --no-install-recommends postgresql

or set ` + skipVariable + `=skip to go without the tests that need it`

// startTimeout bounds the start of a server, crash recovery included.
const startTimeout = 30 * time.Second

// Server is a PostgreSQL server on a Unix socket in a directory of its own. It
// ends with the test, even with one that is killed.
type Server struct {
	dir        string
	bin        string
	credential *syscall.Credential

	process *process
	mu      sync.Mutex
	created int
}

// Start starts a server. It fails the test if PostgreSQL is not installed.
func Start(tb testing.TB) *Server {
	tb.Helper()
	if os.Getenv(skipVariable) == "skip" {
		tb.Skip(skipVariable + "=skip")
	}
	s := &Server{bin: findBinaries()}
	if s.bin == "" {
		tb.Fatal(howToInstall)
	}
	// Not tb.TempDir: the server's user must be able to reach it, and a socket's
	// path has at most 107 bytes.
	dir, err := os.MkdirTemp("", "pgtest") //nolint:usetesting // the reason is above
	if err != nil {
		tb.Fatal(err)
	}
	s.dir = dir
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := s.initialize(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	s.Resume(tb)
	tb.Cleanup(func() {
		if s.process != nil {
			s.process.end(syscall.SIGQUIT)
		}
	})
	return s
}

// Kill ends the server without a checkpoint, as pg_ctl stop -m immediate does.
func (s *Server) Kill(tb testing.TB) {
	tb.Helper()
	s.process.end(syscall.SIGQUIT)
	s.process = nil
}

// Resume starts the server again after [Server.Kill].
func (s *Server) Resume(tb testing.TB) {
	tb.Helper()
	p, err := s.start(context.WithoutCancel(tb.Context())) // the cleanup ends it, gently
	if err != nil {
		tb.Fatal(err)
	}
	s.process = p
}

// Socket returns the path of the server's Unix socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// NewDatabase makes an empty database and returns its name.
func (s *Server) NewDatabase(tb testing.TB) string {
	tb.Helper()
	s.mu.Lock()
	s.created++
	name := "test" + strconv.Itoa(s.created)
	s.mu.Unlock()
	s.Exec(tb, "postgres", "CREATE DATABASE "+name)
	return name
}

// DSN returns the connection string of a database.
func (s *Server) DSN(database string) string {
	return (&url.URL{
		Scheme:   "postgres",
		User:     url.User("postgres"),
		Path:     "/" + database,
		RawQuery: url.Values{"host": {s.dir}}.Encode(),
	}).String()
}

// Exec runs statements in a database as its superuser.
func (s *Server) Exec(tb testing.TB, database string, statements ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN(database))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			tb.Fatalf("%s: %v", statement, err)
		}
	}
}

// findBinaries returns the folder of the newest server, or "".
func findBinaries() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian keeps them out of PATH
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) }))
}

// initialize makes the data directory. PostgreSQL refuses to run as root, so root
// hands it to the user that Debian's package made.
func (s *Server) initialize(ctx context.Context) error {
	if os.Getuid() == 0 {
		owner, err := user.Lookup("postgres")
		if err != nil {
			return fmt.Errorf("PostgreSQL refuses to run as root: %w", err)
		}
		uid, uidErr := strconv.ParseUint(owner.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(owner.Gid, 10, 32)
		if err := errors.Join(uidErr, gidErr, os.Chown(s.dir, int(uid), int(gid))); err != nil {
			return err
		}
		s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"),
		"--pgdata", s.data(), "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--no-locale", "--no-sync")
	cmd.Dir = s.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// process is a running server.
type process struct {
	pid  int
	done chan struct{} // closed when it has ended
}

func (p *process) end(signal syscall.Signal) {
	_ = syscall.Kill(p.pid, signal)
	<-p.done
}

// start runs the server and waits until its log says that it is ready.
func (s *Server) start(ctx context.Context) (*process, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "postgres"),
		"-D", s.data(), "-k", s.dir,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB",
		"-c", "max_connections=50", "-c", "lc_messages=C")
	cmd.Dir = s.dir
	// The server must not outlive a test binary that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential, Pdeathsig: syscall.SIGQUIT}
	log, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	p := &process{done: make(chan struct{})}
	started, ready := make(chan error, 1), make(chan string, 1)
	go func() {
		defer close(p.done)
		// Linux sends Pdeathsig when the thread ends that made the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		readLog(log, ready)
		_ = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start postgres: %w", err)
	}
	p.pid = cmd.Process.Pid
	select {
	case text := <-ready:
		if text == "" {
			return p, nil
		}
		<-p.done
		return nil, fmt.Errorf("postgres ended at its start:\n%s", text)
	case <-time.After(startTimeout):
		p.end(syscall.SIGKILL)
		return nil, errors.New("postgres is not ready in time")
	}
}

// readLog reads the log to its end. It sends "" when the server is ready, or the
// log when it ends before.
func readLog(log io.Reader, ready chan<- string) {
	var text bytes.Buffer
	isReady := false
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if isReady {
			continue
		}
		fmt.Fprintln(&text, lines.Text())
		if strings.Contains(lines.Text(), "ready to accept connections") {
			isReady = true
			ready <- ""
		}
	}
	if !isReady {
		ready <- text.String()
	}
}
