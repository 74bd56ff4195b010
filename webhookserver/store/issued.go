package store

import (
	"context"
	"database/sql"
	"errors"

	"channellink.dev/operator/webhookserver/link"
)

// PutIssued implements [link.IssuedStore].
func (s *Store) PutIssued(ctx context.Context, i link.Issued) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.write.ExecContext(ctx, `
		INSERT INTO issued_tokens (channel, token_hash, user_id, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (channel, token_hash) DO UPDATE SET user_id = excluded.user_id, expires_at = excluded.expires_at`,
		i.Channel, i.Token[:], i.UserID, micros(i.ExpiresAt))
	return s.fail("put issued token", err)
}

// IssuedToken implements [link.IssuedStore].
func (s *Store) IssuedToken(ctx context.Context, channel link.ChannelID, token link.CodeHash) (link.Issued, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	issued := link.Issued{Channel: channel, Token: token}
	var expires int64
	err := s.read.QueryRowContext(ctx, `SELECT user_id, expires_at FROM issued_tokens WHERE channel = $1 AND token_hash = $2`,
		channel, token[:]).Scan(&issued.UserID, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return link.Issued{}, link.ErrNotFound
	}
	if err != nil {
		return link.Issued{}, s.fail("read issued token", err)
	}
	issued.ExpiresAt = fromMicros(expires)
	return issued, nil
}
