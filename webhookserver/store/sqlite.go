package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/sqlite/*.sql
var sqliteMigrations embed.FS

// DatabaseFile is the name of the SQLite database in the directory of its volume.
const DatabaseFile = "links.db"

// SQLiteOptions are the parameters of [OpenSQLite].
type SQLiteOptions struct {
	Options
	// Path is the database file, made if it is not there. Two files beside it
	// (-wal, -shm) belong to it; .lock keeps a second process out.
	Path string
}

// sqlitePragmas hold for every connection. A commit is on the disk when it
// returns (synchronous=FULL), deleted rows are overwritten (secure_delete), and
// memory stays small: each connection keeps at most 1 MiB of pages.
var sqlitePragmas = []string{
	"busy_timeout(1500)", // ms; less than callTimeout
	"journal_mode(WAL)",
	"synchronous(FULL)",
	"foreign_keys(1)",
	"secure_delete(1)",
	"journal_size_limit(4194304)", // bytes; what remains of the WAL after a checkpoint
	"cache_size(-1024)",           // KiB
	"temp_store(MEMORY)",          // the root file system is read-only
}

// immediate has a transaction take the write lock at its beginning.
const immediate = "_txlock=immediate"

// OpenSQLite opens a database file for this process alone and migrates it. A file
// that another process has open is [InUse].
func OpenSQLite(ctx context.Context, o SQLiteOptions) (*Store, error) {
	b, err := sqliteBackend()
	if err != nil {
		return nil, err
	}
	b.maxPages = func() int64 { return maxPages(o.Path) }
	unlock, err := prepareFile(o)
	if err != nil {
		return nil, err
	}
	if !o.Beside {
		if err := migrateSQLite(ctx, b, o); err != nil {
			return nil, errors.Join(err, unlock())
		}
	}
	// SQLite has one writer at a time. Waiting for it in Go is fair and obeys the
	// context; a transaction that takes the write lock at once cannot fail halfway.
	connector, err := newRoomyConnector(o.Path)
	if err != nil {
		return nil, errors.Join(wrap("open", err, b.classify), unlock())
	}
	write := sql.OpenDB(connector)
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", sqliteDSN(o.Path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(wrap("open", err, b.classify), write.Close(), unlock())
	}
	read.SetMaxOpenConns(runtime.GOMAXPROCS(0) + 1)
	read.SetMaxIdleConns(1)

	s := newStore(b, write, read, o.Options, func() error {
		return errors.Join(read.Close(), write.Close(), unlock())
	})
	if o.Beside {
		if err := requireSchema(ctx, read, b); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// migrateSQLite uses a connection of its own, to which no bound of the file applies:
// also a full database is brought up to date, and can be swept then.
func migrateSQLite(ctx context.Context, b backend, o SQLiteOptions) error {
	db, err := sql.Open("sqlite", sqliteDSN(o.Path, immediate))
	if err != nil {
		return wrap("open", err, b.classify)
	}
	db.SetMaxOpenConns(1)
	return errors.Join(migrate(ctx, db, b, o.logger()), db.Close())
}

// prepareFile makes the file and takes the lock of its server, or for a command
// beside it neither.
//
// The lock keeps servers apart, and with them hosts: a rolling update or a second
// replica may mount the volume elsewhere, where SQLite's shared memory (-shm) does
// not reach and two writers would destroy the file. A command that `kubectl exec`
// starts runs in the server's own container, on one kernel and one mount, which is
// what the write-ahead log is made for: readers see the last commit and hold
// nobody up, and a writer waits for SQLite's own lock, busy_timeout long, as the
// server then does for it.
func prepareFile(o SQLiteOptions) (unlock func() error, err error) {
	if o.Beside {
		if _, err := os.Stat(o.Path); err != nil {
			return nil, wrap("open database file", err, classifySQLite)
		}
		return func() error { return nil }, nil
	}
	unlock, err = lockFile(o.Path + ".lock")
	if err != nil {
		return nil, err
	}
	if err := createFile(o.Path); err != nil {
		return nil, errors.Join(wrap("create database file", err, classifySQLite), unlock())
	}
	return unlock, nil
}

func sqliteBackend() (backend, error) {
	migrations, err := fs.Sub(sqliteMigrations, "migrations/sqlite")
	if err != nil {
		return backend{}, fmt.Errorf("read migrations: %w", err)
	}
	return backend{
		dialect:     goose.DialectSQLite3,
		migrations:  migrations,
		tableExists: `SELECT COUNT(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1`,
		health:      `SELECT min_reader < 0 FROM schema_compat`, // reads a page; a read-only volume shows when written to
		classify:    classifySQLite,
	}, nil
}

func sqliteDSN(path, extra string) string {
	query := extra + "&_pragma=" + strings.Join(sqlitePragmas, "&_pragma=")
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query}).String()
}

// lockFile takes a lock that ends with the process, however it ends.
func lockFile(path string) (unlock func() error, err error) {
	file, err := os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, wrap("open lock file", err, classifySQLite)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		failure := wrap("lock database file", err, classifySQLite)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			failure.Reason = InUse
			failure.Note = "another process has it open; SQLite serves one replica, use PostgreSQL for more"
		}
		return nil, errors.Join(failure, file.Close())
	}
	return file.Close, nil
}

// createFile makes the file before SQLite does, which would let others read it.
// The -wal and -shm files take over its mode.
func createFile(path string) error {
	file, err := os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// sqliteReasons maps primary result codes (https://sqlite.org/rescode.html).
var sqliteReasons = map[int]Reason{
	sqlite3.SQLITE_PERM:       IOFailed,
	sqlite3.SQLITE_BUSY:       Busy,
	sqlite3.SQLITE_LOCKED:     Busy,
	sqlite3.SQLITE_NOMEM:      Overloaded,
	sqlite3.SQLITE_READONLY:   ReadOnly,
	sqlite3.SQLITE_INTERRUPT:  TimedOut, // the driver interrupts when the context ends
	sqlite3.SQLITE_IOERR:      IOFailed,
	sqlite3.SQLITE_CORRUPT:    Corrupt,
	sqlite3.SQLITE_FULL:       Full,
	sqlite3.SQLITE_CANTOPEN:   IOFailed,
	sqlite3.SQLITE_TOOBIG:     Failed,
	sqlite3.SQLITE_CONSTRAINT: Failed,
	sqlite3.SQLITE_MISMATCH:   Failed,
	sqlite3.SQLITE_NOTADB:     Corrupt,
}

func classifySQLite(err error) (Reason, string) {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		if reason, ok := sqliteReasons[e.Code()&0xff]; ok {
			return reason, strconv.Itoa(e.Code())
		}
		return Refused, strconv.Itoa(e.Code()) // as in classifyPostgres
	}
	switch { // of the files beside the database
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return Full, ""
	case errors.Is(err, syscall.EROFS):
		return ReadOnly, ""
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return IOFailed, ""
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok {
		return IOFailed, ""
	}
	return "", ""
}
