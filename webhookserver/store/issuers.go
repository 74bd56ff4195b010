package store

import (
	"context"
	"database/sql"
	"errors"

	"channellink.dev/operator/webhookserver/link"
)

// PutIssuerDocuments implements [link.IssuerStore].
func (s *Store) PutIssuerDocuments(ctx context.Context, d link.IssuerDocuments) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.write.ExecContext(ctx, `
		INSERT INTO issuer_documents (channel, issuer, discovery, jwks, fetched_at)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (channel, issuer) DO UPDATE
		SET discovery = excluded.discovery, jwks = excluded.jwks, fetched_at = excluded.fetched_at
		WHERE excluded.fetched_at >= issuer_documents.fetched_at`,
		d.Channel, d.Issuer, d.Discovery, d.JWKS, micros(d.FetchedAt))
	return s.fail("put issuer documents", err)
}

// IssuerDocuments implements [link.IssuerStore].
func (s *Store) IssuerDocuments(ctx context.Context, channel link.ChannelID, issuer string) (link.IssuerDocuments, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	d := link.IssuerDocuments{Channel: channel, Issuer: issuer}
	var fetched int64
	err := s.read.QueryRowContext(ctx, `
		SELECT discovery, jwks, fetched_at FROM issuer_documents
		WHERE channel = $1 AND issuer = $2`, channel, issuer,
	).Scan(&d.Discovery, &d.JWKS, &fetched)
	if errors.Is(err, sql.ErrNoRows) {
		return link.IssuerDocuments{}, link.ErrNotFound
	}
	if err != nil {
		return link.IssuerDocuments{}, s.fail("read issuer documents", err)
	}
	d.FetchedAt = fromMicros(fetched)
	return d, nil
}
