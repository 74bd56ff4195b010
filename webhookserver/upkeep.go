package webhookserver

import (
	"context"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/link"
)

// upkeepEvery is how often what is over is swept from the store and what is left is counted. Metrics and status show the
// last count, so that neither a scrape nor the operator's question costs a query over all links.
const upkeepEvery = time.Minute

// tally is what the store held for a channel when it was last counted.
type tally struct {
	links        map[link.State]int64
	openSessions int64
}

// upkeep sweeps and counts until ctx is done, first when the store is open. Every replica does: to sweep what is gone
// already costs nothing.
func (s *Server) upkeep(ctx context.Context) {
	select {
	case <-s.store.opened:
	case <-ctx.Done():
		return
	}
	for {
		s.upkeepOnce(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(upkeepEvery)):
		}
	}
}

// upkeepOnce does what it can. That the store does not answer is the store keeper's to report; here it is a detail.
func (s *Server) upkeepOnce(ctx context.Context) {
	store, err := s.store.Store()
	if err != nil {
		return
	}
	now := s.now()
	if err := store.Sweep(ctx, now, time.Duration(s.store.settings.AuditRetention)); err != nil {
		s.log.DebugContext(ctx, "store not swept", "error", err)
	}
	for _, ch := range s.channels {
		var counted tally
		if counted.links, err = store.CountLinks(ctx, ch.id); err == nil {
			counted.openSessions, err = store.OpenSessions(ctx, ch.id, now)
		}
		if err != nil {
			s.log.DebugContext(ctx, "links not counted", "channel", ch.Name, "error", err)
			continue
		}
		ch.tally.Store(&counted)
	}
}

// linksOf is what the operator is told of a channel's links; nil before they were counted.
func linksOf(c *channel) *adminapi.Links {
	counted := c.tally.Load()
	if counted == nil {
		return nil
	}
	return &adminapi.Links{Active: counted.links[link.Active]}
}
