package store

import (
	"bytes"
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// The audit trail tells what became of each link, who asked and why, to whoever knows the user and has the channel's key,
// and goes when store.auditRetention is over.
func TestSQLiteAudit(t *testing.T) {
	s := openSQLite(t, databasePath(t))
	for i := range 2 {
		if err := linkUser(t.Context(), s, i); err != nil {
			t.Fatal(err)
		}
	}
	relinked := userLink(0)
	relinked.ID, relinked.LinkedAt = "from a backup", relinked.ConsentAt.Add(time.Second)
	if n, err := s.Import(t.Context(), []link.Link{relinked}, relinked.LinkedAt); err != nil || n != 1 {
		t.Fatalf("%d imported, %v", n, err)
	}
	at := relinked.ConsentAt.Add(time.Minute)
	u := link.Unlink{Channel: "LINE/1", UserID: "U0", At: at, By: "bot", Why: "HR-1234 leaver"}
	if outcome, err := s.Unlink(t.Context(), u, at.Add(time.Hour)); err != nil || outcome != link.Removed {
		t.Fatalf("%s, %v", outcome, err)
	}

	type row struct{ What, Link, By, Why string }
	audit := func(userID string) (found []row) {
		t.Helper()
		sign, err := s.signer(t.Context(), "LINE/1", at)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := s.read.QueryContext(t.Context(), `
			SELECT what, link_id, by_whom, why FROM audit WHERE channel = $1 AND user_hash = $2 ORDER BY id`, "LINE/1", sign.userHash(userID))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.What, &r.Link, &r.By, &r.Why); err != nil {
				t.Fatal(err)
			}
			found = append(found, r)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return found
	}
	want := []row{
		{"linked", "link-0", "platform", "confirmed"},
		{"replaced", "link-0", "import", link.WhyReplaced},
		{"imported", "from a backup", "import", ""},
		{"unlinked", "from a backup", "bot", "HR-1234 leaver"},
	}
	if diff := cmp.Diff(want, audit("U0")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]row{{"linked", "link-1", "platform", "confirmed"}}, audit("U1")); diff != "" {
		t.Error(diff)
	}

	const retention = time.Hour
	for _, sweep := range []struct {
		reason string
		at     time.Time
		want   int
	}{
		{"an hour after the last row none is older", at.Add(retention), 1},
		{"then it goes too", at.Add(retention + time.Microsecond), 0},
	} {
		if err := s.Sweep(t.Context(), sweep.at, retention); err != nil {
			t.Fatal(err)
		}
		if got := audit("U0"); len(got) != sweep.want {
			t.Errorf("%s: %v", sweep.reason, got)
		}
	}
}

// Hashes of one channel say nothing about another, and a value is never taken for one of another kind.
func TestAuditHashes(t *testing.T) {
	s := openSQLite(t, databasePath(t))
	now := time.Unix(1_700_000_000, 0)
	one, err := s.signer(t.Context(), "LINE/1", now)
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.signer(t.Context(), "LINE/2", now)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.signer(t.Context(), "LINE/1", now)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one.hash("user", "a"), again.hash("user", "a")) {
		t.Error("one value has two hashes")
	}
	seen := map[string]string{}
	for reason, hash := range map[string][]byte{
		"user a":          one.hash("user", "a"),
		"user a, LINE/2":  two.hash("user", "a"),
		"account a":       one.hash("account", "a"),
		"subject a, bc":   one.hash("subject", "a", "bc"),
		"subject ab, c":   one.hash("subject", "ab", "c"),
		"subject abc, ''": one.hash("subject", "abc", ""),
	} {
		if other, ok := seen[string(hash)]; ok {
			t.Errorf("%s and %s have one hash", reason, other)
		}
		seen[string(hash)] = reason
	}
}

// Whoever follows the trail is told of each row once it is stored, and of none that a rollback has taken back.
func TestSQLiteAudited(t *testing.T) {
	var told []link.AuditRow
	s, err := OpenSQLite(t.Context(), SQLiteOptions{Path: databasePath(t), Options: Options{
		Audited: func(_ context.Context, row link.AuditRow) { told = append(told, row) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if err := linkUser(t.Context(), s, 0); err != nil {
		t.Fatal(err)
	}
	sign, err := s.signer(t.Context(), "LINE/1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	err = s.transact(t.Context(), "begin anew", func(ctx context.Context, tx *sql.Tx) error {
		if err := sign.record(ctx, tx, userLink(0), entry{what: replaced, by: byImport}); err != nil {
			return err
		}
		if tries++; tries < 3 {
			return errMoved
		}
		return nil
	})
	if err != nil || tries != 3 {
		t.Fatalf("%d tries, %v", tries, err)
	}
	for _, outcome := range []error{errNoEffect, link.ErrExpired} {
		_ = s.transact(t.Context(), "come to nothing", func(ctx context.Context, tx *sql.Tx) error {
			if err := sign.record(ctx, tx, userLink(0), entry{what: tooMany, by: byPlatform}); err != nil {
				return err
			}
			return outcome
		})
	}

	var stored []link.AuditRow
	if err := s.Audit(t.Context(), "LINE/1", "", func(row link.AuditRow) error { stored = append(stored, row); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(stored, told); diff != "" || len(told) != 2 {
		t.Errorf("told of %d rows (-stored +told):\n%s", len(told), diff)
	}
	if len(s.told.rows) != 0 {
		t.Errorf("%d transactions are remembered after their end", len(s.told.rows))
	}
	hash, err := s.UserHash(t.Context(), "LINE/1", "U0", time.Now())
	if err != nil || !bytes.Equal(hash, told[0].UserHash) {
		t.Errorf("the user's hash is %x, %v; the trail has %x", hash, err, told[0].UserHash)
	}
}

// A reason that a person wrote keeps nobody's name, however often it stands there; short names stand for nobody.
func TestNameless(t *testing.T) {
	l := link.Link{UserID: "U206d25c2ea6bd87c17655609a1c37cb8", Identity: link.Identity{Subject: "00u1", Account: "j.dupont@vision.example"}}
	const why = "U206d25c2ea6bd87c17655609a1c37cb8 is j.dupont@vision.example, 00u1, and again j.dupont@vision.example"
	if got, want := nameless(why, l), "U206…7cb8 is j.du…mple, 00u1, and again j.du…mple"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := nameless("HR-1234", link.Link{}); got != "HR-1234" {
		t.Errorf("without names: %q", got)
	}
}
