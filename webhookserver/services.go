package webhookserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/services"
)

// serviceLookup bounds what is done for a call beside its backend: with the longest timeout of a service, 5 s, the answer is
// made within 6 s. BotBonnie documents no bound; LINE's reply tokens last a minute.
const serviceLookup = time.Second

// channelServices are the personalised services of a channel.
type channelServices struct {
	issuer services.Issuer
	byName map[string]*services.Service
	belief belief
}

// newServices returns the services of a channel, or nil without any. BotBonnie's calls cannot be verified without its API
// secret, so there are none without it.
func (s *Server) newServices(c *channel, network config.Network) (*channelServices, error) {
	if len(c.Services) == 0 || c.BotBonnie == nil || c.BotBonnie.APISecret == nil {
		return nil, nil
	}
	keys := func() (link.KeyStore, error) { return s.store.Store() }
	all := &channelServices{
		issuer: services.Issuer{
			URL: c.PublicURL, Platform: c.Platform, PageID: c.PageID,
			Keys: services.NewKeyring(c.id, keys, s.now, s.logOf(c)),
		},
		byName: make(map[string]*services.Service, len(c.Services)),
	}
	for _, settings := range c.Services {
		service, err := services.New(settings, all.issuer, backendPolicy(network))
		if err != nil {
			return nil, err
		}
		all.byName[service.Name()] = service
	}
	return all, nil
}

// runServices does what goes on beside the calls of a channel's services, until ctx is done.
func (s *Server) runServices(ctx context.Context, c *channel) {
	if c.services == nil {
		return
	}
	select {
	case <-s.store.opened:
		c.services.issuer.Keys.Run(ctx)
	case <-ctx.Done():
	}
	for _, service := range c.services.byName {
		service.CloseIdleConnections()
	}
}

func (s *Server) serviceRoutes(c *channel) []route {
	if c.services == nil {
		return nil
	}
	return []route{
		{"POST /services/{name}", s.callService(c), true},
		{"GET " + services.DiscoveryPath, s.showDiscovery(c), false},
		{"GET " + services.JWKSPath, s.showJWKS(c), false},
	}
}

// callService answers a call of BotBonnie's JSON API for a personalised service. Once the call is verified the answer is a
// message, whatever happens: behind it somebody waits in a chat, and nobody tries again.
func (s *Server) callService(c *channel) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		service, ok := c.services.byName[r.PathValue("name")]
		if !ok {
			w.Header().Set("Connection", "close") // the body is not read
			writeJSONProblem(w, r, http.StatusNotFound)
			return
		}
		call, body, ok := s.receiveCall(w, r, c)
		if !ok {
			return
		}
		began := s.now()
		ctx, cancel := context.WithTimeout(r.Context(), service.Timeout()+serviceLookup)
		defer cancel()
		message, outcome, err := s.serve(ctx, c, service, call, services.Question{
			Body: body, RawQuery: r.URL.RawQuery, RequestID: w.Header().Get(requestIDHeader),
		})
		s.metrics.served(c.Name, service.Name(), outcome, s.now().Sub(began))
		if err != nil {
			s.log.WarnContext(ctx, "service not answered",
				"channel", c.Name, "service", service.Name(), "outcome", outcome, "error", err)
		}
		if errors.Is(err, services.ErrBadQuery) {
			writeJSONProblem(w, r, http.StatusBadRequest)
			return
		}
		writeJSON(w, http.StatusOK, message)
	}
}

// serve finds out who the chat user is and asks the backend for him.
func (s *Server) serve(ctx context.Context, c *channel, service *services.Service, call botbonnie.Call, q services.Question) (botbonnie.Message, services.Outcome, error) {
	words := wordsFor(c, call.Locale)
	fallback := botbonnie.Text(words.tryLater)
	if text := service.FallbackText(); text != "" {
		fallback = botbonnie.Text(text)
	}
	found, outcome, err := s.whoIs(ctx, c, call)
	switch {
	case err != nil:
		return fallback, services.StoreFailed, err
	case outcome == services.Unconfirmed:
		return botbonnie.Text(words.wait, c.loginButtons(words)...), outcome, nil
	case outcome != "":
		return botbonnie.Text(words.loginFirst, c.loginButtons(words)...), outcome, nil
	}
	q.Link = found
	message, err := service.Ask(ctx, q)
	outcome = services.OutcomeOf(err)
	switch {
	case outbound.ReasonOf(err) != "":
		s.metrics.called(c.Name, targetService, 0, err)
	case outcome == services.Answered, outcome == services.BadMessage, outcome == services.BadTemplate:
		s.metrics.called(c.Name, targetService, http.StatusOK, nil)
	}
	if err != nil {
		return fallback, outcome, err
	}
	return message, outcome, nil
}

// whoIs returns the link of the chat user, or an outcome that says why there is none.
func (s *Server) whoIs(ctx context.Context, c *channel, call botbonnie.Call) (link.Link, services.Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, serviceLookup)
	defer cancel()
	store, err := s.store.Store()
	if err != nil {
		return link.Link{}, "", err
	}
	now := s.now()
	if call.Linked != nil && *call.Linked {
		if err := c.services.belief.hearYes(ctx, store, c.id, now); err != nil {
			s.log.WarnContext(ctx, "not noted that BotBonnie tells of links", "channel", c.Name, "error", err)
		}
	}
	found, err := store.ActiveLink(ctx, c.id, call.UserID, c.oldestLink(now))
	if errors.Is(err, link.ErrNotFound) {
		if waiting, err := c.confirmer.waitingOf(ctx, call.UserID); err == nil && len(waiting) > 0 {
			return link.Link{}, services.Unconfirmed, nil
		}
		return link.Link{}, services.NotLinked, nil
	}
	if err != nil || call.Linked == nil || *call.Linked {
		return found, "", err
	}
	ended, err := c.services.belief.hearNo(ctx, store, found, now)
	if err != nil || ended == "" {
		return found, "", err
	}
	s.metrics.linkEvent(c.Name, "unlinked", string(ended))
	return link.Link{}, services.Unlinked, nil
}
