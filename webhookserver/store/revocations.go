package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// OpenRevocation implements [link.Ledger]. Whoever inserts the row closes the links too; of callers at once the others find
// it leased.
func (s *Store) OpenRevocation(ctx context.Context, r link.Revocation, tell link.Telling, now time.Time) (link.Lease, error) {
	if r.Fence.IsZero() || r.Fence.After(now) {
		r.Fence = now
	}
	sign, err := s.signer(ctx, r.Channel, now)
	if err != nil {
		return link.Lease{}, err
	}
	sealed, keyID, err := s.sealActions(r)
	if err != nil {
		return link.Lease{}, err
	}
	var lease link.Lease
	arm := false
	err = s.transact(ctx, "open revocation", func(ctx context.Context, tx *sql.Tx) error {
		t := sign.target(r)
		n, err := affected(tx.ExecContext(ctx, `
			INSERT INTO revocations (channel, id, target, target_hash, fence, actions, sealed_with, requester, reason, epoch,
				closed, closed_up_to, run, leased_until, attempts, counted_run, started_at, worked_at, ended_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', 1, $12, 0, 0, $13, $13, 0)
			ON CONFLICT (channel, id) DO NOTHING`,
			r.Channel, r.ID, t.kind, t.hash, micros(r.Fence), sealed, keyID, r.Requester, r.Reason, r.Epoch,
			!r.All, micros(now.Add(link.LeaseTime)), micros(now)))
		if err != nil {
			return err
		}
		if n == 0 {
			lease, arm, err = s.takeLease(ctx, tx, r, now)
			return err
		}
		lease, arm = link.Lease{Channel: r.Channel, ID: r.ID, Run: 1, Actions: r.Actions, Closed: !r.All}, false
		c := closing{sign: sign, tell: tell, channel: r.Channel, id: r.ID, fence: r.Fence, by: r.Requester, why: r.Reason}
		switch t.kind {
		case all:
			return nil
		case user:
			return c.closeTarget(ctx, tx, t, r)
		}
		lease.Closed, err = c.closeFirst(ctx, tx, t)
		return err
	})
	if !lease.Closed {
		lease.Asked = r
	}
	if err == nil && arm {
		err = s.arm(ctx, lease, r.Epoch)
	}
	return lease, err
}

// takeLease takes the lease of a revocation that is known, and tells whether its epoch is a new one. A lease that reaches
// further than a lease can, with clocks that differ and an asker who had to wait, is of a clock that was wrong.
func (s *Store) takeLease(ctx context.Context, tx *sql.Tx, r link.Revocation, now time.Time) (link.Lease, bool, error) {
	l := link.Lease{Channel: r.Channel, ID: r.ID}
	var sealed []byte
	var keyID, epoch string
	err := tx.QueryRowContext(ctx, `
		UPDATE revocations SET run = run + 1, leased_until = $3, worked_at = $4
		WHERE channel = $1 AND id = $2 AND (leased_until <= $4 OR leased_until > $5)
		RETURNING run, closed AND NOT closing, actions, sealed_with, epoch`,
		r.Channel, r.ID, micros(now.Add(link.LeaseTime)), micros(now), micros(now.Add(2*link.LeaseTime))).Scan(&l.Run, &l.Closed, &sealed, &keyID, &epoch)
	if errors.Is(err, sql.ErrNoRows) {
		return link.Lease{}, false, link.ErrLeased
	}
	if err != nil {
		return link.Lease{}, false, err
	}
	l.Actions, err = s.openActions(l, sealed, keyID)
	return l, r.Epoch != "" && r.Epoch != epoch, err
}

// arm lets users who failed wait once more, in bites. The epoch is written last, so that who dies before begins anew.
func (s *Store) arm(ctx context.Context, l link.Lease, epoch string) error {
	for {
		n, err := s.write1(ctx, "arm revocation", `
			UPDATE revoked_users SET state = 'Waiting', cause = '', http_status = 0
			WHERE channel = $1 AND id = $2 AND state = 'Failed' AND user_hash IN (
				SELECT user_hash FROM revoked_users WHERE channel = $1 AND id = $2 AND state = 'Failed' LIMIT $3)`,
			l.Channel, l.ID, sweepBite)
		if err != nil {
			return err
		}
		if n < sweepBite {
			break
		}
	}
	n, err := s.write1(ctx, "arm revocation", `
		UPDATE revocations SET epoch = $1, ended_at = 0 WHERE channel = $2 AND id = $3 AND run = $4`, epoch, l.Channel, l.ID, l.Run)
	if err == nil && n == 0 {
		return link.ErrLeaseLost
	}
	return err
}

