package store

import (
	"context"
	"database/sql/driver"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"modernc.org/sqlite"
)

// What deletes needs room of its own: in SQLite's write-ahead log each page that a DELETE touches is written anew. A file that
// may grow until its volume is full could never be swept again, so it ends before that.
const (
	// sweepRoom is what the file leaves free, in bytes: the log's usual 4 MiB, a sweep's largest bite, and room to spare.
	sweepRoom = 32 << 20
	// sweepShare is the part of a small volume that it leaves free at most.
	sweepShare = 4
	// sqlitePage is the size of a page, in bytes: SQLite's default, which this package has never changed.
	sqlitePage = 4096
	// anyPages is SQLite's own bound on pages.
	anyPages = 1<<32 - 2
)

// pagesFor is how many pages a database of own bytes, its log included, may have on a volume of that many bytes, of which some
// are free. Others may fill the volume too, and it may grow, so that this holds for the moment.
func pagesFor(volume, free, own int64) int64 {
	return max(own+free-min(sweepRoom, volume/sweepShare), 0) / sqlitePage
}

// maxPages looks at the volume of a database file. Where it cannot be looked at, only SQLite's own bound holds.
func maxPages(path string) int64 {
	var volume syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &volume); err != nil || volume.Blocks == 0 {
		return anyPages
	}
	own := int64(0)
	for _, file := range []string{path, path + "-wal"} {
		if info, err := os.Stat(file); err == nil {
			own += info.Size()
		}
	}
	bytes := func(blocks uint64) int64 { return int64(blocks) * int64(volume.Bsize) } //nolint:gosec,unconvert // types differ by platform
	return min(pagesFor(bytes(volume.Blocks), bytes(volume.Bavail), own), anyPages)
}

// roomyConnector opens connections that know how large the file may become. SQLite forgets that with the connection, and
// database/sql opens another one after a call that was given up.
type roomyConnector struct {
	driver.Connector // which does not tell them
	path             string
}

func newRoomyConnector(path string) (roomyConnector, error) {
	plain, err := sqlite.NewConnector(sqliteDSN(path, immediate))
	return roomyConnector{plain, path}, err
}

// Connect implements [driver.Connector].
func (c roomyConnector) Connect(ctx context.Context) (driver.Conn, error) {
	roomy, err := sqlite.NewConnector(sqliteDSN(c.path, immediate+"&_pragma=max_page_count("+strconv.FormatInt(maxPages(c.path), 10)+")"))
	if err != nil {
		return nil, err
	}
	return roomy.Connect(ctx)
}

// keepRoom tells the connection that is open by now how large the file may become. A bound that the file is beyond is taken for
// its size.
func (s *Store) keepRoom(ctx context.Context) error {
	if s.backend.maxPages == nil {
		return nil
	}
	_, err := s.write1(ctx, "keep room", `PRAGMA max_page_count = `+strconv.FormatInt(s.backend.maxPages(), 10))
	return err
}

// makeRoom has the write-ahead log of a full database give back what it holds. SQLite does that by itself when the log is 4 MiB
// long, and what a sweep adds may not fit in before. If it fails, what needs the room fails.
func (s *Store) makeRoom(ctx context.Context) error {
	if s.backend.maxPages != nil && s.refusing() {
		_, _ = s.write1(ctx, "empty log", `PRAGMA wal_checkpoint(TRUNCATE)`)
	}
	return s.keepRoom(ctx)
}
