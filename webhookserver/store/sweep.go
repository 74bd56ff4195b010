package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// The bounds of a sweep. A bite is over in some milliseconds; what a call leaves, the next one takes.
const (
	sweepBite  = 500
	sweepBites = 40 // for each table
)

// Sweep implements [link.LinkStore].
func (s *Store) Sweep(ctx context.Context, now time.Time, auditRetention time.Duration) error {
	if err := s.makeRoom(ctx); err != nil {
		return err
	}
	bite := int64(sweepBite)
	before := func(age time.Duration) int64 { return micros(now.Add(-age)) }
	for _, old := range []struct {
		table, key, condition string
		before                int64
	}{
		{"sessions", "channel, flow", "step <> 'done' AND expires_at < $1", before(0)}, // with its secrets
		{"sessions", "channel, flow", "expires_at < $1", before(link.SessionKept)},
		{"links", "channel, id", "state = 'pending' AND NOT confirmed AND expires_at < $1", before(link.PendingKept)},
		{"links", "channel, id", "state = 'unlinking' AND closed_at < $1", before(link.UnendedKept)},
		{"used_events", "channel, event_hash", "used_at < $1", before(link.EventsKept)},
		{"chat_users", "channel, user_hash", "unlinked_at < $1 AND called_at < $1", before(link.EventsKept)},
		{"spent_tokens", "channel, token_hash", "spent_at < $1", before(link.TokensKept)},
		{"issued_tokens", "channel, token_hash", "expires_at < $1", before(link.SessionKept)},
		{"audit", "id", "at < $1", before(auditRetention)},
	} {
		// The condition is asked twice: a row that was picked may have changed since, as a link that is confirmed late.
		statement := `DELETE FROM ` + old.table + ` WHERE ` + old.condition + ` AND (` + old.key + `) IN (
			SELECT ` + old.key + ` FROM ` + old.table + ` WHERE ` + old.condition + ` LIMIT $2)`
		for range sweepBites {
			n, err := s.bite(ctx, statement, old.before, bite)
			if errors.Is(err, Full) && bite > 1 { // what deletes needs room, too
				bite = max(bite/8, 1)
				continue
			}
			if err != nil {
				return err
			}
			if n < bite {
				break
			}
		}
	}
	return s.sweepRevocations(ctx, now)
}

// sweepRevocations removes revocations that are over, each with its users first, in bites.
func (s *Store) sweepRevocations(ctx context.Context, now time.Time) error {
	for range sweepBites {
		more := false
		err := s.transact(ctx, "sweep revocations", func(ctx context.Context, tx *sql.Tx) error {
			var channel, id string
			err := tx.QueryRowContext(ctx, `
				SELECT channel, id FROM revocations WHERE worked_at < $1 AND (ended_at > 0 OR worked_at < $2)
				ORDER BY worked_at LIMIT 1`, micros(now.Add(-link.RevocationsKept)), micros(now.Add(-link.UnendedKept)),
			).Scan(&channel, &id)
			if more = err == nil; errors.Is(err, sql.ErrNoRows) {
				return errNoEffect
			} else if err != nil {
				return err
			}
			n, err := affected(tx.ExecContext(ctx, `
				DELETE FROM revoked_users WHERE channel = $1 AND id = $2 AND user_hash IN (
					SELECT user_hash FROM revoked_users WHERE channel = $1 AND id = $2 LIMIT $3)`, channel, id, sweepBite))
			if err != nil || n == sweepBite {
				return err
			}
			_, err = tx.ExecContext(ctx, `DELETE FROM revocations WHERE channel = $1 AND id = $2`, channel, id)
			return err
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (s *Store) bite(ctx context.Context, statement string, before, bite int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	n, err := affected(s.write.ExecContext(ctx, statement, before, bite))
	return n, s.fail("sweep", err)
}
