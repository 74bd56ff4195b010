package link

import "errors"

// Why a chat platform does not take a message for a user, for errors.Is. Each platform has its own codes for them.
var (
	// ErrUserUnreachable: the user has blocked the bot, is no friend of it, or wrote too long ago.
	ErrUserUnreachable = errors.New("the chat user cannot be reached")
	// ErrTokenRejected: the platform does not accept our access token for this call.
	ErrTokenRejected = errors.New("the platform rejects the access token")
	// ErrRateLimited: too many calls; later ones will do.
	ErrRateLimited = errors.New("the platform limits our calls")
	// ErrQuotaReached: the plan's messages of this month are used up.
	ErrQuotaReached = errors.New("the month's messages are used up")
	// ErrMessageRefused: the platform finds fault with the message itself.
	ErrMessageRefused = errors.New("the platform refuses the message")
)
