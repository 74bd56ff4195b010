//go:build bench

package bench

import (
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of PostgreSQL
	_ "modernc.org/sqlite"             // the driver of SQLite
)

// openSQL opens the database for itself, and returns the statement that asks how large its sessions are.
func openSQL(t *testing.T, d loginDatabase) (*sql.DB, string) {
	t.Helper()
	driver, source, statement := "pgx", d.dsn, `SELECT pg_total_relation_size('sessions')`
	if d.settings.SQLite != nil {
		driver, source = "sqlite", "file:"+d.file()+"?_pragma=query_only(1)"
		statement = `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	return db, statement
}
