package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/link/linktest"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// TestPostgres runs all that needs a server on one of them.
func TestPostgres(t *testing.T) {
	server := pgtest.Start(t)
	t.Run("Conformance", func(t *testing.T) {
		linktest.Run(t, func(t *testing.T) linktest.Open {
			dsn := server.DSN(server.NewDatabase(t))
			return func(t *testing.T, ring ...secretfile.Secret) link.Store {
				t.Helper()
				s, err := OpenPostgres(t.Context(), PostgresOptions{DSN: secretfile.NewSecret(dsn), Options: withRing(ring)})
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
		})
	})
	for name, test := range map[string]func(*testing.T, *pgtest.Server){
		"ParallelStarts":        testParallelStarts,
		"DownLevelStart":        testPostgresDownLevelStart,
		"Restart":               testRestart,
		"ReadOnly":              testReadOnly,
		"Hang":                  testHang,
		"Slow":                  testSlow,
		"Reset":                 testReset,
		"Overloaded":            testOverloaded,
		"OpenErrors":            testOpenErrors,
		"RestartLinks":          testRestartLinks,
		"Bounds":                testBounds,
		"NothingRaw":            testPostgresNothingRaw,
		"OneActiveLink":         testPostgresOneActiveLink,
		"ServerBefore":          testPostgresServerBefore,
		"Beside":                testPostgresBeside,
		"RevokedWhileConfirmed": testRevokedWhileConfirmed,
		"Faults":                testPostgresFaults,
	} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
}

func openPostgres(t *testing.T, dsn string) *Store {
	t.Helper()
	s, err := OpenPostgres(t.Context(), PostgresOptions{DSN: secretfile.NewSecret(dsn)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// C82: five replicas start at once on an empty database: all of them run, each
// migration ran once, and there is one key of each kind.
func testParallelStarts(t *testing.T, server *pgtest.Server) {
	dsn := server.DSN(server.NewDatabase(t))
	ids := make([]string, 5)
	var starts sync.WaitGroup
	for i := range ids {
		starts.Go(func() {
			s, err := OpenPostgres(t.Context(), PostgresOptions{DSN: secretfile.NewSecret(dsn)})
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = s.Close() }()
			if err := link.EnsureKeys(t.Context(), s, "LINE/1", time.Now()); err != nil {
				t.Error(err)
				return
			}
			keys, err := s.Keys(t.Context(), "LINE/1", link.AssertionKey)
			if err != nil || len(keys) != 1 {
				t.Errorf("%d keys, %v; want 1", len(keys), err)
				return
			}
			ids[i] = keys[0].ID
		})
	}
	starts.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("replicas have different keys: %q", ids)
		}
	}
	s := openPostgres(t, dsn)
	var twice int
	err := s.write.QueryRowContext(t.Context(),
		`SELECT COUNT(*) - COUNT(DISTINCT version_id) FROM schema_migrations`).Scan(&twice)
	if err != nil || twice != 0 {
		t.Errorf("%d migrations ran twice, %v", twice, err)
	}
}

func testPostgresDownLevelStart(t *testing.T, server *pgtest.Server) {
	dsn := server.DSN(server.NewDatabase(t))
	first := openPostgres(t, dsn)
	testDownLevelStart(t, first.backend, first.write, func() (*Store, error) {
		return OpenPostgres(t.Context(), PostgresOptions{DSN: secretfile.NewSecret(dsn)})
	})
}

// C80: while the database is down calls fail at once; it comes back, and the store
// with it, with everything that was acknowledged.
func testRestart(t *testing.T, server *pgtest.Server) {
	s := openPostgres(t, server.DSN(server.NewDatabase(t)))
	for i := range 20 {
		if err := s.PutIssuerDocuments(t.Context(), row(i)); err != nil {
			t.Fatal(err)
		}
	}
	server.Kill(t)
	wantUnavailable(t, s)
	server.Resume(t)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatalf("after the restart: %v", err)
	}
	for i := range 20 {
		wantRow(t, s, i)
	}
	if err := s.PutIssuerDocuments(t.Context(), row(20)); err != nil {
		t.Fatal(err)
	}
}

