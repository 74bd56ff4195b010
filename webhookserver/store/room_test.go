package store

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// smallVolume is a directory on a file system of that many MiB.
func smallVolume(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", size)); err != nil {
		t.Skipf("cannot mount a small file system here (needs root): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// C81: a volume that logins have filled is well again when they have expired, with nobody's help: in the running server, and
// in one that starts on the full volume.
func TestSQLiteFullVolume(t *testing.T) {
	t.Run("16 MiB", func(t *testing.T) { testFullVolume(t, 16, false) })
	t.Run("40 MiB, restarted", func(t *testing.T) { testFullVolume(t, 40, true) })
}

// testFullVolume takes a volume of that many MiB.
func testFullVolume(t *testing.T, size int, restart bool) {
	options := SQLiteOptions{Path: filepath.Join(smallVolume(t, size), DatabaseFile), Options: Options{MaxSessions: 1 << 40}}
	s, err := OpenSQLite(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := linkUser(t.Context(), s, 1); err != nil {
		t.Fatal(err)
	}
	logins := 0
	for ; err == nil; logins++ {
		session := typicalSession(logins)
		session.Params["carry"] = strings.Repeat("c", 3000)
		err = s.PutSession(t.Context(), session)
	}
	if logins--; !errors.Is(err, Full) {
		t.Fatalf("after %d logins: %v, want %s", logins, err, Full)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, Full) {
		t.Errorf("ping of a full volume: %v, want %s", err, Full)
	}
	if restart {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if s, err = OpenSQLite(t.Context(), options); err != nil {
			t.Fatal(err)
		}
	}
	later := typicalSession(0).ExpiresAt.Add(link.SessionKept + time.Second)
	for minute := 0; ; minute++ {
		if err := s.Sweep(t.Context(), later, time.Hour*9600); err != nil {
			t.Fatalf("sweep of a full volume with %d logins: %v", logins, err)
		}
		left := query(t, s.read, `SELECT COUNT(*) FROM sessions`)[0][0]
		if left == int64(0) {
			break
		}
		if minute == 3 {
			t.Fatalf("%v of %d logins are left", left, logins)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	wantUser(t, s, 1)
	u := link.Unlink{Channel: "LINE/1", Event: "unlink", UserID: userLink(1).UserID, At: later, By: "chat user", Why: "postback"}
	if outcome, err := s.Unlink(t.Context(), u, later); err != nil || outcome != link.Removed {
		t.Errorf("an unlink event afterwards: %s, %v", outcome, err)
	}
	for i := range logins {
		if err := s.PutSession(t.Context(), typicalSession(i)); err != nil {
			t.Fatalf("login %d of the next %d: %v", i, logins, err)
		}
	}
}

func TestPagesFor(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		reason            string
		volume, free, own int64
		want              int64 // MiB
	}{
		{"a fresh volume", 1024, 1024, 0, 992},
		{"the same, half full of links", 1024, 512, 512, 992},
		{"at the bound", 1024, 32, 992, 992},
		{"after it was enlarged", 2048, 1056, 992, 2016},
		{"a small volume leaves a quarter", 64, 64, 0, 48},
		{"others have filled it too: the file cannot grow", 1024, 10, 100, 78},
		{"others have filled it before", 1024, 10, 0, 0},
	} {
		if got := pagesFor(tc.volume*mib, tc.free*mib, tc.own*mib) * sqlitePage / mib; got != tc.want {
			t.Errorf("%s: %d MiB, want %d", tc.reason, got, tc.want)
		}
	}
}
