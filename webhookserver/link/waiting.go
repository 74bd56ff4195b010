package link

import (
	"context"
	"time"
)

// WaitingUser is a chat user of whose unlinking the platform is still to be told, by a revocation that is about him alone.
type WaitingUser struct {
	// ID, UserID and Fence are the revocation's: with them it goes on.
	ID, UserID string
	Fence      time.Time
	// StartedAt is when it was asked for, WorkedAt when somebody last tried.
	StartedAt, WorkedAt time.Time
}

// WaitingStore finds what was left undone. Revocations of a controller are its own to bring to an end; those of the bot have
// nobody who comes again.
type WaitingStore interface {
	// WaitingUsers returns those whose revocation's id begins with the prefix, the one that has been left alone for longest
	// first, at most limit. A userID that is not empty asks for him alone.
	WaitingUsers(ctx context.Context, channel ChannelID, prefix, userID string, limit int) ([]WaitingUser, error)
	// Refence moves the fence of a user's revocation to now, because the same is asked for once more: logins that have begun
	// since become no link either, and the platform is still told once. False, and nothing has changed: the revocation has
	// ended, or there is a link since of which the platform has to be told anew. That takes a revocation of its own.
	Refence(ctx context.Context, channel ChannelID, w WaitingUser, tell Telling, now time.Time) (bool, error)
}
