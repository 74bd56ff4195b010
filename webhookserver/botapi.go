package webhookserver

import (
	"bytes"
	"context"
	"net/http"
	"strings"

	"channellink.dev/operator/webhookserver/botapi"
	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/signature"
)

// botAPIRoutes are mounted for the tokens that the channel has: without one the API is off, and there is nothing.
func (s *Server) botAPIRoutes(c *channel) []route {
	api := botapi.New(botapi.Options{
		Channel:            c.Channel,
		ID:                 c.id,
		Store:              func() (botapi.Store, error) { return s.store.Store() },
		BotToken:           c.bearer(c.API.Token),
		IntrospectionToken: c.bearer(c.API.IntrospectionToken),
		Prompter:           s.newPrompter(c),
		Unlinker:           botUnlinks{s, c},
		Words:              c.promptWords,
		Receive:            receiveForBot,
		Now:                s.now,
		Log:                s.log,
	})
	var routes []route
	if c.API.Token != nil {
		routes = append(routes,
			route{"GET /api/v1/users/{userID}", api.User(), true},
			route{"POST /api/v1/users/{userID}/prompts", api.Prompts(), true},
			route{"DELETE /api/v1/users/{userID}/link", api.Unlink(), true},
			route{"/api/", api.Nothing(), true},
		)
	}
	if c.API.IntrospectionToken != nil {
		routes = append(routes, route{"POST /introspect", api.Introspect(), true})
	}
	return routes
}

// bearer judges the token of a caller by the values of a reference.
func (c *channel) bearer(f *config.File) func(string) bool {
	return func(given string) bool { return signature.Known(given, c.values(f)) }
}

func receiveForBot(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, int) {
	var body bytes.Buffer
	if err := receive(w, r, &body, limit); err != nil {
		return nil, bodyProblem(err)
	}
	return body.Bytes(), 0
}

// newPrompter gives the API the prompts of the channel's platform; where BotBonnie stands in front, they are BotBonnie's.
func (s *Server) newPrompter(c *channel) botapi.Prompter {
	switch authorizeURL := c.url("/authorize"); {
	case c.BotBonnie != nil:
		return botBonniePrompts{c}
	case c.Platform == facebook:
		return botapi.MessengerPrompts{AuthorizeURL: authorizeURL, Graph: s.graph(c)}
	default:
		return botapi.LINEPrompts{
			Channel: c.id, AuthorizeURL: authorizeURL, ExternalBrowser: c.OIDC.ExternalBrowser, API: s.lineAPI(c),
			Store: func() (link.IssuedStore, error) { return s.store.Store() }, Now: s.now,
		}
	}
}

// url is that of one of the channel's routes.
func (c *channel) url(route string) string { return strings.TrimRight(c.PublicURL, "/") + route }

// botBonniePrompts are messages in the form in which BotBonnie's JSON API takes answers. BotBonnie's own modules log in and
// out, and it has to see to both, because the platform's events go to it.
type botBonniePrompts struct{ channel *channel }

// Prompt implements botapi.Prompter.
func (p botBonniePrompts) Prompt(_ context.Context, w botapi.Wanted) (botapi.Prompt, error) {
	if w.Kind == botapi.Logout {
		return botapi.Prompt{}, botapi.Unsupported("BotBonnie logs users out by a module of its own: lead the user to that one.")
	}
	module := p.channel.BotBonnie.StartLinkingModule
	if module == "" {
		return botapi.Prompt{}, botapi.NeedsField("botBonnie.startLinkingModule")
	}
	text, label := w.Text()
	return botapi.Prompt{
		Message: botbonnie.Text(w.Title+"\n"+text, botbonnie.Postback(label, module)),
		Send: func(context.Context) error {
			return botapi.Unsupported("BotBonnie sends its messages itself: answer its JSON API call with this one.")
		},
	}, nil
}
