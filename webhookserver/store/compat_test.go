package store

import (
	"database/sql"
	"io/fs"
	"log/slog"
	"testing"
	"testing/fstest"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// schema1 are all statements of a server of schema 1, as it was released. They are copied here, not shared with the code:
// the code may change, and that server does not.
var schema1 = []struct {
	statement string
	args      []any
	rows      int // that a query returns; -1 for what is no query
}{
	{`INSERT INTO server_keys (channel, purpose, generation, id, material, sealed_with, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (channel, purpose, generation) DO NOTHING`, []any{"LINE/old", "assertion", 1, "id", []byte("m"), "", 1}, -1},
	{`SELECT generation, id, material, sealed_with, created_at
		FROM server_keys WHERE channel = $1 AND purpose = $2
		ORDER BY generation DESC`, []any{"LINE/old", "assertion"}, 1},
	{`UPDATE server_keys SET material = $1, sealed_with = $2
		WHERE channel = $3 AND purpose = $4 AND generation = $5 AND sealed_with = $6`, []any{[]byte("n"), "k", "LINE/old", "assertion", 1, ""}, -1},
	{`INSERT INTO issuer_documents (channel, issuer, discovery, jwks, fetched_at)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (channel, issuer) DO UPDATE
		SET discovery = excluded.discovery, jwks = excluded.jwks, fetched_at = excluded.fetched_at
		WHERE excluded.fetched_at >= issuer_documents.fetched_at`, []any{"LINE/old", "https://sso.vision.example", []byte("{}"), []byte("{}"), 1}, -1},
	{`SELECT discovery, jwks, fetched_at FROM issuer_documents
		WHERE channel = $1 AND issuer = $2`, []any{"LINE/old", "https://sso.vision.example"}, 1},
	{`SELECT (SELECT COALESCE(MAX(version_id), 0) FROM schema_migrations WHERE is_applied),
		(SELECT MAX(min_reader) FROM schema_compat)`, nil, 1},
}

// C82: during a rollout a server of the schema before works beside this one: it starts on the new schema, changes nothing
// about it, and every statement of its works.
func testServerBefore(t *testing.T, s *Store, db *sql.DB) {
	t.Helper()
	first, err := fs.ReadFile(s.backend.migrations, "00001_keys_and_issuers.sql")
	if err != nil {
		t.Fatal(err)
	}
	before := s.backend
	before.migrations = fstest.MapFS{"00001_keys_and_issuers.sql": {Data: first}}
	if err := migrate(t.Context(), db, before, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatalf("the server before cannot start: %v", err)
	}
	for _, old := range schema1 {
		if old.rows < 0 {
			if _, err := db.ExecContext(t.Context(), old.statement, old.args...); err != nil {
				t.Errorf("%s: %v", old.statement, err)
			}
			continue
		}
		if n := len(query(t, db, old.statement, old.args...)); n != old.rows {
			t.Errorf("%s: %d rows, want %d", old.statement, n, old.rows)
		}
	}
	var minReader int
	if err := db.QueryRowContext(t.Context(), `SELECT min_reader FROM schema_compat`).Scan(&minReader); err != nil || minReader != 1 {
		t.Errorf("min_reader is %d, %v; the server before would be refused", minReader, err)
	}
	if err := linkUser(t.Context(), s, 1); err != nil {
		t.Errorf("this server, beside it: %v", err)
	}
}

func TestSQLiteServerBefore(t *testing.T) {
	s := openSQLite(t, databasePath(t))
	testServerBefore(t, s, s.write)
}

func testPostgresServerBefore(t *testing.T, server *pgtest.Server) {
	s := openPostgres(t, server.DSN(server.NewDatabase(t)))
	testServerBefore(t, s, s.write)
}

// A command beside a server works with what the server has made and makes nothing itself.
func testBeside(t *testing.T, open func(beside bool) (*Store, error), forget func(*Store)) {
	t.Helper()
	server, err := open(false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	command, err := open(true)
	if err != nil {
		t.Fatalf("beside its server: %v", err)
	}
	if err := linkUser(t.Context(), command, 1); err != nil {
		t.Error(err)
	}
	wantUser(t, server, 1)
	if err := command.Close(); err != nil {
		t.Error(err)
	}
	if err := linkUser(t.Context(), server, 2); err != nil {
		t.Errorf("after the command: %v", err)
	}
	forget(server)
	if _, err := open(true); ReasonOf(err) != SchemaTooOld {
		t.Errorf("before a server of this version: got %v, want %s", err, SchemaTooOld)
	}
}

// forgetNewest makes the schema look as a server of the one before has left it.
func forgetNewest(t *testing.T) func(*Store) {
	return func(s *Store) {
		t.Helper()
		if _, err := s.write.ExecContext(t.Context(), `DELETE FROM schema_migrations WHERE version_id > 1`); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQLiteBeside(t *testing.T) {
	path := databasePath(t)
	testBeside(t, func(beside bool) (*Store, error) {
		return OpenSQLite(t.Context(), SQLiteOptions{Path: path, Options: Options{Beside: beside}})
	}, forgetNewest(t))
}

func testPostgresBeside(t *testing.T, server *pgtest.Server) {
	dsn := secretfile.NewSecret(server.DSN(server.NewDatabase(t)))
	testBeside(t, func(beside bool) (*Store, error) {
		return OpenPostgres(t.Context(), PostgresOptions{DSN: dsn, Options: Options{Beside: beside}})
	}, forgetNewest(t))
}

// C82: a server of the schema before takes a revocation that is not closed for one of everybody. A person's is none to it, also
// while links of his are left.
func TestSQLiteClosingServerBefore(t *testing.T) {
	s := openSQLite(t, databasePath(t))
	var links []link.Link
	for i := range 5 * closeBite {
		l := userLink(i)
		l.Identity.Account, l.LinkedAt = "shared", l.ConsentAt
		links = append(links, l)
	}
	now := links[0].ConsentAt.Add(time.Hour)
	if _, err := s.Import(t.Context(), links, now); err != nil {
		t.Fatal(err)
	}
	r := link.Revocation{Channel: "LINE/1", ID: "asked", Account: "shared", Issuer: links[0].Identity.Issuer}
	lease, err := s.OpenRevocation(t.Context(), r, link.TellLinked, now)
	if err != nil || lease.Closed {
		t.Fatalf("closed at once: %t, %v", lease.Closed, err)
	}
	if rows := query(t, s.read, `SELECT closed FROM revocations`); rows[0][0] != int64(1) {
		t.Errorf("closed is %v: the server before would close everybody's links", rows[0][0])
	}
}
