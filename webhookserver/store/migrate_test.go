package store

import (
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"channellink.dev/operator/webhookserver/link"
)

// later are migrations that newer servers might bring: one that adds, one that
// takes away what schema 1 needs.
var later = map[string]string{
	"90001_expand.sql":   "-- +goose Up\nALTER TABLE server_keys ADD COLUMN note TEXT;\n",
	"90002_contract.sql": "-- +goose Up\nALTER TABLE server_keys DROP COLUMN note;\nUPDATE schema_compat SET min_reader = 90002;\n",
}

// newer returns the backend of a server whose newest migration is the given one.
func newer(t *testing.T, b backend, upTo string) backend {
	t.Helper()
	files := fstest.MapFS{}
	own, err := fs.Glob(b.migrations, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range own {
		data, err := fs.ReadFile(b.migrations, name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: data}
	}
	for name, text := range later {
		if name <= upTo {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	b.migrations = files
	return b
}

// C82: an older server works on an expanded schema and refuses a contracted one,
// saying what to do; it changes nothing.
func testDownLevelStart(t *testing.T, b backend, db *sql.DB, open func() (*Store, error)) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)

	if err := migrate(t.Context(), db, newer(t, b, "90001_expand.sql"), log); err != nil {
		t.Fatal(err)
	}
	s, err := open()
	if err != nil {
		t.Fatalf("on an expanded schema: %v", err)
	}
	if err := link.EnsureKeys(t.Context(), s, "LINE/1", row(1).FetchedAt); err != nil {
		t.Errorf("on an expanded schema: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	if err := migrate(t.Context(), db, newer(t, b, "90002_contract.sql"), log); err != nil {
		t.Fatal(err)
	}
	_, err = open()
	if !errors.Is(err, SchemaTooNew) {
		t.Fatalf("on a contracted schema: got %v, want %s", err, SchemaTooNew)
	}
	if text := err.Error(); !strings.Contains(text, "needs a server of schema 90002 or newer") {
		t.Errorf("the error does not say which server is needed: %s", text)
	}
	if err := migrate(t.Context(), db, newer(t, b, "90002_contract.sql"), log); err != nil {
		t.Errorf("the newer server after the refused start: %v", err)
	}
}

func TestSQLiteDownLevelStart(t *testing.T) {
	file := databasePath(t)
	b, err := sqliteBackend()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", sqliteDSN(file, ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	testDownLevelStart(t, b, db, func() (*Store, error) {
		return OpenSQLite(t.Context(), SQLiteOptions{Path: file})
	})
}

// A migration that fails leaves the schema as it was, and says so.
func TestSQLiteMigrationFails(t *testing.T) {
	b, err := sqliteBackend()
	if err != nil {
		t.Fatal(err)
	}
	s := openSQLite(t, databasePath(t))
	broken := newer(t, b, "")
	broken.migrations.(fstest.MapFS)["90001_broken.sql"] = &fstest.MapFile{
		Data: []byte("-- +goose Up\nALTER TABLE server_keys ADD COLUMN note TEXT;\nALTER TABLE nowhere ADD COLUMN x TEXT;\n"),
	}
	if err := migrate(t.Context(), s.write, broken, s.log); !errors.Is(err, MigrationFailed) {
		t.Fatalf("got %v, want %s", err, MigrationFailed)
	}
	if err := migrate(t.Context(), s.write, newer(t, b, "90001_expand.sql"), s.log); err != nil {
		t.Errorf("a good one afterwards: %v", err)
	}
}

// Migrations only go forward, and both databases have the same ones.
func TestMigrationFiles(t *testing.T) {
	names := map[string][]string{}
	for _, files := range []fs.FS{sqliteMigrations, postgresMigrations} {
		err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(files, name)
			if strings.Contains(string(data), "+goose Down") {
				t.Errorf("%s goes back", name)
			}
			names[path.Dir(name)] = append(names[path.Dir(name)], path.Base(name))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	lite, pg := names["migrations/sqlite"], names["migrations/postgres"]
	if len(lite) == 0 || strings.Join(lite, " ") != strings.Join(pg, " ") {
		t.Errorf("SQLite has %v, PostgreSQL %v", lite, pg)
	}
}