// C45, C80: the database is killed while replicas confirm links. Every event that was acknowledged is there afterwards,
// every other got an error that makes the platform send it again, and then has its effect once.
func testRestartLinks(t *testing.T, server *pgtest.Server) {
	const users, before = 200, 40
	dsn := server.DSN(server.NewDatabase(t))
	replicas := []*Store{openPostgres(t, dsn), openPostgres(t, dsn), openPostgres(t, dsn)}
	for i := range users {
		if err := consentUser(t.Context(), replicas[0], i); err != nil {
			t.Fatal(err)
		}
	}
	var confirmed atomic.Int64
	enough := make(chan struct{})
	acknowledged := make([]bool, users)
	queue := make(chan int, users)
	for i := range users {
		queue <- i
	}
	close(queue)
	var callers sync.WaitGroup
	for _, replica := range replicas {
		for range 2 {
			callers.Go(func() {
				for i := range queue {
					err := confirmUser(t.Context(), replica, i)
					if acknowledged[i] = err == nil; !acknowledged[i] && !errors.Is(err, link.ErrUnavailable) {
						t.Errorf("user %d: got %v, want %v", i, err, link.ErrUnavailable)
					}
					if confirmed.Add(1) == before {
						close(enough)
					}
				}
			})
		}
	}
	<-enough
	server.Kill(t)
	callers.Wait()
	server.Resume(t)

	again := 0
	for i := range users {
		if acknowledged[i] {
			wantUser(t, replicas[0], i)
			continue
		}
		again++
		for _, replica := range replicas { // to all of them: one takes it
			if err := confirmUser(t.Context(), replica, i); err != nil {
				t.Fatal(err)
			}
		}
		wantUser(t, replicas[0], i)
	}
	if again == 0 || again == users {
		t.Errorf("%d of %d were sent again: the kill came at no interesting moment", again, users)
	}
	var effects int
	err := replicas[0].write.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM audit WHERE what = 'linked'`).Scan(&effects)
	if err != nil || effects != users {
		t.Errorf("%d effects, %v; want one for each of %d users", effects, err, users)
	}
}

// slack is what a busy machine may add to the time of a call.
const slack = time.Second

// wantUnavailable fails the test unless reads, writes and pings say within the
// bound that the store is unavailable.
func wantUnavailable(t *testing.T, s *Store) {
	t.Helper()
	calls := map[string]func() error{
		"ping":  func() error { return s.Ping(t.Context()) },
		"write": func() error { return s.PutIssuerDocuments(t.Context(), row(99)) },
		"read": func() error {
			_, err := s.Keys(t.Context(), "LINE/1", link.AssertionKey)
			return err
		},
	}
	for name, call := range calls {
		start := time.Now()
		err := call()
		if !errors.Is(err, link.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", name, err, link.ErrUnavailable)
		}
		if took := time.Since(start); took > callTimeout+slack {
			t.Errorf("%s took %s, want at most %s", name, took, callTimeout)
		}
	}
}

// C80: a database that turned read-only is noticed by calls and by Ping.
func testReadOnly(t *testing.T, server *pgtest.Server) {
	database := server.NewDatabase(t)
	s := openPostgres(t, server.DSN(database))
	server.Exec(t, "postgres", "ALTER DATABASE "+database+" SET default_transaction_read_only = on",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+database+"'")
	if err := s.PutIssuerDocuments(t.Context(), row(1)); !errors.Is(err, ReadOnly) && !errors.Is(err, Unreachable) {
		t.Errorf("write: got %v, want %s", err, ReadOnly)
	}
	for _, err := range []error{s.PutIssuerDocuments(t.Context(), row(1)), s.Ping(t.Context())} {
		if !errors.Is(err, ReadOnly) || !errors.Is(err, link.ErrUnavailable) {
			t.Errorf("got %v, want %s", err, ReadOnly)
		}
	}
	server.Exec(t, "postgres", "ALTER DATABASE "+database+" RESET default_transaction_read_only")
	if err := s.PutIssuerDocuments(t.Context(), row(1)); err != nil {
		t.Errorf("writable again: %v", err) // the pool was reset: no old connection is left
	}
	for range 2 { // the first tries a write, the second does not
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("ping, writable again: %v", err)
		}
	}
}

// C80: a database that accepts and then says nothing.
func testHang(t *testing.T, server *pgtest.Server) {
	proxy := server.NewProxy(t)
	s := openPostgres(t, proxy.DSN(server.NewDatabase(t)))
	proxy.Set(pgtest.Weather{Hang: true})
	wantUnavailable(t, s)
	proxy.Set(pgtest.Weather{})
	if err := s.PutIssuerDocuments(t.Context(), row(1)); err != nil {
		t.Fatalf("after the hang: %v", err)
	}
}

// C80: a network so slow that a transaction does not end in time. It is called off as a whole, and what is tried again
// afterwards finds nothing half done.
func testSlow(t *testing.T, server *pgtest.Server) {
	proxy := server.NewProxy(t)
	s := openPostgres(t, proxy.DSN(server.NewDatabase(t)))
	if err := consentUser(t.Context(), s, 1); err != nil {
		t.Fatal(err)
	}
	proxy.Set(pgtest.Weather{Latency: callTimeout / 3}) // one statement is in time, the five of a confirmation are not
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("one statement: %v", err)
	}
	start := time.Now()
	if err := confirmUser(t.Context(), s, 1); !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("a transaction: got %v, want %v", err, link.ErrUnavailable)
	}
	if took := time.Since(start); took > callTimeout+slack {
		t.Errorf("it took %s, want at most %s", took, callTimeout)
	}
	proxy.Set(pgtest.Weather{})
	if err := patiently(func() error { return confirmUser(t.Context(), s, 1) }); err != nil {
		t.Errorf("the same event again: %v", err)
	}
	wantUser(t, s, 1)
}

// C80: connections that break off, while they are idle and while they are used.
func testReset(t *testing.T, server *pgtest.Server) {
	const users = 60
	proxy := server.NewProxy(t)
	s := openPostgres(t, proxy.DSN(server.NewDatabase(t)))
	for i := range users {
		if err := consentUser(t.Context(), s, i); err != nil {
			t.Fatal(err)
		}
	}
	var failed atomic.Int64
	var callers sync.WaitGroup
	for worker := range 3 {
		callers.Go(func() {
			for i := worker; i < users; i += 3 {
				if worker == 0 && i%4 == 0 { // breaks off what the others do
					proxy.Set(pgtest.Weather{Reset: true})
					proxy.Set(pgtest.Weather{})
				}
				err := patiently(func() error {
					err := confirmUser(t.Context(), s, i)
					if errors.Is(err, link.ErrUnavailable) {
						failed.Add(1)
					}
					return err
				})
				if err != nil {
					t.Errorf("user %d: %v", i, err)
				}
			}
		})
	}
	callers.Wait()
	if failed.Load() == 0 {
		t.Error("no call met a connection that broke off: the test tries nothing")
	}
	for i := range users {
		wantUser(t, s, i)
	}
	var effects int
	err := s.write.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM audit WHERE what = 'linked'`).Scan(&effects)
	if err != nil || effects != users {
		t.Errorf("%d effects, %v; want one for each of %d users", effects, err, users)
	}
	proxy.Set(pgtest.Weather{Reset: true})
	wantUnavailable(t, s)
}

