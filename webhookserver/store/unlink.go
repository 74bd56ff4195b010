package store

import (
	"context"
	"database/sql"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// Unlink implements [link.LinkStore].
func (s *Store) Unlink(ctx context.Context, u link.Unlink, now time.Time) (link.Outcome, error) {
	u.At = u.At.Truncate(time.Microsecond)
	sign, err := s.signer(ctx, u.Channel, now)
	if err != nil {
		return "", err
	}
	var outcome link.Outcome
	err = s.transact(ctx, "unlink", func(ctx context.Context, tx *sql.Tx) error {
		outcome, err = unlink(ctx, tx, u, sign)
		return err
	})
	if err != nil {
		return "", err
	}
	return outcome, nil
}

func unlink(ctx context.Context, tx *sql.Tx, u link.Unlink, sign signer) (link.Outcome, error) {
	if fresh, err := useEvent(ctx, tx, u.Channel, u.Event, sign.now); err != nil {
		return "", err
	} else if !fresh {
		return link.Repeated, errNoEffect
	}
	if echo, err := sign.echo(ctx, tx, u); err != nil {
		return "", err
	} else if echo {
		return link.Echo, nil
	}
	if _, err := sign.lockUser(ctx, tx, u.Channel, u.UserID, micros(u.At)); err != nil {
		return "", err
	}
	present, err := activeLink(ctx, tx, u.Channel, u.UserID)
	switch {
	case err != nil:
		return "", err
	case present == nil:
		return link.Unknown, nil
	case present.LinkedAt.After(u.At):
		return link.Outdated, nil
	}
	if err := remove(ctx, tx, *present); err != nil {
		return "", err
	}
	return link.Removed, sign.record(ctx, tx, *present, entry{what: unlinked, by: u.By, why: u.Why, at: u.At})
}

// echo tells whether a user's unlinking is what the platform made of a call of ours. The user is locked, so that no call
// begins meanwhile.
func (g signer) echo(ctx context.Context, tx *sql.Tx, u link.Unlink) (bool, error) {
	if _, err := g.lockUser(ctx, tx, u.Channel, u.UserID, 0); err != nil {
		return false, err
	}
	var calledAt int64
	err := tx.QueryRowContext(ctx, `SELECT called_at FROM chat_users WHERE channel = $1 AND user_hash = $2`,
		u.Channel, g.userHash(u.UserID)).Scan(&calledAt)
	return calledAt > 0 && u.At.Sub(fromMicros(calledAt)).Abs() <= link.EchoTime, err
}

// useEvent records an event in the transaction that carries it out. False: it has been carried out. Something without an
// id is no event and always fresh.
func useEvent(ctx context.Context, tx *sql.Tx, channel link.ChannelID, event string, now time.Time) (fresh bool, err error) {
	if event == "" {
		return true, nil
	}
	hash := link.HashCode(event)
	n, err := affected(tx.ExecContext(ctx, `
		INSERT INTO used_events (channel, event_hash, used_at) VALUES ($1, $2, $3)
		ON CONFLICT (channel, event_hash) DO NOTHING`, channel, hash[:], micros(now)))
	return n == 1, err
}

// lockUser makes other transactions about the chat user wait for the end of this one, and returns when the user's newest
// unlinking was, the given one (0: none) included.
func (g signer) lockUser(ctx context.Context, tx *sql.Tx, channel link.ChannelID, userID string, at int64) (unlinkedAt int64, err error) {
	err = tx.QueryRowContext(ctx, `
		INSERT INTO chat_users (channel, user_hash, unlinked_at) VALUES ($1, $2, $3)
		ON CONFLICT (channel, user_hash) DO UPDATE SET unlinked_at =
			CASE WHEN excluded.unlinked_at > chat_users.unlinked_at THEN excluded.unlinked_at ELSE chat_users.unlinked_at END
		RETURNING unlinked_at`, channel, g.userHash(userID), at).Scan(&unlinkedAt)
	return unlinkedAt, err
}

// activeLink returns the chat user's active link, or nil.
func activeLink(ctx context.Context, q querier, channel link.ChannelID, userID string) (*link.Link, error) {
	found, err := selectLinks(ctx, q, `channel = $1 AND user_id = $2 AND state = 'active'`, channel, userID)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0].Link, nil
}

// remove deletes a link, if it still is in the state in which it was read.
func remove(ctx context.Context, tx *sql.Tx, l link.Link) error {
	return execOne(ctx, tx, `DELETE FROM links WHERE channel = $1 AND id = $2 AND state = $3`, l.Channel, l.ID, l.State)
}
