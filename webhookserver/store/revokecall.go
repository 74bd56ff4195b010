package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// DueUsers implements [link.Ledger].
func (s *Store) DueUsers(ctx context.Context, l link.Lease, limit int) (users []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = eachRow(ctx, s.read, func(r scanner) error {
		var userID string
		err := r.Scan(&userID)
		users = append(users, userID)
		return err
	}, `SELECT user_id FROM revoked_users WHERE channel = $1 AND id = $2 AND state = 'Waiting' AND called_run < $3
		ORDER BY called_run, user_hash LIMIT $4`, l.Channel, l.ID, l.Run, limit)
	return users, s.fail("read due users", err)
}

// BeginCall implements [link.Ledger].
func (s *Store) BeginCall(ctx context.Context, l link.Lease, userID string, now time.Time) error {
	sign, err := s.signer(ctx, l.Channel, now)
	if err != nil {
		return err
	}
	var newer bool
	err = s.transact(ctx, "begin call", func(ctx context.Context, tx *sql.Tx) error {
		newer, err = beginCall(ctx, tx, l, userID, sign)
		return err
	})
	if err == nil && newer {
		return link.ErrSuperseded
	}
	return err
}

func beginCall(ctx context.Context, tx *sql.Tx, l link.Lease, userID string, sign signer) (newer bool, err error) {
	o, err := onBehalfOf(ctx, tx, l, sign)
	if err != nil {
		return false, err
	}
	if o.run != l.Run {
		return false, link.ErrLeaseLost
	}
	if _, err := sign.lockUser(ctx, tx, l.Channel, userID, 0); err != nil {
		return false, err
	}
	present, err := activeLink(ctx, tx, l.Channel, userID)
	if err != nil {
		return false, err
	}
	if present != nil {
		if err := o.removeClosed(ctx, tx, userID, superseded); err != nil {
			return false, err
		}
		return true, o.settle(ctx, tx, userID, link.Settlement{State: link.RevokedSuperseded})
	}
	if err := execHeld(ctx, tx, `
		UPDATE revoked_users SET attempts = attempts + 1, called_run = $4
		WHERE channel = $1 AND id = $2 AND user_hash = $3 AND state = 'Waiting'`,
		l.Channel, l.ID, sign.userHash(userID), l.Run); err != nil {
		return false, err
	}
	if err := execHeld(ctx, tx, `
		UPDATE revocations SET attempts = attempts + CASE WHEN counted_run < run THEN 1 ELSE 0 END, counted_run = run
		WHERE channel = $1 AND id = $2 AND run = $3`, l.Channel, l.ID, l.Run); err != nil {
		return false, err
	}
	return false, execOne(ctx, tx, `UPDATE chat_users SET called_at = $1 WHERE channel = $2 AND user_hash = $3`,
		micros(sign.now), l.Channel, sign.userHash(userID))
}

// EndCall implements [link.Ledger].
func (s *Store) EndCall(ctx context.Context, l link.Lease, userID string, settled link.Settlement, now time.Time) error {
	sign, err := s.signer(ctx, l.Channel, now)
	if err != nil {
		return err
	}
	return s.transact(ctx, "end call", func(ctx context.Context, tx *sql.Tx) error {
		o, err := onBehalfOf(ctx, tx, l, sign)
		if err != nil {
			return err
		}
		if o.run != l.Run && settled.State != link.RevokedDone {
			return link.ErrLeaseLost
		}
		switch settled.State {
		case link.RevokedDone:
			if err := o.removeClosed(ctx, tx, userID, unlinked); err != nil {
				return err
			}
		case link.RevokedFailed:
			if err := o.recordClosed(ctx, tx, userID, failed); err != nil {
				return err
			}
		}
		return o.settle(ctx, tx, userID, settled)
	})
}

// order is a revocation while somebody works for it.
type order struct {
	lease   link.Lease
	sign    signer
	run     int64
	fence   int64
	by, why string
}

// onBehalfOf reads a revocation and makes others who work for it wait.
func onBehalfOf(ctx context.Context, tx *sql.Tx, l link.Lease, sign signer) (order, error) {
	o := order{lease: l, sign: sign}
	err := held(tx.QueryRowContext(ctx, `
		UPDATE revocations SET worked_at = $3 WHERE channel = $1 AND id = $2
		RETURNING run, fence, requester, reason`, l.Channel, l.ID, micros(sign.now)), &o.run, &o.fence, &o.by, &o.why)
	return o, err
}

// closedLinks are the user's links that this revocation, or one before it, has closed.
func (o order) closedLinks(ctx context.Context, tx *sql.Tx, userID string) ([]storedLink, error) {
	return selectLinks(ctx, tx, `channel = $1 AND user_id = $2 AND state = 'unlinking' AND `+loggedInAt+` <= $3`,
		o.lease.Channel, userID, o.fence)
}

// removeClosed ends the user's closed links. A user of whom no link was known leaves a trace too.
func (o order) removeClosed(ctx context.Context, tx *sql.Tx, userID, what string) error {
	links, err := o.closedLinks(ctx, tx, userID)
	if err != nil {
		return err
	}
	for _, l := range links {
		if err := remove(ctx, tx, l.Link); err != nil {
			return err
		}
	}
	return o.record(ctx, tx, userID, links, what)
}

func (o order) recordClosed(ctx context.Context, tx *sql.Tx, userID, what string) error {
	links, err := o.closedLinks(ctx, tx, userID)
	if err != nil {
		return err
	}
	return o.record(ctx, tx, userID, links, what)
}

func (o order) record(ctx context.Context, tx *sql.Tx, userID string, links []storedLink, what string) error {
	if len(links) == 0 {
		links = []storedLink{{Link: link.Link{Channel: o.lease.Channel, UserID: userID}}}
	}
	for _, l := range links {
		if err := o.sign.record(ctx, tx, l.Link, entry{what: what, by: o.by, why: o.why}); err != nil {
			return err
		}
	}
	return nil
}

// settle writes down where the revocation stands for the user. Who has come to his end stays there; the id goes, unless the
// user can be armed once more.
func (o order) settle(ctx context.Context, tx *sql.Tx, userID string, s link.Settlement) error {
	kept := ""
	if s.State == link.RevokedWaiting || s.State == link.RevokedFailed {
		kept = userID
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE revoked_users SET state = $4, cause = $5, http_status = $6, user_id = $7
		WHERE channel = $1 AND id = $2 AND user_hash = $3 AND state IN ('Waiting', 'Failed')`,
		o.lease.Channel, o.lease.ID, o.sign.userHash(userID), s.State, s.Cause, s.HTTPStatus, kept)
	return err
}

// held scans the row that a lease is about.
func held(r scanner, values ...any) error {
	err := r.Scan(values...)
	if errors.Is(err, sql.ErrNoRows) {
		return link.ErrLeaseLost
	}
	return err
}

// execHeld runs a statement that touches one row as long as the lease is held.
func execHeld(ctx context.Context, tx *sql.Tx, statement string, args ...any) error {
	n, err := affected(tx.ExecContext(ctx, statement, args...))
	if err == nil && n != 1 {
		return link.ErrLeaseLost
	}
	return err
}
