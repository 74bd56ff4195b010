package webhookserver

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
)

// newLoginPlatform gives the logins of a channel the platform that they go through: BotBonnie where it stands in front, and
// else the chat platform itself.
func (s *Server) newLoginPlatform(c *channel, network config.Network) (authorize.Platform, error) {
	var redirects messenger.Redirects
	if c.Messenger != nil {
		redirects = messenger.Redirects{Hosts: c.Messenger.RedirectHosts, AllowLocal: network.AllowLocal}
	}
	users := s.newChatUsers(c)
	switch {
	case c.BotBonnie != nil:
		login := botbonnie.Login{Platform: botbonnie.LINE, PageID: c.PageID, RedirectEndpoint: c.BotBonnie.RedirectEndpoint}
		if c.Platform == facebook {
			login.Platform, login.CheckRedirect = botbonnie.Facebook, redirects.Check
		}
		return botBonnieLogin{login, c.confirmer, users}, nil
	case c.Platform == facebook && c.Messenger != nil:
		return messengerLogin{redirects, users}, nil
	case c.LINE != nil:
		return lineLogin{c.LINE.AccountLinkEndpoint, s.issuedTokens(c), users}, nil
	}
	return nil, fmt.Errorf("channel %s: settings name no way to the platform %s", c.UID, c.Platform)
}

// facebook is the platform of Messenger in the settings.
const facebook = "Facebook"

type botBonnieLogin struct {
	botbonnie.Login
	confirmer *confirmer
	users     *chatUsers
}

// Enter implements authorize.Platform.
func (p botBonnieLogin) Enter(_ context.Context, query url.Values) (link.Entry, error) {
	return p.Login.Enter(query)
}

// Return implements authorize.Platform. What BotBonnie makes of the code is asked for a little later.
func (p botBonnieLogin) Return(e link.Entry, code string) (string, error) {
	location, err := p.Login.Return(e, code)
	if err == nil {
		p.confirmer.wake()
	}
	return location, err
}

// ChatUser implements authorize.Platform.
func (p botBonnieLogin) ChatUser(ctx context.Context, e link.Entry) (link.ChatUser, error) {
	return p.users.of(ctx, e)
}

type messengerLogin struct {
	redirects messenger.Redirects
	users     *chatUsers
}

// Enter implements authorize.Platform.
func (p messengerLogin) Enter(_ context.Context, query url.Values) (link.Entry, error) {
	return messenger.Enter(query, p.redirects)
}

// Return implements authorize.Platform.
func (p messengerLogin) Return(e link.Entry, code string) (string, error) {
	return messenger.Return(e, code, p.redirects)
}

// Cancel implements authorize.Platform.
func (p messengerLogin) Cancel(e link.Entry) (string, bool) { return messenger.Cancel(e, p.redirects) }

// ChatUser implements authorize.Platform.
func (p messengerLogin) ChatUser(ctx context.Context, e link.Entry) (link.ChatUser, error) {
	return p.users.of(ctx, e)
}

type lineLogin struct {
	accountLinkEndpoint string
	issued              func(ctx context.Context, token string) (link.Issued, error)
	users               *chatUsers
}

// issuedTokens looks up for whom LINE issued a link token. Without the bot's API nobody asked for any.
func (s *Server) issuedTokens(c *channel) func(context.Context, string) (link.Issued, error) {
	if c.API.Token == nil {
		return func(context.Context, string) (link.Issued, error) { return link.Issued{}, link.ErrNotFound }
	}
	return func(ctx context.Context, token string) (link.Issued, error) {
		store, err := s.store.Store()
		if err != nil {
			return link.Issued{}, err
		}
		return store.IssuedToken(ctx, c.id, link.HashCode(token))
	}
}

// Enter implements authorize.Platform. LINE's parameters name no user; where a prompt of ours had the token issued, it is
// known whose login this is, and for how long the token is good.
func (p lineLogin) Enter(ctx context.Context, query url.Values) (link.Entry, error) {
	entry, err := line.Enter(query)
	if err != nil {
		return entry, err
	}
	switch issued, err := p.issued(ctx, entry.Token); {
	case errors.Is(err, link.ErrNotFound): // the bot has asked LINE itself
	case err != nil:
		return link.Entry{}, err
	default:
		entry.UserID, entry.TokenEnd = issued.UserID, issued.ExpiresAt
	}
	return entry, nil
}

// Return implements authorize.Platform.
func (p lineLogin) Return(e link.Entry, code string) (string, error) {
	return line.Return(e, code, p.accountLinkEndpoint)
}

// Cancel implements authorize.Platform. LINE has no way of being told.
func (lineLogin) Cancel(link.Entry) (string, bool) { return "", false }

// ChatUser implements authorize.Platform. An entry that names a user has him from LINE, which issued the token to him: no
// parameter does. Of others only the confirming event tells.
func (p lineLogin) ChatUser(ctx context.Context, e link.Entry) (link.ChatUser, error) {
	user, err := p.users.of(ctx, e)
	user.Verified = e.UserID != ""
	return user, err
}
