package webhookserver

import (
	"context"
	"sync/atomic"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// beliefAge is how old a link must be before BotBonnie's word that there is none counts. The word bears no time: it may be
// of before the login, when the call took long or when BotBonnie learns of the link after us (linking.confirmation:
// AfterRedirect). It also covers the minute in which such a word is the echo of our own unlinking.
const beliefAge = 2 * time.Minute

// belief is what BotBonnie says of its users' links (bot_isLinked). The member is deprecated, and a bot that never sets it
// would end every link: so its no counts only once it has said yes.
type belief struct{ tells atomic.Bool }

// hearYes remembers, once and for good, that BotBonnie tells of links.
func (b *belief) hearYes(ctx context.Context, store link.FactStore, channel link.ChannelID, now time.Time) error {
	if b.tells.Load() {
		return nil
	}
	if err := store.NoteFact(ctx, channel, link.BotTellsLinked, now); err != nil {
		return err
	}
	b.tells.Store(true)
	return nil
}

// hearNo ends the chat user's link, of which BotBonnie says that it is no more, unless that cannot be relied on. BotBonnie
// is not called: it knows. The outcome is empty where nothing was done.
func (b *belief) hearNo(ctx context.Context, store link.Store, l link.Link, now time.Time) (link.Outcome, error) {
	at := now.Add(-beliefAge)
	if l.LinkedAt.After(at) {
		return "", nil
	}
	if !b.tells.Load() {
		known, err := store.KnowsFact(ctx, l.Channel, link.BotTellsLinked)
		if err != nil || !known {
			return "", err
		}
		b.tells.Store(true)
	}
	// A link that is made meanwhile is younger than at, and stays.
	return store.Unlink(ctx, link.Unlink{
		Channel: l.Channel, UserID: l.UserID, At: at, By: "user", Why: "BotBonnie says that the user is not linked",
	}, now)
}
