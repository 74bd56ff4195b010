package webhookserver

import (
	"context"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/link"
)

// confirmation is whether the platform confirms the channel's links, from the store alone, so that every replica says the
// same: a pending link whose window closed after the last confirmation is a login that nothing confirmed. It is nil while
// the store cannot tell.
func (s *Server) confirmation(ctx context.Context, c *channel) *adminapi.Confirmation {
	store, err := s.store.Store()
	if err != nil {
		return nil
	}
	last, ever, err := store.Confirmations(ctx, c.id)
	if err != nil {
		return nil
	}
	now := s.now()
	since := now.Add(-link.PendingKept)
	if last.After(since) {
		since = last
	}
	// What the login alone activates needs no confirmation: its owner has chosen so.
	lapsed, err := store.Lapsed(ctx, c.id, since, now)
	if err != nil {
		return nil
	}
	return &adminapi.Confirmation{Ever: ever, Unconfirmed: lapsed}
}
