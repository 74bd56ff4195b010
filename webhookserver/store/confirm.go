package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// Confirm implements [link.LinkStore]: it reads what [link.Judge] rules on and carries out the ruling. Confirmations and
// unlinkings of one chat user wait for each other; a row that another user's confirmation took meanwhile is noticed when
// it is written to, and the ruling is made anew.
func (s *Store) Confirm(ctx context.Context, c link.Confirmation, now time.Time) (link.Outcome, error) {
	c.At = c.At.Truncate(time.Microsecond) // as it is stored, and so compared
	sign, err := s.signer(ctx, c.Channel, now)
	if err != nil {
		return "", err
	}
	var outcome link.Outcome
	tell := s.seen.due(c.Channel, now)
	err = s.transact(ctx, "confirm link", func(ctx context.Context, tx *sql.Tx) error {
		outcome, err = s.confirm(ctx, tx, c, sign)
		if err != nil || outcome != link.Activated || !tell {
			return err
		}
		return noteConfirmation(ctx, tx, c.Channel, now)
	})
	if err != nil {
		return "", err
	}
	if tell && outcome == link.Activated {
		s.seen.noted(c.Channel, now)
	}
	return outcome, nil
}

func (s *Store) confirm(ctx context.Context, tx *sql.Tx, c link.Confirmation, sign signer) (link.Outcome, error) {
	if fresh, err := useEvent(ctx, tx, c.Channel, c.Event, sign.now); err != nil {
		return "", err
	} else if !fresh {
		return link.Repeated, errNoEffect
	}
	var present *link.Link
	var unlinkedAt int64
	if c.UserID != "" {
		var err error
		if unlinkedAt, err = sign.lockUser(ctx, tx, c.Channel, c.UserID, 0); err != nil {
			return "", err
		}
		if present, err = activeLink(ctx, tx, c.Channel, c.UserID); err != nil {
			return "", err
		}
	}
	stored, err := selectLinks(ctx, tx, `channel = $1 AND code_hash = $2`, c.Channel, c.Code[:])
	if err != nil {
		return "", err
	}
	named, bounds := make([]link.Link, len(stored)), make(map[string]int, len(stored))
	for i, l := range stored {
		named[i], bounds[l.ID] = l.Link, l.maxLinks
	}
	ruling := link.Judge(c, named, present, fromMicrosOrZero(unlinkedAt))
	if l := ruling.Activate; l != nil {
		denied, err := s.mayActivate(ctx, tx, *l, bounds[l.ID], sign)
		if err != nil {
			return "", err
		}
		if denied != "" {
			ruling = ruling.Deny(denied, named)
		}
	}
	if ruling.Activate == nil && len(ruling.Remove) == 0 {
		return ruling.Outcome, errNoEffect
	}
	return ruling.Outcome, carryOut(ctx, tx, c, ruling, sign)
}

// mayActivate returns why a link may not become active, or nothing.
func (s *Store) mayActivate(ctx context.Context, tx *sql.Tx, l link.Link, maxLinks int, sign signer) (link.Outcome, error) {
	if over, err := sign.revoked(ctx, tx, l); err != nil {
		return "", err
	} else if over {
		return link.Revoked, nil
	}
	err := s.checkBound(ctx, tx, l, maxLinks)
	if errors.Is(err, link.ErrTooManyLinks) {
		return link.TooMany, nil
	}
	return "", err
}

// carryOut removes first, since a chat user has one active link at most.
func carryOut(ctx context.Context, tx *sql.Tx, c link.Confirmation, ruling link.Ruling, sign signer) error {
	for _, l := range ruling.Remove {
		if err := remove(ctx, tx, l); err != nil {
			return err
		}
		if err := sign.record(ctx, tx, l, entry{what: ended[ruling.Why], by: byPlatform, why: ruling.Why}); err != nil {
			return err
		}
	}
	l := ruling.Activate
	if l == nil {
		return nil
	}
	if err := execOne(ctx, tx, `
		UPDATE links SET state = 'active', user_id = $1, confirmed = TRUE, linked_at = $2
		WHERE channel = $3 AND id = $4 AND (state = 'pending' OR state = 'active' AND NOT confirmed)`,
		l.UserID, micros(l.LinkedAt), l.Channel, l.ID); err != nil {
		return err
	}
	return sign.record(ctx, tx, *l, entry{what: linked, by: byPlatform, why: "confirmed", at: c.At})
}

// ended is the audit trail's word for a reason.
var ended = map[string]string{
	link.WhyReplaced: replaced,
	link.WhyBurnt:    burnt,
	link.WhyOutdated: outdated,
	link.WhyTooMany:  tooMany,
	link.WhyRevoked:  dropped,
}

// confirmationExactness is how exactly the time of the newest confirmation is kept: a row that every confirmation of a
// channel writes to would make them wait for each other.
const confirmationExactness = time.Minute

// lastSeen is when this process last wrote down that a platform confirms links.
type lastSeen struct {
	mu sync.Mutex
	at map[link.ChannelID]time.Time
}

func (l *lastSeen) due(channel link.ChannelID, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.at[channel]
	return !ok || now.Sub(at).Abs() >= confirmationExactness
}

func (l *lastSeen) noted(channel link.ChannelID, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at = map[link.ChannelID]time.Time{}
	}
	l.at[channel] = now
}

func noteConfirmation(ctx context.Context, tx *sql.Tx, channel link.ChannelID, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO confirmations (channel, confirmed_at) VALUES ($1, $2)
		ON CONFLICT (channel) DO UPDATE SET confirmed_at = excluded.confirmed_at
		WHERE excluded.confirmed_at > confirmations.confirmed_at`, channel, micros(now))
	return err
}

// Confirmations implements [link.LinkStore].
func (s *Store) Confirmations(ctx context.Context, channel link.ChannelID) (last time.Time, ever bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var at int64
	err = s.read.QueryRowContext(ctx, `SELECT confirmed_at FROM confirmations WHERE channel = $1`, channel).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, false, nil
	}
	if err != nil {
		return time.Time{}, false, s.fail("read confirmations", err)
	}
	return fromMicros(at), true, nil
}
