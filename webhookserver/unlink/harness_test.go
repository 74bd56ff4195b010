package unlink_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/store/pgtest"
	"channellink.dev/operator/webhookserver/unlink"
)

const (
	vision = link.ChannelID("LINE/507oftxz")
	issuer = "https://sso.vision.example"
)

// fence is the moment that the revocations here are of.
var fence = time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)

// eachDatabase runs a test on both databases; fresh makes empty ones.
func eachDatabase(t *testing.T, test func(t *testing.T, fresh func(*testing.T) where)) {
	t.Run("SQLite", func(t *testing.T) {
		test(t, func(t *testing.T) where { return where{Path: filepath.Join(t.TempDir(), store.DatabaseFile)} })
	})
	t.Run("Postgres", func(t *testing.T) {
		server := pgtest.Start(t)
		test(t, func(t *testing.T) where { return where{DSN: server.DSN(server.NewDatabase(t))} })
	})
}

// where a database is: one of the two.
type where struct {
	Path string `json:"path,omitempty"`
	DSN  string `json:"dsn,omitempty"`
}

func (w where) open(ctx context.Context) (link.Store, error) {
	if w.DSN != "" {
		return store.OpenPostgres(ctx, store.PostgresOptions{DSN: secretfile.NewSecret(w.DSN), MaxConns: 4})
	}
	return store.OpenSQLite(ctx, store.SQLiteOptions{Path: w.Path})
}

// beside opens the store of a server that lives elsewhere.
func (w where) beside(tb testing.TB) link.Store {
	tb.Helper()
	if w.DSN != "" {
		return w.opened(tb)
	}
	s, err := store.OpenSQLite(tb.Context(), store.SQLiteOptions{Path: w.Path, Options: store.Options{Beside: true}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// opened is the store until the test ends.
func (w where) opened(tb testing.TB) link.Store {
	tb.Helper()
	s, err := w.open(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	return s
}

// inMemory is for tests that are not about the database.
func inMemory(tb testing.TB) link.Store {
	tb.Helper()
	return where{Path: filepath.Join(tb.TempDir(), store.DatabaseFile)}.opened(tb)
}

// linkUsers has U0 to U(n-1) of the channel linked to one person, by logins of so long after the fence.
func linkUsers(tb testing.TB, s link.Store, channel link.ChannelID, n int, after time.Duration) {
	tb.Helper()
	var links []link.Link
	for i := range n {
		links = append(links, link.Link{
			Channel: channel, UserID: userN(i), Confirmed: true, Identity: link.Identity{Issuer: issuer, Subject: "00u1"},
			LoginAt: fence.Add(after), LinkedAt: fence.Add(after),
		})
	}
	if stored, err := s.Import(tb.Context(), links, fence.Add(time.Hour)); err != nil || stored != n {
		tb.Fatalf("%d links stored, %v", stored, err)
	}
}

func userN(i int) string { return fmt.Sprintf("U%05d", i) }

// linked are the channel's chat users who are.
func linked(tb testing.TB, s link.Store, channel link.ChannelID) (users []string) {
	tb.Helper()
	err := s.Links(tb.Context(), channel, "", func(l link.Link) error {
		users = append(users, l.UserID)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return users
}

// platform notes whom it was told of, and fails as it is told to.
type platform struct {
	token string

	mu     sync.Mutex
	told   []string
	answer func(userID string) error // nil: success
}

// Credential implements unlink.Platform.
func (p *platform) Credential() (secretfile.Secret, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return secretfile.NewSecret(p.token), p.token != ""
}

// Unlink implements unlink.Platform.
func (p *platform) Unlink(_ context.Context, userID string, _ []link.RevocationAction, leave func() error) error {
	if err := leave(); err != nil {
		return err
	}
	p.mu.Lock()
	p.told = append(p.told, userID)
	answer := p.answer
	p.mu.Unlock()
	if answer == nil {
		return nil
	}
	return answer(userID)
}

func (p *platform) answers(answer func(userID string) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// fails answers each call with a cause and a status.
func fails(cause unlink.Cause, status int) func(string) error {
	return func(string) error { return &unlink.CallError{Cause: cause, Status: status} }
}

// take returns and forgets whom the platform was told of.
func (p *platform) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	told := p.told
	p.told = nil
	slices.Sort(told)
	return told
}

// clock is the time that a test sets.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// newUnlinker is one process of the channel's server.
func newUnlinker(ledger link.Ledger, channel link.ChannelID, p unlink.Platform, now func() time.Time) *unlink.Unlinker {
	return unlink.New(unlink.Config{
		Channel: channel, Issuer: issuer, Tell: link.TellPossible, Platform: p, Actions: true,
		Ledger: func() (link.Ledger, error) { return ledger, nil }, Now: now, Log: slog.New(slog.DiscardHandler),
	})
}

// ofPerson is a revocation of the person to whom everybody here is linked.
func ofPerson(id string) link.Revocation {
	return link.Revocation{
		ID: id, Subject: "00u1", Requester: "AccountUnlink hr/" + id, Reason: "HR-1234", Fence: fence,
		Actions: []link.RevocationAction{{Type: "notifyAgent", Message: "用戶已解除綁定"}},
	}
}
