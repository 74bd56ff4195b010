package webhookserver

import (
	"context"
	"time"

	"channellink.dev/operator/webhookserver/botapi"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/unlink"
)

// How the server goes on telling the platform of what the bot has unlinked. A controller comes again for its own
// revocations; the bot has said its word and is answered.
const (
	// botUnlinksEvery is how often the ledger is asked for users who wait, and the shortest pause between two tries.
	botUnlinksEvery = time.Minute
	// botUnlinksPause is the longest pause. In between a user is left alone for as long as he has waited already.
	botUnlinksPause = time.Hour
	// maxBotUnlinks bounds the users that are looked at in one round.
	maxBotUnlinks = 200
)

// botUnlinks ends links on the bot's word.
type botUnlinks struct {
	server  *Server
	channel *channel
}

// Unlink implements botapi.Unlinker. Who waits already is gone on with, as of now, unless he has linked anew since: so the
// platform is told once, however often the bot asks.
func (u botUnlinks) Unlink(ctx context.Context, userID string) (botapi.UnlinkState, error) {
	store, err := u.server.store.Store()
	if err != nil {
		return "", err
	}
	waiting, err := store.WaitingUsers(ctx, u.channel.id, unlink.UserPrefix, userID, 1)
	if err != nil {
		return "", err
	}
	for _, w := range waiting {
		moved, err := store.Refence(ctx, u.channel.id, w, u.channel.unlinker.Tell, u.server.now())
		if err != nil {
			return "", err
		}
		if moved {
			return botUnlinkState(u.goOn(ctx, w)), nil
		}
	}
	result, err := u.channel.unlinker.UnlinkUser(ctx, userID, botRequester, botReason)
	if err != nil {
		return "", err
	}
	return botUnlinkState(result), nil
}

// What the audit trail says of an unlinking by the bot.
const (
	botRequester = "bot"
	botReason    = "the bot asked for it"
)

// goOn makes another attempt for a user who waits.
func (u botUnlinks) goOn(ctx context.Context, w link.WaitingUser) unlink.Result {
	return u.channel.unlinker.Attempt(ctx, link.Revocation{
		ID: w.ID, UserID: w.UserID, Fence: w.Fence, Requester: botRequester, Reason: botReason,
	})
}

func botUnlinkState(r unlink.Result) botapi.UnlinkState {
	switch {
	case r.More():
		return botapi.UnlinkWaiting
	case r.Counts[link.RevokedFailed] > 0:
		return botapi.UnlinkFailed
	default:
		return botapi.Unlinked
	}
}

// run brings to an end what the platform could not be told at once, until ctx is done. The ledger remembers who waits, and
// its leases keep replicas apart.
func (u botUnlinks) run(ctx context.Context) {
	if u.channel.unlinker.Tell == link.TellNobody {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(botUnlinksEvery)):
			u.round(ctx)
		}
	}
}

// round tries once for everybody who is due, and stops when the platform is not to be called at all.
func (u botUnlinks) round(ctx context.Context) {
	store, err := u.server.store.Store()
	if err != nil {
		return // the store keeper reports it
	}
	waiting, err := store.WaitingUsers(ctx, u.channel.id, unlink.UserPrefix, "", maxBotUnlinks)
	if err != nil {
		u.server.log.WarnContext(ctx, "users whom the bot has unlinked not read", "channel", u.channel.Name, "error", err)
		return
	}
	now := u.server.now()
	for _, w := range waiting {
		if ctx.Err() != nil {
			return
		}
		if now.Before(dueAgain(w)) {
			continue
		}
		if result := u.goOn(ctx, w); result.Cause.Stops() {
			return
		}
	}
}

// dueAgain is when the next try for a user is due: as long after the last one as he had waited by then.
func dueAgain(w link.WaitingUser) time.Time {
	waited := w.WorkedAt.Sub(w.StartedAt)
	return w.WorkedAt.Add(min(max(waited, botUnlinksEvery), botUnlinksPause))
}
