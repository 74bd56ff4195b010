package link

// ChannelID names the channel that a row belongs to. A server process serves a
// set of channels, and several servers may share a database: so every row carries
// it and every call takes it.
type ChannelID string

// NewChannelID returns the ID of a page on a platform, the two things that a
// ChannelLink cannot change. Its UID would not do: a ChannelLink that is deleted
// and made again takes up the links that are there.
func NewChannelID(platform, pageID string) ChannelID {
	return ChannelID(platform + "/" + pageID)
}
