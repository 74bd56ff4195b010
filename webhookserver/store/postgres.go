package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"channellink.dev/operator/webhookserver/secretfile"
)

//go:embed migrations/postgres/*.sql
var postgresMigrations embed.FS

// PostgresOptions are the parameters of [OpenPostgres].
type PostgresOptions struct {
	Options
	// DSN is a connection string in PostgreSQL's URI or key=value form. It must
	// lead to a session: a pooler in transaction mode has no advisory locks.
	DSN secretfile.Secret
	// MaxConns bounds the connections of this process; 0 means DefaultMaxConns.
	MaxConns int32
}

// DefaultMaxConns is the bound on a process's connections to PostgreSQL.
const DefaultMaxConns = 10

// The time limits inside callTimeout, so that the database gives up before the
// caller does and says why.
const (
	pgConnectTimeout   = 1500 * time.Millisecond
	pgStatementTimeout = 1500 * time.Millisecond
	pgLockTimeout      = 1 * time.Second
	pgIdleInTx         = 10 * time.Second // a transaction whose process hangs must not hold its locks
	pgConnMaxIdle      = 5 * time.Minute
	pgConnLifetime     = 30 * time.Minute // follows a failover that DNS tells of
	pgLockTries        = 60               // one a second: how long a migration elsewhere is waited for
)

// OpenPostgres connects to a database and migrates it.
func OpenPostgres(ctx context.Context, o PostgresOptions) (*Store, error) {
	b, err := postgresBackend()
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(o.DSN.Reveal())
	if err != nil {
		return nil, &Error{Op: "read DSN", Reason: InvalidDSN} // err quotes it
	}
	config.MaxConns = o.MaxConns
	if config.MaxConns == 0 {
		config.MaxConns = DefaultMaxConns
	}
	config.MinConns = 0
	config.MaxConnIdleTime = pgConnMaxIdle
	config.MaxConnLifetime = pgConnLifetime
	config.MaxConnLifetimeJitter = pgConnLifetime / 10
	config.ConnConfig.ConnectTimeout = pgConnectTimeout
	if config.ConnConfig.ValidateConnect == nil && severalHosts(config.ConnConfig) {
		config.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	setParameters(config.ConnConfig.RuntimeParams, map[string]time.Duration{
		"statement_timeout":                   pgStatementTimeout,
		"lock_timeout":                        pgLockTimeout,
		"idle_in_transaction_session_timeout": pgIdleInTx,
	})
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, wrap("open", err, b.classify)
	}
	db := stdlib.OpenDBFromPool(pool)
	b.failed = func(reason Reason) {
		if reason == ReadOnly {
			pool.Reset() // the primary moved: connect anew, to where writes are taken
		}
	}
	s := newStore(b, db, db, o.Options, func() error {
		err := db.Close()
		pool.Close()
		return err
	})
	if o.Beside {
		err = requireSchema(ctx, db, b)
	} else {
		err = migratePostgres(ctx, b, config, s)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// severalHosts tells whether the connection string names more than one host. Without target_session_attrs the driver takes
// the first that answers, which after a failover may be the standby, for ever.
func severalHosts(c *pgx.ConnConfig) bool {
	return slices.ContainsFunc(c.Fallbacks, func(f *pgconn.FallbackConfig) bool { return f.Host != c.Host || f.Port != c.Port })
}

// migratePostgres uses a connection of its own, since a migration may take longer
// than any statement of a request.
func migratePostgres(ctx context.Context, b backend, config *pgxpool.Config, s *Store) error {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, pgLockTries))
	if err != nil {
		return fmt.Errorf("make migration lock: %w", err)
	}
	single := config.ConnConfig.Copy()
	setParameters(single.RuntimeParams, map[string]time.Duration{"statement_timeout": 0, "lock_timeout": 10 * time.Second})
	db := stdlib.OpenDB(*single)
	defer func() { _ = db.Close() }()
	return migrate(ctx, db, b, s.log, goose.WithSessionLocker(locker))
}

func setParameters(parameters map[string]string, limits map[string]time.Duration) {
	for name, limit := range limits {
		parameters[name] = strconv.FormatInt(limit.Milliseconds(), 10)
	}
}

func postgresBackend() (backend, error) {
	migrations, err := fs.Sub(postgresMigrations, "migrations/postgres")
	if err != nil {
		return backend{}, fmt.Errorf("read migrations: %w", err)
	}
	return backend{
		dialect:     goose.DialectPostgres,
		migrations:  migrations,
		tableExists: `SELECT to_regclass($1) IS NOT NULL`,
		lockName:    `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`,
		analyze:     `ANALYZE links, revoked_users`,
		health:      `SELECT current_setting('transaction_read_only')::boolean FROM schema_compat`,
		classify:    classifyPostgres,
	}, nil
}

// postgresReasons maps SQLSTATEs, and classes of them
// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
var postgresReasons = map[string]Reason{
	"08":    Unreachable,
	"22":    Failed,   // data_exception
	"23":    Failed,   // integrity_constraint_violation
	"25006": ReadOnly, // read_only_sql_transaction
	"28":    CredentialsRejected,
	"3D000": DatabaseMissing, // invalid_catalog_name
	"40":    Busy,            // serialization_failure, deadlock_detected
	"42501": CredentialsRejected,
	"53":    Overloaded,
	"53100": Full,
	"54":    Failed,      // program_limit_exceeded: a value is too long for an index
	"55P03": Busy,        // lock_not_available
	"57014": TimedOut,    // query_canceled: statement_timeout
	"57P":   Unreachable, // the server is starting, stopping or recovering
	"58":    IOFailed,
	"XX001": Corrupt,
	"XX002": Corrupt,
}

// classifyPostgres takes what it does not know for the database's fault: an event that fails for a reason of its own is given up
// in the end, and all events would be.
func classifyPostgres(err error) (Reason, string) {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		for _, prefix := range []int{5, 3, 2} { // the most exact entry counts
			if reason, ok := postgresReasons[e.Code[:min(prefix, len(e.Code))]]; ok {
				return reason, e.Code
			}
		}
		return Refused, e.Code
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return Unreachable, ""
	}
	for _, lost := range []error{io.EOF, io.ErrUnexpectedEOF, driver.ErrBadConn, sql.ErrConnDone} {
		if errors.Is(err, lost) {
			return Unreachable, ""
		}
	}
	if pgconn.SafeToRetry(err) { // the connection was closed before anything was sent
		return Unreachable, ""
	}
	return "", ""
}
