package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"

	"github.com/pressly/goose/v3"
)

// The tables that tell the state of the schema.
const (
	versionsTable = "schema_migrations" // goose's
	compatTable   = "schema_compat"
)

// schema is the state of a database's schema. The zero value is an empty database.
type schema struct {
	version   int64 // newest migration that ran
	minReader int64 // oldest version whose servers still work
}

// migrate brings the schema up to this binary's version, or refuses to work with
// one that has gone on without it. A schema that is up to date costs two queries
// and no lock.
func migrate(ctx context.Context, db *sql.DB, b backend, log *slog.Logger, options ...goose.ProviderOption) error {
	provider, own, err := newProvider(db, b, options...)
	if err != nil {
		return err
	}
	before, err := readSchema(ctx, db, b)
	if err != nil {
		return wrap("read schema version", err, b.classify)
	}
	if err := before.check(own); err != nil {
		return err
	}
	if before.version >= own {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		failure := wrap("migrate", err, b.classify)
		if failure.Reason == Failed || failure.Reason == Refused {
			failure.Reason = MigrationFailed
		}
		return failure
	}
	// A newer server may have come between the two.
	after, err := readSchema(ctx, db, b)
	if err != nil {
		return wrap("read schema version", err, b.classify)
	}
	log.InfoContext(ctx, "schema migrated", "from", before.version, "to", after.version)
	return after.check(own)
}

// newProvider returns what migrates, and the version of this binary's schema.
func newProvider(db *sql.DB, b backend, options ...goose.ProviderOption) (provider *goose.Provider, own int64, err error) {
	options = append(options,
		goose.WithTableName(versionsTable),
		goose.WithLogger(goose.NopLogger()),
		goose.WithDisableGlobalRegistry(true),
	)
	provider, err = goose.NewProvider(b.dialect, db, b.migrations, options...)
	if err != nil {
		return nil, 0, fmt.Errorf("read migrations: %w", err)
	}
	sources := provider.ListSources()
	return provider, sources[len(sources)-1].Version, nil
}

// requireSchema returns an error unless this binary can work with the schema as it
// is.
func requireSchema(ctx context.Context, db *sql.DB, b backend) error {
	_, own, err := newProvider(db, b)
	if err != nil {
		return err
	}
	present, err := readSchema(ctx, db, b)
	if err != nil {
		return wrap("read schema version", err, b.classify)
	}
	if present.version < own {
		return &Error{
			Op: "open", Reason: SchemaTooOld,
			Note: fmt.Sprintf("the database has schema %d, this command needs %d: let a server of this version start first", present.version, own),
		}
	}
	return present.check(own)
}

func (s schema) check(own int64) error {
	if s.minReader <= own {
		return nil
	}
	return &Error{
		Op:     "open",
		Reason: SchemaTooNew,
		Note: fmt.Sprintf("the database has schema %d and needs a server of schema %d or newer, this one has %d: use the newer image, or restore a backup",
			s.version, s.minReader, own),
	}
}

func readSchema(ctx context.Context, db *sql.DB, b backend) (schema, error) {
	for _, table := range []string{versionsTable, compatTable} {
		var exists bool
		if err := db.QueryRowContext(ctx, b.tableExists, table).Scan(&exists); err != nil || !exists {
			return schema{}, err
		}
	}
	var s schema
	err := db.QueryRowContext(ctx,
		`SELECT (SELECT COALESCE(MAX(version_id), 0) FROM schema_migrations WHERE is_applied),
		        (SELECT MAX(min_reader) FROM schema_compat)`,
	).Scan(&s.version, &s.minReader)
	return s, err
}
