package unlink_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// benchmarkDatabases runs a benchmark on both. The test server of PostgreSQL does not sync to the disk.
func benchmarkDatabases(b *testing.B, run func(b *testing.B, s link.Store)) {
	b.Run("SQLite", func(b *testing.B) {
		run(b, where{Path: filepath.Join(b.TempDir(), store.DatabaseFile)}.opened(b))
	})
	b.Run("Postgres", func(b *testing.B) {
		server := pgtest.Start(b)
		run(b, where{DSN: server.DSN(server.NewDatabase(b))}.opened(b))
	})
}

// BenchmarkAttempt is all that a server does for one AccountUnlink of one user, but for the call itself: it opens the ledger
// and closes the link, counts the call, writes down what came of it, gives the lease back and tells how things stand.
func BenchmarkAttempt(b *testing.B) {
	benchmarkDatabases(b, func(b *testing.B, s link.Store) {
		linkUsers(b, s, vision, b.N, -time.Minute)
		u := newUnlinker(s, vision, &platform{token: "token"}, func() time.Time { return fence })
		b.ResetTimer()
		for i := range b.N {
			got := u.Attempt(b.Context(), link.Revocation{ID: "asked-" + userN(i), UserID: userN(i), Fence: fence})
			if got.Counts[link.RevokedDone] != 1 {
				b.Fatalf("%+v", got)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "attempts/s")
	})
}

// BenchmarkCloseChannel closes the 10,000 links of a channel that goes, and reports for how long the store's other callers
// wait meanwhile, at worst.
func BenchmarkCloseChannel(b *testing.B) {
	const links = 10_000
	benchmarkDatabases(b, func(b *testing.B, s link.Store) {
		for range b.N {
			b.StopTimer()
			channel := link.ChannelID("LINE/" + b.Name() + time.Now().String())
			linkUsers(b, s, channel, links, -time.Minute)
			lease, err := s.OpenRevocation(b.Context(), link.Revocation{Channel: channel, ID: "all", All: true, Fence: fence}, link.TellPossible, fence)
			if err != nil {
				b.Fatal(err)
			}
			ended, waited := make(chan struct{}), make(chan time.Duration)
			go func() { waited <- longestWait(b, s, ended) }()
			b.StartTimer()
			done, err := s.CloseLinks(b.Context(), lease, link.TellPossible, fence)
			b.StopTimer()
			close(ended)
			b.ReportMetric(float64((<-waited).Milliseconds()), "ms-longest-wait")
			if !done || err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		b.ReportMetric(links*float64(b.N)/b.Elapsed().Seconds(), "links/s")
	})
}

// longestWait writes for somebody else until it is ended, and returns how long the slowest write took.
func longestWait(b *testing.B, s link.Store, ended <-chan struct{}) (longest time.Duration) {
	for {
		select {
		case <-ended:
			return longest
		default:
		}
		begun := time.Now()
		_, err := s.Unlink(b.Context(), link.Unlink{Channel: "LINE/other", UserID: "U1", At: fence}, fence)
		if err != nil && !errors.Is(err, link.ErrUnavailable) { // a machine with much else to do
			b.Error(err)
			return longest
		}
		longest = max(longest, time.Since(begun))
	}
}
