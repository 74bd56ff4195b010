package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// Refence implements [link.WaitingStore].
func (s *Store) Refence(ctx context.Context, channel link.ChannelID, w link.WaitingUser, tell link.Telling, now time.Time) (bool, error) {
	sign, err := s.signer(ctx, channel, now)
	if err != nil {
		return false, err
	}
	c := closing{sign: sign, tell: tell, channel: channel, id: w.ID, fence: now}
	var moved bool
	err = s.transact(ctx, "move fence", func(ctx context.Context, tx *sql.Tx) error {
		moved, err = c.refence(ctx, tx, w.UserID)
		if err == nil && !moved {
			return errNoEffect
		}
		return err
	})
	return moved, err
}

// refence goes in the order of closeTarget: sessions, then the user, then what is pending.
func (c closing) refence(ctx context.Context, tx *sql.Tx, userID string) (moved bool, err error) {
	err = tx.QueryRowContext(ctx, `
		UPDATE revocations SET fence = $3 WHERE channel = $1 AND id = $2 AND ended_at = 0 AND fence <= $3
		RETURNING requester, reason`, c.channel, c.id, micros(c.fence)).Scan(&c.by, &c.why)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := tx.ExecContext(ctx, `
		DELETE FROM sessions WHERE channel = $1 AND step <> 'done' AND started_at <= $2 AND user_id = $3`,
		c.channel, micros(c.fence), userID); err != nil {
		return false, err
	}
	if _, err := c.sign.lockUser(ctx, tx, c.channel, userID, 0); err != nil {
		return false, err
	}
	newer, err := selectLinks(ctx, tx, `channel = $1 AND user_id = $3 AND (state = 'active' OR state = 'pending' AND `+loggedInAt+` <= $2)`,
		c.channel, micros(c.fence), userID)
	if err != nil {
		return false, err
	}
	// A call that is under way may be too early for these.
	unknown := func(l storedLink) bool { return l.State == link.Active || c.tell == link.TellPossible }
	if slices.ContainsFunc(newer, unknown) {
		return false, nil
	}
	return true, c.closeLinks(ctx, tx, newer)
}
