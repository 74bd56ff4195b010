package store

import (
	"bufio"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/link/linktest"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store/pgtest"
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

// C33: whatever the code does, the database itself takes no second active link of a chat user.
func testOneActiveLink(t *testing.T, s *Store) {
	put := func(id, user string, state link.State) error {
		_, err := s.write.ExecContext(t.Context(), insertLink, linkValues(link.Link{
			ID: id, Channel: "LINE/1", UserID: user, State: state, CodeHash: link.HashCode(id),
			Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: id}, LinkedAt: time.Unix(1_700_000_000, 0),
		}, 0)...)
		return err
	}
	for _, good := range []error{put("one", "U1", link.Active), put("two", "U2", link.Active), put("three", "U1", link.Pending)} {
		if good != nil {
			t.Fatal(good)
		}
	}
	if err := put("four", "U1", link.Active); err == nil {
		t.Error("a second active link was taken")
	}
}

func TestSQLiteOneActiveLink(t *testing.T) { testOneActiveLink(t, openSQLite(t, databasePath(t))) }

func testPostgresOneActiveLink(t *testing.T, server *pgtest.Server) {
	testOneActiveLink(t, openPostgres(t, server.DSN(server.NewDatabase(t))))
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
// sound. Each kill comes at another moment of a write.
func TestSQLiteKill(t *testing.T) {
	const kills = 200
	path := databasePath(t)
	var linked []int
	next := 0
	for kill := range kills {
		acknowledged := runUntilKilled(t, path, next, time.Duration(kill%20)*100*time.Microsecond)
		linked = append(linked, acknowledged...)
		next += len(acknowledged) + 1 // the one that was under way may be linked or not
	}
	s := openSQLite(t, path)
	for _, i := range linked {
		wantUser(t, s, i)
	}
	var verdict string
	if err := s.write.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity_check: %s, %v", verdict, err)
	}
	counts, err := s.CountLinks(t.Context(), "LINE/1")
	if err != nil || counts[link.Active]+counts[link.Pending] > int64(next) {
		t.Errorf("%v, %v; %d were begun", counts, err, next)
	}
	t.Logf("%d kills, %d links acknowledged, %v stored", kills, len(linked), counts)
}

// runUntilKilled runs this binary as a writer that begins with that number, kills
// it so long after its first acknowledgement, and returns what it acknowledged.
func runUntilKilled(t *testing.T, path string, first int, after time.Duration) (acknowledged []int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashVariable+"="+path, crashFirst+"="+strconv.Itoa(first), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		next := first + len(acknowledged)
		if lines.Text() != strconv.Itoa(next) {
			t.Fatalf("the writer acknowledged %q, want %d", lines.Text(), next)
		}
		if acknowledged = append(acknowledged, next); next == first {
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // what is in the pipe by then was acknowledged too
		}
	}
	_ = cmd.Wait() // killed
	if len(acknowledged) == 0 {
		t.Fatal("the writer ended before it wrote")
	}
	return acknowledged
}

// C81: a full disk is ErrUnavailable; nothing that was acknowledged is lost, and
// the store goes on when there is room again.
func TestSQLiteDiskFull(t *testing.T) {
	dir := smallVolume(t, 4)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openSQLite(t, filepath.Join(dir, "links.db"))

	consents := 0 // C45: what is confirmed on the full disk is confirmed again later, and is lost to nobody
	for ; consents < 20; consents++ {
		if err := consentUser(t.Context(), s, consents); err != nil {
			t.Fatal(err)
		}
	}
	stored := 0
	var err error
	for ; err == nil; stored++ {
		if stored > 10_000 {
			t.Fatal("4 MiB do not fill up")
		}
		err = s.PutIssuerDocuments(t.Context(), row(stored))
	}
	stored-- // the last one failed
	if !errors.Is(err, Full) || !errors.Is(err, link.ErrUnavailable) {
		t.Fatalf("got %v, want %s", err, Full)
	}
	for range 2 { // as long as it lasts, and whoever else asks at the same time
		var pings sync.WaitGroup
		for range 4 {
			pings.Go(func() {
				if err := s.Ping(t.Context()); !errors.Is(err, Full) {
					t.Errorf("ping of a full disk: got %v, want %s", err, Full)
				}
			})
		}
		pings.Wait()
	}
	refused := 0
	for i := range consents {
		if err := confirmUser(t.Context(), s, i); err == nil {
			wantUser(t, s, i)
		} else if refused++; !errors.Is(err, link.ErrUnavailable) {
			t.Errorf("confirmation on a full disk: got %v, want %v", err, link.ErrUnavailable)
		}
	}
	if refused == 0 {
		t.Error("the disk was not full: nothing is shown")
	}
	for i := range stored {
		wantRow(t, s, i)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("ping with room again: %v", err)
	}
	if err := s.PutIssuerDocuments(t.Context(), row(stored)); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	wantRow(t, s, stored)
	for i := range consents {
		if err := confirmUser(t.Context(), s, i); err != nil {
			t.Fatalf("with room again: %v", err)
		}
		wantUser(t, s, i)
	}
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
	for _, which := range []string{"the first connection", "the one after it was lost"} {
		var pages int64
		if err := s.write.QueryRowContext(t.Context(), "PRAGMA max_page_count").Scan(&pages); err != nil || pages >= anyPages {
			t.Errorf("%s may have %d pages, %v; want it to leave room on its volume", which, pages, err)
		}
		lose(t, s.write)
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

// lose takes a connection from the pool, as database/sql does with one that a call was given up on.
func lose(t *testing.T, db *sql.DB) {
	t.Helper()
	connection, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := connection.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
		t.Fatal(err)
	}
}
