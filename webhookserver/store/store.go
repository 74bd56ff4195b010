package store

import (
	"context"
	"database/sql"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
)

// callTimeout bounds every call, the wait for a connection included: a chat
// platform gives up on a webhook soon after, and redelivers what got a quick 503.
const callTimeout = 2 * time.Second

// Options are the parameters that both databases share. The zero value works.
type Options struct {
	// EncryptionKeys returns the values of the encryption key, newest first, asked
	// at each use. Nil, or no value, leaves new keys of the server unsealed.
	EncryptionKeys func() []secretfile.Secret
	// MaxSessions bounds a channel's login sessions; 0 means [link.MaxSessions].
	MaxSessions int64
	// Beside opens the store as a command beside its server: it takes no lock of the
	// server's and migrates nothing. A store that no server of this version has
	// opened is [SchemaTooOld].
	Beside bool
	// Audited is told of every row of the audit trail once it is stored; nil means nobody.
	Audited func(context.Context, link.AuditRow)
	Log     *slog.Logger // nil means none
}

// Store is a [link.Store] on a SQL database.
type Store struct {
	backend backend
	write   *sql.DB
	read    *sql.DB // the same as write, or a second pool beside a single writer
	sealer  sealer
	kept    *keptSessions
	hashing userHashing
	told    telling
	seen    lastSeen
	log     *slog.Logger
	close   func() error
	// refused counts the writes that were refused for what no read shows, and mended is what it was when last a trial write
	// was taken.
	refused, mended atomic.Int64
}

var _ link.Store = (*Store)(nil)

// backend is what differs between the databases.
type backend struct {
	dialect    goose.Dialect
	migrations fs.FS
	// tableExists is a query with one parameter, the name, and one row.
	tableExists string
	// lockName is a statement with one parameter that makes other transactions wait which lock the same name, until this
	// one ends. Empty where a transaction has the whole database for itself.
	lockName string
	// analyze has the planner look at the tables that closing a channel goes through: after an import, or where nothing
	// vacuums, it takes them for small and reads all of a channel to find one link. Empty where the planner knows better.
	analyze string
	// maxPages is how many pages the file may have, as its volume is now. Nil where the volume is the database's own matter.
	maxPages func() int64
	// health is a query whose one row tells whether writes are refused.
	health string
	// classify returns what an error of the driver means, and its code.
	classify func(error) (Reason, string)
	// failed is told the reason of every failed call.
	failed func(Reason)
}

func newStore(b backend, write, read *sql.DB, o Options, closer func() error) *Store {
	s := &Store{
		backend: b, write: write, read: read, sealer: sealer{o.EncryptionKeys},
		kept: newKeptSessions(o.MaxSessions), log: o.logger(), close: closer,
		told: telling{tell: o.Audited},
	}
	return s
}

func (o Options) logger() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// Close closes the database. Calls that are under way may fail.
func (s *Store) Close() error { return s.close() }

// Ping reports whether the store can serve: the database answers, it has this
// server's tables, and it accepts writes. Of those it makes one only after one was refused.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var readOnly bool
	if err := s.read.QueryRowContext(ctx, s.backend.health).Scan(&readOnly); err != nil {
		return s.fail("ping", err)
	}
	if readOnly {
		return s.fail("ping", errReadOnly)
	}
	return s.tryWrite(ctx)
}

// fail turns an error of the driver into one that may be shown. It gives nil for
// nil.
func (s *Store) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	e := wrap(op, err, s.backend.classify)
	if unseen(e.Reason) {
		s.refused.Add(1)
	}
	if s.backend.failed != nil {
		s.backend.failed(e.Reason)
	}
	return e
}

// micros is how both databases keep a time: an integer sorts and compares the
// same in both, and microseconds are the finest that PostgreSQL knows.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
