package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// ActiveLink implements [link.LinkStore].
func (s *Store) ActiveLink(ctx context.Context, channel link.ChannelID, userID string, notBefore time.Time) (link.Link, error) {
	return s.oneLink(ctx, "read link", `channel = $1 AND user_id = $2 AND state = 'active' AND linked_at >= $3`,
		channel, userID, microsOrZero(notBefore))
}

// LinkByCode implements [link.LinkStore].
func (s *Store) LinkByCode(ctx context.Context, channel link.ChannelID, code link.CodeHash) (link.Link, error) {
	return s.oneLink(ctx, "read link by code", `channel = $1 AND code_hash = $2
		ORDER BY CASE state WHEN 'active' THEN 0 ELSE 1 END, consent_at DESC, id LIMIT 1`, channel, code[:])
}

func (s *Store) oneLink(ctx context.Context, op, where string, args ...any) (link.Link, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	l, err := scanLink(s.read.QueryRowContext(ctx, `SELECT `+linkColumns+` FROM links WHERE `+where, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return link.Link{}, link.ErrNotFound
	}
	if err != nil {
		return link.Link{}, s.fail(op, err)
	}
	return l.Link, nil
}

// UnconfirmedLinks implements [link.LinkStore]. To look at each person's links takes several times as long: that is left to
// the day on which somebody would be left out.
func (s *Store) UnconfirmedLinks(
	ctx context.Context, channel link.ChannelID, userID string, now time.Time, limit int,
) ([]link.Link, error) {
	const (
		op          = "read unconfirmed links"
		unconfirmed = `channel = $1 AND state IN ('pending', 'active') AND NOT confirmed AND expires_at >= $2 AND (user_id = $3 OR $3 = '')`
	)
	since := micros(now.Add(-link.EventSkew))
	links, err := s.manyLinks(ctx, op, unconfirmed+` ORDER BY consent_at, id LIMIT $4`, channel, since, userID, limit)
	if err != nil || len(links) < limit {
		return links, err
	}
	return s.manyLinks(ctx, op, `channel = $1 AND id IN (
			SELECT id FROM (
				SELECT id, ROW_NUMBER() OVER (PARTITION BY issuer, subject ORDER BY consent_at DESC, id DESC) AS place
				FROM links WHERE `+unconfirmed+`
			) AS placed WHERE place <= $5)
		ORDER BY consent_at, id LIMIT $4`, channel, since, userID, limit, link.UnconfirmedShare)
}

// Lapsed implements [link.LinkStore].
func (s *Store) Lapsed(ctx context.Context, channel link.ChannelID, since, now time.Time) (is bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (
		SELECT 1 FROM links WHERE channel = $1 AND state = 'pending' AND NOT confirmed AND expires_at > $2 AND expires_at < $3)`,
		channel, micros(since), micros(now.Add(-link.EventSkew))).Scan(&is)
	return is, s.fail("read lapsed links", err)
}

func (s *Store) manyLinks(ctx context.Context, op, where string, args ...any) ([]link.Link, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := selectLinks(ctx, s.read, where, args...)
	if err != nil {
		return nil, s.fail(op, err)
	}
	links := make([]link.Link, len(found))
	for i, l := range found {
		links[i] = l.Link
	}
	return links, nil
}

// CountLinks implements [link.LinkStore]. There is an index for each state.
func (s *Store) CountLinks(ctx context.Context, channel link.ChannelID) (map[link.State]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var pending, active, unlinking int64
	err := s.read.QueryRowContext(ctx, `SELECT
		(SELECT COUNT(*) FROM links WHERE channel = $1 AND state = 'pending' AND NOT confirmed),
		(SELECT COUNT(*) FROM links WHERE channel = $1 AND state = 'active'),
		(SELECT COUNT(*) FROM links WHERE channel = $1 AND state = 'unlinking')`, channel,
	).Scan(&pending, &active, &unlinking)
	if err != nil {
		return nil, s.fail("count links", err)
	}
	return map[link.State]int64{link.Pending: pending, link.Active: active, link.Unlinking: unlinking}, nil
}

// linksPage is how many links are read at once.
const linksPage = 500

// Links implements [link.LinkStore]. It reads page by page, so that a slow reader holds nothing open.
func (s *Store) Links(ctx context.Context, channel link.ChannelID, after string, fn func(link.Link) error) error {
	for {
		page, err := s.manyLinks(ctx, "read links", `channel = $1 AND state = 'active' AND user_id > $2
			ORDER BY user_id LIMIT $3`, channel, after, linksPage)
		if err != nil {
			return err
		}
		for _, l := range page {
			if err := fn(l); err != nil {
				return err
			}
			after = l.UserID
		}
		if len(page) < linksPage {
			return nil
		}
	}
}
