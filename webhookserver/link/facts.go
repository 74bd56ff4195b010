package link

import (
	"context"
	"time"
)

// Fact is something that was seen of a channel and is true from then on.
type Fact string

// BotTellsLinked: BotBonnie has said in a signed call that a user is linked. Only then does it mean something when it says
// that one is not (the member bot_isLinked is deprecated, and a bot may never set it).
const BotTellsLinked Fact = "bot tells linked"

// FactStore remembers facts of channels.
type FactStore interface {
	// NoteFact stores that the fact is true. When it is stored already nothing changes.
	NoteFact(ctx context.Context, channel ChannelID, fact Fact, now time.Time) error
	// KnowsFact reports whether the fact was ever noted.
	KnowsFact(ctx context.Context, channel ChannelID, fact Fact) (bool, error)
}
