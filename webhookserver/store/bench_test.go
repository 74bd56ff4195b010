package store

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// typicalSession is as large as those that platforms cause: Messenger's token has some 110 characters and comes twice.
func typicalSession(i int) link.Session {
	name := fmt.Sprintf("%032d", i)
	token := strings.Repeat("A", 110)
	now := time.Unix(1_700_000_000, 0)
	return link.Session{
		Flow: name, Channel: "Facebook/123456789012345", Step: link.Started,
		StateHash: link.HashCode("state " + name), CookieHash: link.HashCode("cookie " + name), NonceHash: link.HashCode("nonce " + name),
		Verifier: strings.Repeat("v", 43), PlatformToken: strings.Repeat("f", 64), Locale: "zh-TW",
		Params: map[string]string{
			"account_linking_token": token,
			"redirect_uri":          "https://www.facebook.com/messenger_platform/account_linking/?account_linking_token=" + token,
		},
		StartedAt: now, ExpiresAt: now.Add(10 * time.Minute),
	}
}

// sizes are queries for the bytes that a database takes up.
var sizes = map[string]string{
	"SQLite":   `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`,
	"Postgres": `SELECT pg_total_relation_size('sessions')`,
}

// A session as platforms cause it takes at most 2 KiB, indexes and sealing included.
func TestSQLiteBytesPerSession(t *testing.T) {
	const sessions, gate = 2000, 2 << 10
	s, err := OpenSQLite(t.Context(), SQLiteOptions{Path: databasePath(t), Options: withRing(encryptionKey)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	before := size(t, s, "SQLite")
	for i := range sessions {
		if err := s.PutSession(t.Context(), typicalSession(i)); err != nil {
			t.Fatal(err)
		}
	}
	each := (size(t, s, "SQLite") - before) / sessions
	t.Logf("%d bytes for each open session", each)
	if each > gate {
		t.Errorf("%d bytes for each open session, want at most %d", each, gate)
	}
}

func size(tb testing.TB, s *Store, database string) int64 {
	tb.Helper()
	var n int64
	if err := s.write.QueryRowContext(tb.Context(), sizes[database]).Scan(&n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// benchmarkStores runs a benchmark on both databases. The test server of PostgreSQL does not sync to the disk: its numbers are
// those of the statements, SQLite's those of the disk.
func benchmarkStores(b *testing.B, run func(b *testing.B, s *Store, database string)) {
	b.Run("SQLite", func(b *testing.B) {
		s, err := OpenSQLite(b.Context(), SQLiteOptions{Path: filepath.Join(b.TempDir(), "links.db"), Options: Options{MaxSessions: 1 << 40}})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		run(b, s, "SQLite")
	})
	b.Run("Postgres", func(b *testing.B) {
		server := pgtest.Start(b)
		s, err := OpenPostgres(b.Context(), PostgresOptions{
			DSN: secretfile.NewSecret(server.DSN(server.NewDatabase(b))), Options: Options{MaxSessions: 1 << 40},
		})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = s.Close() }()
		run(b, s, "Postgres")
	})
}

// perSecond runs fn in parallel, as replicas and platforms do, and reports the rate.
func perSecond(b *testing.B, fn func(ctx context.Context, i int) error) {
	var next atomic.Int64
	ctx := b.Context()
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := fn(ctx, int(next.Add(1))); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkPutSession is what GET /authorize asks of the store.
func BenchmarkPutSession(b *testing.B) {
	benchmarkStores(b, func(b *testing.B, s *Store, database string) {
		before := size(b, s, database)
		perSecond(b, func(ctx context.Context, i int) error { return s.PutSession(ctx, typicalSession(i)) })
		b.ReportMetric(float64(size(b, s, database)-before)/float64(b.N), "B/session")
	})
}

// BenchmarkBareInsert is the least that a store of sessions can do: one row with one index, of a session's size, in a
// transaction of its own. [BenchmarkPutSession] is measured against it.
func BenchmarkBareInsert(b *testing.B) {
	benchmarkStores(b, func(b *testing.B, s *Store, database string) {
		blob := map[string]string{"SQLite": "BLOB", "Postgres": "BYTEA"}[database]
		if _, err := s.write.ExecContext(b.Context(), `CREATE TABLE bare (id TEXT PRIMARY KEY, value `+blob+` NOT NULL)`); err != nil {
			b.Fatal(err)
		}
		value := make([]byte, 900)
		perSecond(b, func(ctx context.Context, i int) error {
			_, err := s.write.ExecContext(ctx, `INSERT INTO bare (id, value) VALUES ($1, $2)`, fmt.Sprintf("%032d", i), value)
			return err
		})
	})
}

// BenchmarkConfirm is what a webhook with a linking event asks of the store.
func BenchmarkConfirm(b *testing.B) {
	benchmarkStores(b, func(b *testing.B, s *Store, _ string) {
		for i := range b.N {
			if err := consentUser(b.Context(), s, i+1); err != nil {
				b.Fatal(err)
			}
		}
		perSecond(b, func(ctx context.Context, i int) error { return confirmUser(ctx, s, i) })
	})
}

// BenchmarkActiveLink is what each call of a service asks of the store, among 10,000 links.
func BenchmarkActiveLink(b *testing.B) {
	const links = 10_000
	benchmarkStores(b, func(b *testing.B, s *Store, _ string) {
		all := make([]link.Link, links)
		for i := range all {
			all[i] = userLink(i)
			all[i].State, all[i].LinkedAt = link.Active, all[i].ConsentAt
		}
		if _, err := s.Import(b.Context(), all, all[0].ConsentAt); err != nil {
			b.Fatal(err)
		}
		perSecond(b, func(ctx context.Context, i int) error {
			_, err := s.ActiveLink(ctx, "LINE/1", userLink(i%links).UserID, time.Time{})
			return err
		})
	})
}
