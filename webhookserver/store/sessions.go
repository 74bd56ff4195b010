package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// PutSession implements [link.SessionStore].
func (s *Store) PutSession(ctx context.Context, session link.Session) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := s.kept.admit(session.Channel, session.StartedAt, func() (int64, error) {
		return s.keptSessions(ctx, session.Channel)
	}); err != nil {
		return err
	}
	value, keyID, err := s.sealSession(session)
	if err != nil {
		return err
	}
	_, err = s.write.ExecContext(ctx, `
		INSERT INTO sessions (`+sessionColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`,
		session.Channel, session.Flow, session.Step,
		session.StateHash[:], session.CookieHash[:], session.NonceHash[:], session.FormHash[:], session.PlatformToken,
		session.UserID, session.Verified, session.Locale,
		session.Identity.Issuer, session.Identity.Subject, session.Identity.Account,
		value, keyID, micros(session.StartedAt), micros(session.ExpiresAt))
	return s.fail("put session", err)
}

// TakeCallback implements [link.SessionStore]. The update is the claim: of callers at once one finds the step Started.
func (s *Store) TakeCallback(ctx context.Context, channel link.ChannelID, state link.CodeHash, now time.Time) (link.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	session, err := s.scanSession(s.write.QueryRowContext(ctx, `
		UPDATE sessions SET step = $1
		WHERE channel = $2 AND state_hash = $3 AND step = $4 AND expires_at >= $5
		RETURNING `+sessionColumns,
		link.Exchanging, channel, state[:], link.Started, micros(now)))
	if errors.Is(err, sql.ErrNoRows) {
		return link.Session{}, s.whyNot("take callback", link.Exchanging, s.write.QueryRowContext(ctx, `
			SELECT step, expires_at FROM sessions WHERE channel = $1 AND state_hash = $2`, channel, state[:]), now)
	}
	return session, s.answer("take callback", err)
}

// Identify implements [link.SessionStore].
func (s *Store) Identify(ctx context.Context, session link.Session) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	session.Verifier = ""
	value, keyID, err := s.sealSession(session)
	if err != nil {
		return err
	}
	n, err := affected(s.write.ExecContext(ctx, `
		UPDATE sessions SET step = $1, form_hash = $2, user_id = $3, user_verified = $4,
			issuer = $5, subject = $6, account = $7, secrets = $8, sealed_with = $9
		WHERE channel = $10 AND flow = $11 AND step = $12`,
		link.Identified, session.FormHash[:], session.UserID, session.Verified,
		session.Identity.Issuer, session.Identity.Subject, session.Identity.Account, value, keyID,
		session.Channel, session.Flow, link.Exchanging))
	if err != nil {
		return s.fail("identify session", err)
	}
	if n == 0 {
		return s.whyNot("identify session", link.Identified, s.write.QueryRowContext(ctx, findSession, session.Channel, session.Flow), time.Time{})
	}
	return nil
}

// Session implements [link.SessionStore].
func (s *Store) Session(ctx context.Context, channel link.ChannelID, flow string) (link.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	session, err := s.scanSession(s.read.QueryRowContext(ctx, `
		SELECT `+sessionColumns+` FROM sessions WHERE channel = $1 AND flow = $2`, channel, flow))
	if errors.Is(err, sql.ErrNoRows) {
		return link.Session{}, link.ErrNotFound
	}
	return session, s.answer("read session", err)
}

// Refuse implements [link.SessionStore].
func (s *Store) Refuse(ctx context.Context, channel link.ChannelID, flow string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	n, err := affected(s.write.ExecContext(ctx, refuseSession, link.Done, channel, flow, link.Exchanging, link.Identified, []byte{}))
	if err != nil {
		return s.fail("refuse consent", err)
	}
	if n == 0 {
		return s.whyNot("refuse consent", link.Done, s.write.QueryRowContext(ctx, findSession, channel, flow), time.Time{})
	}
	return nil
}

// OpenSessions implements [link.SessionStore].
func (s *Store) OpenSessions(ctx context.Context, channel link.ChannelID, now time.Time) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var n int64
	err := s.read.QueryRowContext(ctx, `
		SELECT COUNT(*) FROM sessions WHERE channel = $1 AND step <> 'done' AND expires_at >= $2`,
		channel, micros(now)).Scan(&n)
	return n, s.fail("count sessions", err)
}

// keptSessions counts the channel's sessions, each of which takes room until it is swept.
func (s *Store) keptSessions(ctx context.Context, channel link.ChannelID) (n int64, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM sessions WHERE channel = $1`, channel).Scan(&n)
	return n, s.fail("count sessions", err)
}

// finishSession and refuseSession end a session; what was confidential in it goes.
const (
	finishSession = `UPDATE sessions SET step = $1, secrets = $6, sealed_with = ''
		WHERE channel = $2 AND flow = $3 AND step = $4 AND expires_at >= $5`
	refuseSession = `UPDATE sessions SET step = $1, secrets = $6, sealed_with = ''
		WHERE channel = $2 AND flow = $3 AND step IN ($4, $5)`
)

// findSession is for [Store.whyNot].
const findSession = `SELECT step, expires_at FROM sessions WHERE channel = $1 AND flow = $2`

// progress tells which of two steps comes first.
var progress = map[link.Step]int{link.Started: 0, link.Exchanging: 1, link.Identified: 2, link.Done: 3}

// whyNot says why the step called takes could not be taken, from a row of the session's step and end. A zero now asks for
// no end.
func (s *Store) whyNot(op string, takes link.Step, r scanner, now time.Time) error {
	var step link.Step
	var expires int64
	switch err := r.Scan(&step, &expires); {
	case errors.Is(err, sql.ErrNoRows):
		return link.ErrNotFound
	case err != nil:
		return s.fail(op, err)
	case progress[step] >= progress[takes]:
		return link.ErrAlreadyUsed
	case !now.IsZero() && expires < micros(now):
		return link.ErrExpired
	default:
		return link.ErrNotFound // the step before is still to come
	}
}

// answer is [Store.fail] for what may also be an answer.
func (s *Store) answer(op string, err error) error {
	if isAnswer(err) {
		return err
	}
	return s.fail(op, err)
}
