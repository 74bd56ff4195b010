package webhookserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/signature"
)

// Limits of the calls of a bot's modules.
const (
	// maxModuleBody is a call with all the parameters of a user, with room to spare.
	maxModuleBody = 256 << 10
	// moduleWork is how long a call may take. BotBonnie documents no bound; LINE waits 2 s for whoever answers it.
	moduleWork = 1800 * time.Millisecond
	// moduleLook is how much of that a look-up at BotBonnie may take.
	moduleLook = 1200 * time.Millisecond
)

// botBonnieRoutes are mounted when there is an API secret to verify the calls with.
func (s *Server) botBonnieRoutes(c *channel) []route {
	if c.BotBonnie == nil || c.BotBonnie.APISecret == nil {
		return nil
	}
	return []route{
		{"POST /botbonnie/linked", s.module(c, s.linked), true},
		{"POST /botbonnie/unlinked", s.module(c, s.unlinked), true},
	}
}

// moduleHandler makes the answer to a call of one of the bot's modules.
type moduleHandler func(context.Context, link.Store, *channel, botbonnie.Call) (botbonnie.Message, error)

// module answers the calls of one of the bot's modules.
func (s *Server) module(c *channel, answer moduleHandler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		call, _, ok := s.receiveCall(w, r, c)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), moduleWork)
		defer cancel()
		store, err := s.store.Store()
		if err != nil {
			writeJSONProblem(w, r, http.StatusServiceUnavailable)
			return
		}
		message, err := answer(ctx, store, c, call)
		if err != nil {
			s.log.WarnContext(ctx, "call of a module failed", "channel", c.Name, "error", err)
			writeJSONProblem(w, r, http.StatusServiceUnavailable)
			return
		}
		writeJSON(w, http.StatusOK, message)
	}
}

// receiveCall receives and verifies a call of BotBonnie's: the key in the URL, the signature of the body, and that it is
// about this channel. The signature covers neither a time nor the URL, so that whoever has captured a call can replay it, on
// each of these routes: no call makes a link. When it reports false it has answered.
func (s *Server) receiveCall(w http.ResponseWriter, r *http.Request, c *channel) (call botbonnie.Call, body []byte, ok bool) {
	keyed := s.keyKnown(c, r.URL.RawQuery)
	verified, body, ok := s.receiveSigned(w, r, c, maxModuleBody, func(h http.Header, body []byte) (signature.Verified, error) {
		v, err := signature.BotBonnie(h, c.values(c.BotBonnie.APISecret), body)
		if err == nil && !keyed {
			return signature.Verified{}, signature.Mismatch
		}
		return v, err
	})
	if !ok {
		return botbonnie.Call{}, nil, false
	}
	call, err := botbonnie.ReadCall(verified)
	if err != nil {
		writeJSONProblem(w, r, http.StatusBadRequest)
		return botbonnie.Call{}, nil, false
	}
	if call.BotID != c.BotBonnie.BotID || call.PageID != c.PageID || call.Channel != botBonniePlatform(c) {
		s.log.WarnContext(r.Context(), "call of another bot or page", "channel", c.Name)
		writeJSONProblem(w, r, http.StatusForbidden)
		return botbonnie.Call{}, nil, false
	}
	return call, body, true
}

// keyKnown reports whether the URL carries the key that the channel asks for, if it does.
func (s *Server) keyKnown(c *channel, rawQuery string) bool {
	if c.BotBonnie.URLKey == nil {
		return true
	}
	query, err := url.ParseQuery(rawQuery)
	given := query["k"]
	return err == nil && len(given) == 1 && signature.Known(given[0], c.values(c.BotBonnie.URLKey))
}

func botBonniePlatform(c *channel) botbonnie.Platform {
	if c.Platform == facebook {
		return botbonnie.Facebook
	}
	return botbonnie.LINE
}

// linked answers the module that runs after a login. The call says nothing that makes a link active: it only has BotBonnie
// asked now instead of a little later.
func (s *Server) linked(ctx context.Context, store link.Store, c *channel, call botbonnie.Call) (botbonnie.Message, error) {
	words := wordsFor(c, call.Locale)
	waiting, err := c.confirmer.waitingOf(ctx, call.UserID)
	if err != nil {
		return botbonnie.Message{}, err
	}
	if len(waiting) > 0 {
		look, cancel := context.WithTimeout(ctx, moduleLook)
		c.confirmer.lookNow(look)
		cancel()
		if waiting, err = c.confirmer.waitingOf(ctx, call.UserID); err != nil {
			return botbonnie.Message{}, err
		}
	}
	pending := slices.ContainsFunc(waiting, func(l link.Link) bool { return l.State == link.Pending })
	found, err := store.ActiveLink(ctx, c.id, call.UserID, c.oldestLink(s.now()))
	none := errors.Is(err, link.ErrNotFound)
	switch {
	case err != nil && !none:
		return botbonnie.Message{}, err
	case pending:
		return botbonnie.Text(words.wait), nil
	case none:
		return botbonnie.Text(words.startAgain, c.loginButtons(words)...), nil
	default:
		return botbonnie.Text(words.linkedAs(found.Identity)), nil
	}
}

// unlinked answers the module that runs after a user has unlinked in the chat, and removes the link.
func (s *Server) unlinked(ctx context.Context, store link.Store, c *channel, call botbonnie.Call) (botbonnie.Message, error) {
	now := s.now()
	outcome, err := store.Unlink(ctx, link.Unlink{
		Channel: c.id, UserID: call.UserID, At: now, By: "user", Why: "unlinked in the chat",
	}, now)
	if err != nil {
		return botbonnie.Message{}, err
	}
	s.metrics.linkEvent(c.Name, "unlinked", string(outcome))
	words := wordsFor(c, call.Locale)
	return botbonnie.Text(words.unlinked, c.loginButtons(words)...), nil
}

// oldestLink is when a link must have been made to count still; zero without linking.maxAge.
func (c *channel) oldestLink(now time.Time) time.Time {
	if c.Linking.MaxAge == nil {
		return time.Time{}
	}
	return now.Add(-c.Linking.MaxAge.Std())
}

// loginButtons start the bot's login module, if the channel names it.
func (c *channel) loginButtons(words chatWords) []botbonnie.Button {
	if c.BotBonnie.StartLinkingModule == "" {
		return nil
	}
	return []botbonnie.Button{botbonnie.Postback(words.login, c.BotBonnie.StartLinkingModule)}
}
