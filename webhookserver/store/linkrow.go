package store

import (
	"context"
	"database/sql"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// linkColumns are in the order of [scanLink] and [linkValues].
const linkColumns = `channel, id, user_id, issuer, subject, account, state, confirmed, code_hash, platform_token,
	login_at, consent_at, expires_at, linked_at, max_links, stable_code`

const insertLink = `INSERT INTO links (` + linkColumns + `, expiry_told)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, FALSE)`

// linkValues are the parameters of insertLink.
func linkValues(l link.Link, maxLinks int) []any {
	return []any{
		l.Channel, l.ID, l.UserID, l.Identity.Issuer, l.Identity.Subject, l.Identity.Account, l.State, l.Confirmed,
		l.CodeHash[:], l.PlatformToken,
		microsOrZero(l.LoginAt), microsOrZero(l.ConsentAt), microsOrZero(l.ExpiresAt), microsOrZero(l.LinkedAt), maxLinks, l.StableCode,
	}
}

// storedLink is a row of links.
type storedLink struct {
	link.Link
	maxLinks int
}

func scanLink(r scanner) (storedLink, error) {
	var l storedLink
	var code []byte
	var login, consent, expires, linked int64
	err := r.Scan(&l.Channel, &l.ID, &l.UserID, &l.Identity.Issuer, &l.Identity.Subject, &l.Identity.Account,
		&l.State, &l.Confirmed, &code, &l.PlatformToken, &login, &consent, &expires, &linked, &l.maxLinks, &l.StableCode)
	copy(l.CodeHash[:], code)
	l.LoginAt, l.ConsentAt = fromMicrosOrZero(login), fromMicrosOrZero(consent)
	l.ExpiresAt, l.LinkedAt = fromMicrosOrZero(expires), fromMicrosOrZero(linked)
	return l, err
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// selectLinks reads the links that a condition, and what may follow it, names.
func selectLinks(ctx context.Context, q querier, where string, args ...any) (links []storedLink, err error) {
	rows, err := q.QueryContext(ctx, `SELECT `+linkColumns+` FROM links WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		l, err := scanLink(rows)
		if err != nil {
			return nil, err
		}
		links = append(links, l)
	}
	return links, rows.Err()
}

// The zero time is stored as 0.
func microsOrZero(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return micros(t)
}

func fromMicrosOrZero(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return fromMicros(us)
}
