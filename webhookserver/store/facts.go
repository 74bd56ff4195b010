package store

import (
	"context"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// NoteFact implements [link.FactStore].
func (s *Store) NoteFact(ctx context.Context, channel link.ChannelID, fact link.Fact, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := s.write.ExecContext(ctx, `
		INSERT INTO channel_facts (channel, fact, seen_at) VALUES ($1, $2, $3)
		ON CONFLICT (channel, fact) DO NOTHING`, channel, fact, micros(now))
	return s.fail("note fact", err)
}

// KnowsFact implements [link.FactStore].
func (s *Store) KnowsFact(ctx context.Context, channel link.ChannelID, fact link.Fact) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM channel_facts WHERE channel = $1 AND fact = $2)`,
		channel, fact).Scan(&known)
	return known, s.fail("read fact", err)
}
