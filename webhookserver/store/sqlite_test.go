package store

import (
	"bufio"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/link/linktest"
	"channellink.dev/operator/webhookserver/secretfile"
)

func TestSQLite(t *testing.T) {
	linktest.Run(t, func(t *testing.T) linktest.Open {
		path := databasePath(t)
		return func(t *testing.T, ring ...secretfile.Secret) link.Store {
			t.Helper()
			s, err := OpenSQLite(t.Context(), SQLiteOptions{Path: path, Options: withRing(ring)})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
	})
}

// databasePath holds what a URI would misread.
func databasePath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "links ?#%25.db")
}

func withRing(ring []secretfile.Secret) Options {
	return Options{EncryptionKeys: func() []secretfile.Secret { return ring }}
}

func openSQLite(t *testing.T, path string) *Store {
	t.Helper()
	s, err := OpenSQLite(t.Context(), SQLiteOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// C81: a second process is refused, and told why; the file is free when the
// first one ends.
func TestSQLiteSecondProcess(t *testing.T) {
	path := databasePath(t)
	first := openSQLite(t, path)
	_, err := OpenSQLite(t.Context(), SQLiteOptions{Path: path})
	if !errors.Is(err, InUse) || !errors.Is(err, link.ErrUnavailable) {
		t.Fatalf("got %v, want %s", err, InUse)
	}
	if err := first.Ping(t.Context()); err != nil {
		t.Errorf("the first one suffered: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	openSQLite(t, path)
}

// C81: what was acknowledged before a kill -9 is there after it, and the file is
// sound.
func TestSQLiteKill(t *testing.T) {
	path := databasePath(t)
	for range 5 {
		last := runUntilKilled(t, path, 25)
		s := openSQLite(t, path)
		for i := range last + 1 {
			wantRow(t, s, i)
		}
		var verdict string
		if err := s.write.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
			t.Fatalf("integrity_check: %s, %v", verdict, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// runUntilKilled runs this binary as a writer, kills it after so many rows, and
// returns the last row that it acknowledged.
func runUntilKilled(t *testing.T, path string, rows int) (last int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashVariable+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last = -1
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if last, err = strconv.Atoi(lines.Text()); err != nil {
			t.Fatal(err)
		}
		if last == rows {
			_ = cmd.Process.Kill() // the rest of the pipe was acknowledged too
		}
	}
	_ = cmd.Wait()
	if last < rows {
		t.Fatalf("the writer ended after row %d", last)
	}
	return last
}

// C81: a full disk is ErrUnavailable; nothing that was acknowledged is lost, and
// the store goes on when there is room again.
func TestSQLiteDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("cannot mount a small file system here (needs root): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openSQLite(t, filepath.Join(dir, "links.db"))

	stored := 0
	var err error
	for ; err == nil; stored++ {
		if stored > 10_000 {
			t.Fatal("3 MiB do not fill up")
		}
		err = s.PutIssuerDocuments(t.Context(), row(stored))
	}
	stored-- // the last one failed
	if !errors.Is(err, Full) || !errors.Is(err, link.ErrUnavailable) {
		t.Fatalf("got %v, want %s", err, Full)
	}
	for i := range stored {
		wantRow(t, s, i)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := s.PutIssuerDocuments(t.Context(), row(stored)); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	wantRow(t, s, stored)
}

func TestSQLiteOpenErrors(t *testing.T) {
	damaged := databasePath(t)
	if err := os.WriteFile(damaged, []byte("this is not a database, but long enough to be taken for a header of one"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		reason string
		path   string
		want   Reason
	}{
		{"not a database", damaged, Corrupt},
		{"no such directory", filepath.Join(t.TempDir(), "no", "links.db"), IOFailed},
		{"a directory", t.TempDir(), IOFailed},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := OpenSQLite(t.Context(), SQLiteOptions{Path: tc.path})
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// Every connection has the settings that durability and deletion rest on, and no
// other user can read the files.
func TestSQLiteSettings(t *testing.T) {
	path := databasePath(t)
	s := openSQLite(t, path)
	if err := s.PutIssuerDocuments(t.Context(), row(1)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1", "busy_timeout": "1500"}
	for pragma, value := range want {
		for name, db := range map[string]*sql.DB{"write": s.write, "read": s.read} {
			var got string
			err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got)
			if err != nil || got != value {
				t.Errorf("%s: %s = %s, %v; want %s", name, pragma, got, err, value)
			}
		}
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o, want 600", suffix, mode)
		}
	}
}
