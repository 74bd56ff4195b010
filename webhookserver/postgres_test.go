package webhookserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// C80, C89: PostgreSQL is down when the server starts, moves to another database, and goes down and up again. The process
// and its readiness outlive all of it, and nobody has to help.
func TestPostgres(t *testing.T) {
	const field = "store.postgres.dsnSecretRef"
	pg := pgtest.Start(t)
	first, second := pg.DSN(pg.NewDatabase(t)), pg.DSN(pg.NewDatabase(t))
	pg.Kill(t)

	w := newWorld(t, func(w *world, s *config.Settings) {
		s.Store.SQLite = nil
		s.Store.Postgres = &config.Postgres{DSN: config.File{Field: field, Path: w.References.Path(field)}, MaxConns: 4}
	})
	w.untilStatus(t, "a missing connection string", func(s adminapi.Status) bool {
		return reference(s, field) == adminapi.ReferenceMissing && s.Store.State == adminapi.StoreOpening
	})
	w.mount(t, map[string]string{field: first})
	failed := adminapi.Store{State: adminapi.StoreFailed, Reason: adminapi.StoreUnavailable}
	w.untilStatus(t, "a store that is down", func(s adminapi.Status) bool { return s.Store == failed })
	if a := w.ready(t); a.Body != "not ready: store\n" {
		t.Errorf("readyz: %q, want the store", a.Body)
	}
	pg.Resume(t)
	w.untilReady(t)

	w.mount(t, map[string]string{field: second})
	eventually(t, func() error { return hasKeys(t, second) })

	pg.Kill(t)
	w.untilStatus(t, "a store that went down", func(s adminapi.Status) bool { return s.Store == failed })
	for _, probe := range []string{"/readyz", "/healthz"} {
		if a := do(t, http.MethodGet, w.Ops+probe, nil); a.Code != http.StatusOK {
			t.Errorf("%s: %d, want 200: taking the pod away mends no database", probe, a.Code)
		}
	}
	pg.Resume(t)
	w.untilStatus(t, "an open store", func(s adminapi.Status) bool { return s.Store.State == adminapi.StoreOpen })
}

// hasKeys reports whether a server has made its keys in the database.
func hasKeys(t *testing.T, dsn string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var n int
	if err := conn.QueryRow(t.Context(), `SELECT COUNT(*) FROM server_keys`).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return fmt.Errorf("no keys")
	}
	return nil
}
