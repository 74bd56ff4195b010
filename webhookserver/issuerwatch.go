package webhookserver

import (
	"context"
	"log/slog"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
)

// issuerWatch knows what is known of a channel's issuer.
type issuerWatch struct{}

func newIssuerWatch(*channel, config.Network, *storeKeeper, *slog.Logger) issuerWatch {
	return issuerWatch{}
}

// Run discovers until ctx is done.
func (issuerWatch) Run(ctx context.Context) { <-ctx.Done() }

// State is what is known now.
func (issuerWatch) State(time.Time) adminapi.Issuer {
	return adminapi.Issuer{State: adminapi.IssuerPending}
}

// Age is that of the metadata in use.
func (issuerWatch) Age(time.Time) (time.Duration, bool) { return 0, false }