// C80: no connection left.
func testOverloaded(t *testing.T, server *pgtest.Server) {
	database := server.NewDatabase(t)
	server.Exec(t, database, "CREATE ROLE narrow LOGIN CONNECTION LIMIT 2", "GRANT ALL ON SCHEMA public TO narrow")
	dsn := strings.Replace(server.DSN(database), "postgres@", "narrow@", 1)
	s := openPostgres(t, dsn)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 2 {
		conn, err := s.write.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	if err := s.Ping(t.Context()); !errors.Is(err, Overloaded) || !errors.Is(err, link.ErrUnavailable) {
		t.Errorf("got %v, want %s", err, Overloaded)
	}
}

// C65: what is wrong with a connection string is said without a word of it.
func testOpenErrors(t *testing.T, server *pgtest.Server) {
	const canary = "CANARY-77aa"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close() // nobody answers there now
	cases := []struct {
		reason string
		dsn    string
		want   Reason
	}{
		{"not a connection string", "postgres://" + canary + ":" + canary + "@%zz", InvalidDSN},
		{"nobody there", "postgres://u:" + canary + "@" + listener.Addr().String() + "/" + canary, Unreachable},
		{"no such role", strings.Replace(server.DSN("postgres"), "postgres@", canary+":"+canary+"@", 1), CredentialsRejected},
		{"no such database", server.DSN(canary), DatabaseMissing},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := OpenPostgres(t.Context(), PostgresOptions{DSN: secretfile.NewSecret(tc.dsn)})
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %s", err, tc.want)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, canary) {
					t.Errorf("the error quotes the connection string: %s", text)
				}
			}
		})
	}
}

// The database itself ends what takes too long, and the pool is bounded.
func testBounds(t *testing.T, server *pgtest.Server) {
	s, err := OpenPostgres(t.Context(), PostgresOptions{DSN: secretfile.NewSecret(server.DSN(server.NewDatabase(t))), MaxConns: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	_, err = s.write.ExecContext(t.Context(), "SELECT pg_sleep(10)")
	if err := s.fail("sleep", err); !errors.Is(err, TimedOut) {
		t.Errorf("a slow statement: got %v, want %s", err, TimedOut)
	}
	var calls sync.WaitGroup
	for i := range 50 {
		calls.Go(func() {
			if err := s.PutIssuerDocuments(t.Context(), row(i)); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	var open int
	err = s.write.QueryRowContext(t.Context(),
		"SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database()").Scan(&open)
	if err != nil || open > 3 {
		t.Errorf("%d connections, %v; want at most 3", open, err)
	}
}
