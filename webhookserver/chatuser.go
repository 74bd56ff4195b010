package webhookserver

import (
	"context"
	"log/slog"
	"time"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/outbound"
)

const (
	// portraitPatience is how long a login waits for a name and a picture, which it can do without.
	portraitPatience = 2 * time.Second
	// lastSeen is how long ago a user who taps Log In did something in the chat before that: BotBonnie finds users by it.
	lastSeen = 10 * time.Minute
)

// chatUsers finds out who a login is for. Each of its sources may be absent.
type chatUsers struct {
	graph     *messenger.Graph
	line      *line.API
	botBonnie *botbonnie.API
	pageID    string
	platform  botbonnie.Platform
	pictures  *pictures
	now       func() time.Time
	log       *slog.Logger
}

func (s *Server) newChatUsers(c *channel) *chatUsers {
	do := s.calls.of(c)
	u := &chatUsers{pageID: c.PageID, platform: botBonniePlatform(c), pictures: newPictures(do), now: s.now, log: s.log}
	u.graph, u.line = s.graph(c), s.lineAPI(c)
	if c.BotBonnie != nil {
		u.botBonnie = s.botBonnieAPI(c)
	}
	return u
}

// of returns who the entry is for: by Graph, where a page token makes that possible, and else as the parameters claim.
func (u *chatUsers) of(ctx context.Context, e link.Entry) (link.ChatUser, error) {
	user := link.ChatUser{UserID: e.UserID}
	if u.graph.Configured() {
		psid, err := u.graph.Recipient(ctx, e)
		if err != nil {
			u.log.WarnContext(ctx, "Graph does not say for whom a login is", "page", u.pageID, "error", err)
			return link.ChatUser{}, err
		}
		user.UserID, user.Verified = psid, true
		if e.UserID != "" && e.UserID != psid {
			return user, nil // made up: the login ends here, and tells nobody's name
		}
	}
	if user.UserID != "" {
		ctx, cancel := context.WithTimeout(ctx, portraitPatience)
		defer cancel()
		name, picture, err := u.portrait(ctx, user.UserID)
		if err != nil {
			u.log.DebugContext(ctx, "chat user has no portrait", "reason", string(outbound.ReasonOf(err)))
		}
		user.Name, user.Picture = name, u.pictures.fetch(ctx, picture)
	}
	return user, nil
}

// portrait asks for a name and the address of a picture where they are nearest.
func (u *chatUsers) portrait(ctx context.Context, userID string) (name, picture string, err error) {
	switch {
	case u.graph.Configured():
		return u.graph.Profile(ctx, userID)
	case u.line.Configured():
		return u.line.Profile(ctx, userID)
	case u.botBonnie == nil:
		return "", "", nil
	}
	err = u.botBonnie.Customers(ctx, u.now().Add(-lastSeen), func(r botbonnie.Customer) bool {
		if r.UserID != userID || r.PageID != u.pageID || r.Platform != u.platform {
			return true
		}
		name, picture = r.Name, r.Picture
		return false
	})
	return name, picture, err
}

// botBonnieAPI is BotBonnie's API for the channel's bot.
func (s *Server) botBonnieAPI(c *channel) *botbonnie.API {
	return &botbonnie.API{
		Endpoint: c.BotBonnie.APIEndpoint, BotID: c.BotBonnie.BotID, Token: c.newest(&c.BotBonnie.APIToken), Do: s.calls.of(c),
	}
}

// graph is Meta's API for the channel's page; nil without a token.
func (s *Server) graph(c *channel) *messenger.Graph {
	m := c.Messenger
	if m == nil || m.PageAccessToken == nil {
		return nil
	}
	return &messenger.Graph{
		Endpoint: m.GraphEndpoint, PageID: c.PageID, Token: c.newest(m.PageAccessToken), AppSecrets: c.all(m.AppSecret), Do: s.calls.of(c),
	}
}

// lineAPI is LINE's API for the channel; nil without a token.
func (s *Server) lineAPI(c *channel) *line.API {
	l := c.LINE
	if l == nil || l.ChannelAccessToken == nil {
		return nil
	}
	return &line.API{Endpoint: l.APIEndpoint, Token: c.newest(l.ChannelAccessToken), Do: s.calls.of(c)}
}
