package store

import (
	"context"
	"crypto/rand"
	"database/sql"
)

// probeSize is what a trial write takes, in bytes: a disk may be full for a webhook and have room for a byte more.
const probeSize = 32 << 10

// unseen tells whether a database that refuses writes for the reason still answers reads as if nothing were wrong.
func unseen(reason Reason) bool {
	return reason == Full || reason == ReadOnly || reason == IOFailed
}

// refusing tells whether a write was refused since a trial was taken.
func (s *Store) refusing() bool { return s.refused.Load() != s.mended.Load() }

// tryWrite writes something and takes it away, which nobody sees, if a write was refused since a trial was taken. So a store at
// rest is not written to.
func (s *Store) tryWrite(ctx context.Context) error {
	refused := s.refused.Load()
	if refused == s.mended.Load() {
		return nil
	}
	if err := s.keepRoom(ctx); err != nil { // the volume may have grown
		return err
	}
	probe := make([]byte, probeSize)
	_, _ = rand.Read(probe) // never fails; PostgreSQL would compress zeros
	err := s.transact(ctx, "ping", func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO issuer_documents (channel, issuer, discovery, jwks, fetched_at) VALUES ('', '', $1, $2, 0)
			ON CONFLICT (channel, issuer) DO NOTHING`, probe, []byte{}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM issuer_documents WHERE channel = '' AND issuer = ''`)
		return err
	})
	if err == nil {
		s.mended.Store(refused)
	}
	return err
}
