package link

import (
	"context"
	"time"
)

// AuditRow says what happened to a link. It outlives the link, so it names nobody: its hashes are keyed with a key of the
// channel that is kept beside it.
type AuditRow struct {
	Channel ChannelID
	At      time.Time
	// What happened: linked, replaced, burnt, outdated, too many, unlinked, imported, or what a revocation did.
	What   string
	LinkID string
	// UserHash, SubjectHash and AccountHash are HMAC-SHA256 of the chat user, of issuer and subject, and of the account.
	UserHash, SubjectHash, AccountHash []byte
	// By is who did it and Why the reason that was given.
	By, Why string
}

// AuditStore tells what happened to links, for as long as store.auditRetention.
type AuditStore interface {
	// Audit calls fn with every row of the channel's audit trail in the order in which they were written, until fn returns
	// an error, which it returns. With a userID it is the rows of that chat user alone. No transaction is open meanwhile.
	Audit(ctx context.Context, channel ChannelID, userID string, fn func(AuditRow) error) error
	// UserHash is how the trail names a chat user of the channel.
	UserHash(ctx context.Context, channel ChannelID, userID string, now time.Time) ([]byte, error)
}
