package store

import (
	"errors"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// C45: an event is given up for a fault of its own alone. What would be every event's, such as a table that a restore has left
// out, is the store's.
func testFaults(t *testing.T, s *Store) {
	now := time.Unix(1_700_000_000, 0)
	unlink := func(userID string) error {
		_, err := s.Unlink(t.Context(), link.Unlink{Channel: "LINE/1", Event: userID, UserID: userID, At: now}, now)
		return err
	}
	rename := func(from, to string) {
		t.Helper()
		if _, err := s.write.ExecContext(t.Context(), `ALTER TABLE `+from+` RENAME TO `+to); err != nil {
			t.Fatal(err)
		}
	}
	if err := unlink("U1"); err != nil {
		t.Fatal(err)
	}
	rename("used_events", "lost")
	if err := unlink("U2"); !errors.Is(err, Refused) || !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("a table is missing: got %v, want %s", err, Refused)
	}
	rename("lost", "used_events")
	if err := unlink("U2"); err != nil {
		t.Errorf("it is back: %v", err)
	}

	if err := s.PutSession(t.Context(), typicalSession(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.PutSession(t.Context(), typicalSession(1)); !errors.Is(err, Failed) || errors.Is(err, link.ErrUnavailable) {
		t.Errorf("what is there already: got %v, want %s", err, Failed)
	}
}

func TestSQLiteFaults(t *testing.T) { testFaults(t, openSQLite(t, databasePath(t))) }

func testPostgresFaults(t *testing.T, server *pgtest.Server) {
	s := openPostgres(t, server.DSN(server.NewDatabase(t)))
	testFaults(t, s)
	u := link.Unlink{Channel: "LINE/1", UserID: "U\x00", At: time.Unix(1_700_000_000, 0)} // no text to PostgreSQL
	if _, err := s.Unlink(t.Context(), u, u.At); !errors.Is(err, Failed) || errors.Is(err, link.ErrUnavailable) {
		t.Errorf("a byte that cannot be stored: got %v, want %s", err, Failed)
	}
}
