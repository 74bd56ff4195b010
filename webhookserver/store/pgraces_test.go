package store

import (
	"encoding/json"
	"errors"
	"runtime"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// C72: a chat user is revoked on one replica in the very moment in which another confirms a link that was for nobody in
// particular until then, and has already seen that nothing revokes it. Nobody stays linked.
func testRevokedWhileConfirmed(t *testing.T, server *pgtest.Server) {
	dsn := server.DSN(server.NewDatabase(t))
	one, other := openPostgres(t, dsn), openPostgres(t, dsn)
	l, userID := userLink(1), userLink(1).UserID
	l.UserID = "" // as on LINE, where only the confirming event tells whose link it is
	session := link.Session{
		Flow: l.ID, Channel: l.Channel, Step: link.Identified, StateHash: l.CodeHash, StartedAt: l.LoginAt, ExpiresAt: l.ExpiresAt,
	}
	if err := one.PutSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	if err := one.Consent(t.Context(), session.Flow, l, 1, false); err != nil { // the bound makes the confirmation take a lock that we hold
		t.Fatal(err)
	}

	person, err := json.Marshal([]any{"person", l.Channel, l.Identity.Issuer, l.Identity.Subject})
	if err != nil {
		t.Fatal(err)
	}
	held, err := other.write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.ExecContext(t.Context(), other.backend.lockName, string(person)); err != nil {
		t.Fatal(err)
	}
	confirmed, revoked := make(chan error, 1), make(chan error, 1)
	go func() { confirmed <- patiently(func() error { return confirmUser(t.Context(), one, 1) }) }()
	waiting := func() (n int) {
		if err := held.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_locks WHERE NOT granted`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for len(confirmed) == 0 && waiting() < 1 {
		runtime.Gosched()
	}
	go func() {
		r := link.Revocation{Channel: l.Channel, ID: "asked", UserID: userID, Fence: l.ConsentAt.Add(time.Minute)}
		revoked <- patiently(func() error {
			_, err := other.OpenRevocation(t.Context(), r, link.TellLinked, r.Fence)
			return err
		})
	}()
	for len(revoked) == 0 && waiting() < 2 {
		runtime.Gosched()
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-revoked; err != nil {
		t.Fatal(err)
	}
	if err := <-confirmed; err != nil {
		t.Logf("confirmation: %v", err)
	}
	if got, err := one.ActiveLink(t.Context(), l.Channel, userID, time.Time{}); !errors.Is(err, link.ErrNotFound) {
		t.Errorf("revoked, and linked by a login of before: %v, %v", got.State, err)
	}
}
