package link

import (
	"context"
	"time"
)

// Issued is a token of the platform that it issued at our request, because the bot asked for a log-in prompt. So it is known
// whose login begins with it, which the login's own parameters do not say on LINE.
type Issued struct {
	Channel ChannelID
	// Token is the token's hash.
	Token CodeHash
	// UserID is the chat user that the platform issued it to.
	UserID string
	// ExpiresAt is when the platform takes it no more.
	ExpiresAt time.Time
}

// IssuedStore remembers issued tokens until [SessionKept] after their end, so that who comes late is told so.
type IssuedStore interface {
	// PutIssued stores a token. Replicas read it at once.
	PutIssued(ctx context.Context, i Issued) error
	// IssuedToken returns what is known of a token of the channel, be it over, or [ErrNotFound].
	IssuedToken(ctx context.Context, channel ChannelID, token CodeHash) (Issued, error)
}