// Release implements [link.Ledger].
func (s *Store) Release(ctx context.Context, l link.Lease, now time.Time) error {
	return s.transact(ctx, "release revocation", func(ctx context.Context, tx *sql.Tx) error {
		n, err := affected(tx.ExecContext(ctx, `
			UPDATE revocations SET leased_until = 0, worked_at = $4 WHERE channel = $1 AND id = $2 AND run = $3`,
			l.Channel, l.ID, l.Run, micros(now)))
		if err == nil && n == 0 {
			return link.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		// An attempt that ends a revocation and called nobody needed to call nobody: it counts too.
		if _, err := tx.ExecContext(ctx, `
			UPDATE revocations SET ended_at = $4, attempts = attempts + CASE WHEN counted_run < run THEN 1 ELSE 0 END, counted_run = run
			WHERE channel = $1 AND id = $2 AND run = $3 AND closed AND NOT closing AND ended_at = 0 AND NOT EXISTS (
				SELECT 1 FROM revoked_users WHERE channel = $1 AND id = $2 AND state = 'Waiting')`,
			l.Channel, l.ID, l.Run, micros(now)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE revocations SET actions = $4, sealed_with = ''
			WHERE channel = $1 AND id = $2 AND run = $3 AND ended_at > 0 AND NOT EXISTS (
				SELECT 1 FROM revoked_users WHERE channel = $1 AND id = $2 AND state = 'Failed')`,
			l.Channel, l.ID, l.Run, []byte{})
		return err
	})
}

// Standing implements [link.Ledger].
func (s *Store) Standing(ctx context.Context, channel link.ChannelID, id string, limit int) (link.Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	standing := link.Standing{Counts: map[link.RevokedState]int{}}
	var started int64
	err := s.read.QueryRowContext(ctx, `
		SELECT started_at, epoch, attempts, closed AND NOT closing FROM revocations WHERE channel = $1 AND id = $2`, channel, id,
	).Scan(&started, &standing.Epoch, &standing.Attempts, &standing.Closed)
	if errors.Is(err, sql.ErrNoRows) {
		return link.Standing{}, link.ErrNotFound
	}
	if err != nil {
		return link.Standing{}, s.fail("read revocation", err)
	}
	standing.StartedAt = fromMicros(started)
	err = eachRow(ctx, s.read, func(r scanner) error {
		var state link.RevokedState
		var n int
		err := r.Scan(&state, &n)
		standing.Counts[state] = n
		return err
	}, `SELECT state, COUNT(*) FROM revoked_users WHERE channel = $1 AND id = $2 GROUP BY state`, channel, id)
	if err != nil {
		return link.Standing{}, s.fail("count revoked users", err)
	}
	err = eachRow(ctx, s.read, func(r scanner) error {
		var u link.RevokedUser
		err := r.Scan(&u.Masked, &u.State, &u.Cause, &u.HTTPStatus, &u.Attempts)
		standing.Users = append(standing.Users, u)
		return err
	}, `SELECT masked, state, cause, http_status, attempts FROM revoked_users WHERE channel = $1 AND id = $2
		ORDER BY CASE state WHEN 'Failed' THEN 0 WHEN 'Waiting' THEN 1 ELSE 2 END, user_hash LIMIT $3`, channel, id, limit)
	if err != nil {
		return link.Standing{}, s.fail("read revoked users", err)
	}
	return standing, nil
}

func (s *Store) sealActions(r link.Revocation) (value []byte, keyID string, err error) {
	if len(r.Actions) == 0 {
		return []byte{}, "", nil
	}
	plain, err := json.Marshal(r.Actions)
	if err != nil {
		return nil, "", fmt.Errorf("store: encode actions: %w", err)
	}
	value, keyID, err = s.sealer.seal(plain, actionsContext(r.Channel, r.ID))
	if err != nil {
		return nil, "", fmt.Errorf("store: seal actions: %w", err)
	}
	return value, keyID, nil
}

func (s *Store) openActions(l link.Lease, value []byte, keyID string) (actions []link.RevocationAction, err error) {
	if len(value) == 0 {
		return nil, nil
	}
	plain, _, err := s.sealer.open(value, keyID, actionsContext(l.Channel, l.ID))
	if err != nil {
		return nil, fmt.Errorf("store: read actions: %w", err)
	}
	if err := json.Unmarshal(plain, &actions); err != nil {
		return nil, &Error{Op: "decode actions", Reason: Corrupt}
	}
	return actions, nil
}

// actionsContext is what sealed actions are bound to.
func actionsContext(channel link.ChannelID, id string) []byte {
	context, _ := json.Marshal([]any{"revocations", channel, id}) // strings: cannot fail
	return context
}

// write1 runs one statement that writes and returns how many rows it touched.
func (s *Store) write1(ctx context.Context, op, statement string, args ...any) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	n, err := affected(s.write.ExecContext(ctx, statement, args...))
	return n, s.fail(op, err)
}

// eachRow calls fn with each row of a query.
func eachRow(ctx context.Context, q querier, fn func(scanner) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
