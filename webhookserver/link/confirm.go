package link

import (
	"context"
	"time"
)

// Outcome says what a confirmation or a user's own unlink did.
type Outcome string

// The outcomes.
const (
	// Activated: the pending link is active now; an earlier one of the same chat user is replaced.
	Activated Outcome = "activated"
	// Removed: the link is gone.
	Removed Outcome = "removed"
	// Burnt: the code was for another user, or the platform said no; it will confirm nothing any more.
	Burnt Outcome = "burnt"
	// Repeated: this event, or one that says the same, has been taken before.
	Repeated Outcome = "repeated"
	// Outdated: a later event about the same chat user has been taken; by its own time this one comes too late.
	Outdated Outcome = "outdated"
	// Unknown: no pending link has that code, or no link has that user.
	Unknown Outcome = "unknown"
	// Late: the event's own time lies outside the pending link's window.
	Late Outcome = "late"
	// TooMany: by now the person has as many active links as linking.maxLinksPerSubject allows; the pending link is gone.
	TooMany Outcome = "too many"
	// Revoked: the login began before a revocation of its user or person; the pending link is gone.
	Revoked Outcome = "revoked"
	// Echo: the unlinking is what a platform makes of our own call for the same user; a newer link stays.
	Echo Outcome = "echo"
)

// Confirmation is what a platform says of one pending link, already verified: a signed event, or BotBonnie's own record.
type Confirmation struct {
	Channel ChannelID
	// Event identifies the event for de-duplication; empty for what is no event.
	Event string
	Code  CodeHash
	// UserID is the chat user that the platform names. Empty when the platform said no.
	UserID string
	// OK is false when the platform refused the link: the code is burnt.
	OK bool
	// At is the event's own time.
	At time.Time
}

// Unlink is a chat user's own unlinking, already verified, or the bot's on the user's word.
type Unlink struct {
	Channel ChannelID
	Event   string
	UserID  string
	// At is the event's own time: a link that is younger stays.
	At time.Time
	// By and Why are for the audit trail.
	By, Why string
}

// UnconfirmedShare is how many links of one person are looked for when more of them wait than can be: the newest, so that
// whoever tries on and on comes through, and keeps nobody else waiting.
const UnconfirmedShare = 5

// LinkStore keeps links. Each method is one transaction, and an event is recorded in the transaction that carries out what
// it says: an event whose effect failed is taken again when the platform sends it again.
type LinkStore interface {
	// Confirm activates the pending link that the code names, and no other, when the user is the one it is for (or it is
	// for nobody in particular) and the event's time lies within its window. A different user, or OK false, burns the
	// code. An active link of the chat user is replaced and audited unless it is younger by its own time. [Judge] is the
	// rule. What has no effect leaves no trace: Unknown and Late events are judged anew when they come again.
	Confirm(ctx context.Context, c Confirmation, now time.Time) (Outcome, error)
	// Unlink removes the chat user's link, unless it is younger than the event. The event's time is kept also when there is
	// no link: a confirmation that is older comes too late then. Within [EchoTime] of our own call for the user it is [Echo],
	// and changes nothing: what that call was about is closed already, so that a link which is there now is newer.
	Unlink(ctx context.Context, u Unlink, now time.Time) (Outcome, error)
	// ActiveLink returns the chat user's active link, or [ErrNotFound]. notBefore is the oldest LinkedAt that counts
	// (linking.maxAge); zero: any.
	ActiveLink(ctx context.Context, channel ChannelID, userID string, notBefore time.Time) (Link, error)
	// LinkByCode returns the link of that code in any state, or [ErrNotFound]. Of several (linking.code: Stable) an active
	// one comes first, then the one of the newest consent.
	LinkByCode(ctx context.Context, channel ChannelID, code CodeHash) (Link, error)
	// UnconfirmedLinks returns the channel's links that a confirmation may still come for, pending ones and those that the
	// login alone activated: their window is open at now ([EventSkew] included). Oldest first, at most limit; as soon as
	// there are so many, [UnconfirmedShare] of each person. A userID that is not empty asks for his alone.
	UnconfirmedLinks(ctx context.Context, channel ChannelID, userID string, now time.Time, limit int) ([]Link, error)
	// Lapsed tells whether a pending link of the channel has ended unconfirmed: its window has closed since then and, with
	// [EventSkew], before now.
	Lapsed(ctx context.Context, channel ChannelID, since, now time.Time) (bool, error)
	// CountLinks counts the channel's links by state.
	CountLinks(ctx context.Context, channel ChannelID) (map[State]int64, error)
	// Links calls fn with every active link of the channel in the order of UserID, from after on, until fn returns an
	// error, which it returns. No transaction is open meanwhile.
	Links(ctx context.Context, channel ChannelID, after string, fn func(Link) error) error
	// Import stores active links as they are, replacing those of the same chat user that are older; a link that is not
	// younger than the one that is there, or than the user's own unlinking, is left out. An empty ID is given one. It works
	// in small bites, each of them all or nothing: after an error, stored links stay.
	Import(ctx context.Context, links []Link, now time.Time) (stored int, err error)
	// Confirmations tells whether a platform has ever confirmed a link of the channel, and when last, exact to a minute.
	Confirmations(ctx context.Context, channel ChannelID) (last time.Time, ever bool, err error)
	// Sweep removes what is over: expired sessions, pending links after [PendingKept], event records and the times of
	// unlinkings after [EventsKept], spent tokens after [TokensKept], revocations after [RevocationsKept] or [UnendedKept] and
	// what they closed with the latter, audit rows after their retention. It takes small bites,
	// so that it never holds others up, and stops after a bounded number of them: the next call goes on.
	Sweep(ctx context.Context, now time.Time, auditRetention time.Duration) error
}
