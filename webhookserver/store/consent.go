package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"

	"channellink.dev/operator/webhookserver/link"
)

// Consent implements [link.SessionStore]. First the session is finished, so that of callers at once one goes on; if a later
// step says no, all of it is rolled back and the session waits as before.
func (s *Store) Consent(ctx context.Context, flow string, l link.Link, maxLinks int, active bool) error {
	if l.ID == "" {
		l.ID = rand.Text()
	}
	sign, err := s.signer(ctx, l.Channel, l.ConsentAt)
	if err != nil {
		return err
	}
	return s.transact(ctx, "give consent", func(ctx context.Context, tx *sql.Tx) error {
		if err := s.finish(ctx, tx, flow, l); err != nil {
			return err
		}
		if err := spendToken(ctx, tx, l); err != nil {
			return err
		}
		if over, err := sign.revoked(ctx, tx, l); err != nil {
			return err
		} else if over {
			return link.ErrExpired
		}
		l.State, l.Confirmed = link.Pending, false
		if active && l.UserID != "" {
			return s.activateByLogin(ctx, tx, l, maxLinks, sign)
		}
		return s.addLink(ctx, tx, l, maxLinks)
	})
}

func (s *Store) finish(ctx context.Context, tx *sql.Tx, flow string, l link.Link) error {
	n, err := affected(tx.ExecContext(ctx, finishSession,
		link.Done, l.Channel, flow, link.Identified, micros(l.ConsentAt), []byte{}))
	if err == nil && n == 0 {
		return s.whyNot("give consent", link.Done, tx.QueryRowContext(ctx, findSession, l.Channel, flow), l.ConsentAt)
	}
	return err
}

func spendToken(ctx context.Context, tx *sql.Tx, l link.Link) error {
	if l.PlatformToken == "" {
		return nil
	}
	n, err := affected(tx.ExecContext(ctx, `
		INSERT INTO spent_tokens (channel, token_hash, spent_at) VALUES ($1, $2, $3)
		ON CONFLICT (channel, token_hash) DO NOTHING`, l.Channel, l.PlatformToken, micros(l.ConsentAt)))
	if err == nil && n == 0 {
		return link.ErrTokenSpent
	}
	return err
}

// checkBound returns [link.ErrTooManyLinks] when the link's person has maxLinks active links with other chat users of the
// channel. Transactions that count for the same person wait for each other.
func (s *Store) checkBound(ctx context.Context, tx *sql.Tx, l link.Link, maxLinks int) error {
	if maxLinks == 0 {
		return nil
	}
	if s.backend.lockName != "" {
		name, err := json.Marshal([]any{"person", l.Channel, l.Identity.Issuer, l.Identity.Subject})
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, s.backend.lockName, string(name)); err != nil {
			return err
		}
	}
	var n int
	err := tx.QueryRowContext(ctx, `
		SELECT COUNT(*) FROM links
		WHERE channel = $1 AND issuer = $2 AND subject = $3 AND state = 'active' AND user_id <> $4`,
		l.Channel, l.Identity.Issuer, l.Identity.Subject, l.UserID).Scan(&n)
	if err == nil && n >= maxLinks {
		return link.ErrTooManyLinks
	}
	return err
}

// activateByLogin stores a link that nobody but the browser has vouched for: it takes nobody's place.
func (s *Store) activateByLogin(ctx context.Context, tx *sql.Tx, l link.Link, maxLinks int, sign signer) error {
	unlinkedAt, err := sign.lockUser(ctx, tx, l.Channel, l.UserID, 0)
	if err != nil {
		return err
	}
	present, err := activeLink(ctx, tx, l.Channel, l.UserID)
	if err != nil {
		return err
	}
	taken := present != nil && !present.Identity.Same(l.Identity)
	if taken || unlinkedAt >= micros(l.ConsentAt) {
		return s.addLink(ctx, tx, l, maxLinks)
	}
	if present != nil {
		if err := remove(ctx, tx, *present); err != nil {
			return err
		}
		if err := sign.record(ctx, tx, *present, entry{what: replaced, by: byUser, why: link.WhyReplaced}); err != nil {
			return err
		}
	}
	l.State, l.LinkedAt = link.Active, l.ConsentAt
	if err := s.addLink(ctx, tx, l, maxLinks); err != nil {
		return err
	}
	return sign.record(ctx, tx, l, entry{what: linked, by: byUser, why: "the login alone (linking.confirmation: AfterRedirect)"})
}

func (s *Store) addLink(ctx context.Context, tx *sql.Tx, l link.Link, maxLinks int) error {
	if err := s.checkBound(ctx, tx, l, maxLinks); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, insertLink, linkValues(l, maxLinks)...)
	return err
}
