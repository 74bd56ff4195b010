package webhookserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/signature"
)

// Limits of webhook calls.
const (
	// maxWebhookBody is a batch of 1000 updates of Meta's, a kilobyte each.
	maxWebhookBody = 1 << 20
	// webhookWork is how long the effects of one call may take, whether or not the platform still waits.
	webhookWork = 10 * time.Second
)

// hook is how a platform's calls of /webhook are understood.
type hook struct {
	verify func(http.Header, []byte) (signature.Verified, error)
	read   func(signature.Verified, time.Time) (event.Batch, error)
	// siblings are handed the call too; nil without any.
	siblings *siblings
	// patience is how long the platform waits, less what the way takes.
	patience time.Duration
}

// runHooks does what goes on beside a channel's calls, until ctx is done.
func (s *Server) runHooks(ctx context.Context, c *channel) {
	var all sync.WaitGroup
	if c.confirmer != nil {
		all.Go(func() { c.confirmer.run(ctx) })
	}
	if c.registrar != nil {
		all.Go(func() { c.registrar.run(ctx) })
	}
	all.Wait()
	<-ctx.Done()
	s.calls.client.CloseIdleConnections()
	c.siblings.close()
	c.bot.close()
}

// webhookRoutes are mounted for the secrets that the channel has: a call that nothing could verify finds nothing here.
func (s *Server) webhookRoutes(c *channel) []route {
	var routes []route
	if m := c.Messenger; m != nil && m.VerifyToken != nil {
		routes = append(routes, route{"GET /webhook", s.answerChallenge(c), false})
	}
	if m := c.Messenger; m != nil && m.AppSecret != nil {
		routes = append(routes, route{"POST /webhook", s.takeEvents(c, hook{
			verify: func(h http.Header, body []byte) (signature.Verified, error) {
				return signature.Messenger(h, c.values(m.AppSecret), body, m.AllowSHA1)
			},
			read: func(v signature.Verified, now time.Time) (event.Batch, error) {
				return messenger.Events(v, c.PageID, now)
			},
			siblings: c.siblings,
			patience: metaPatience,
		}), true})
	}
	if l := c.LINE; l != nil && l.ChannelSecret != nil {
		routes = append(routes, route{"POST /webhook", s.takeEvents(c, hook{
			verify: func(h http.Header, body []byte) (signature.Verified, error) {
				return signature.LINE(h, c.values(l.ChannelSecret), body)
			},
			read: func(v signature.Verified, now time.Time) (event.Batch, error) {
				return line.Events(v, l.BotUserID, now)
			},
			patience: linePatience,
		}), true})
	}
	return routes
}

// takeEvents verifies a call before anything is read of it, carries out what it says of links, has the siblings do the same,
// and hands it on to the bot that is already there. The platform sees 200 when all have taken it; with anything else one
// that redelivers brings it again, and what is done already is known here by its events' ids.
func (s *Server) takeEvents(c *channel, h hook) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		pace := paceOf(h, c.bot, r.Header, time.Now())
		verified, body, ok := s.receiveSigned(w, r, c, maxWebhookBody, h.verify)
		if !ok {
			return
		}
		now := s.now()
		batch, err := h.read(verified, now)
		if err != nil {
			code := http.StatusBadRequest
			if errors.Is(err, signature.ErrTooComplex) || errors.Is(err, event.ErrTooMany) {
				code = http.StatusRequestEntityTooLarge
			}
			s.log.WarnContext(r.Context(), "signed call cannot be read", "channel", c.Name, "error", err)
			writeJSONProblem(w, r, code)
			return
		}
		s.metrics.ignored(c.Name, batch)
		// A platform that stops waiting does not take back what it said.
		ctx := context.WithoutCancel(r.Context())
		if len(batch.Events) > 0 || h.siblings != nil {
			inTime := answerUnless(w, r, pace.own)
			defer inTime()
			err := s.carryOutEverywhere(ctx, c, h, r, body, batch, now)
			if !inTime() {
				return
			}
			if err != nil {
				writeJSONProblem(w, r, http.StatusServiceUnavailable)
				return
			}
		}
		if code := c.bot.forward(ctx, r, body, batch, pace.bot); code != http.StatusOK {
			writeJSONProblem(w, r, code)
			return
		}
		writeText(w, http.StatusOK, "ok")
	}
}

// carryOutEverywhere takes the events here and has the siblings take theirs. Without an error all have.
func (s *Server) carryOutEverywhere(ctx context.Context, c *channel, h hook, r *http.Request, body []byte, batch event.Batch, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, webhookWork)
	defer cancel()
	handed := h.siblings.hand(ctx, r, body, c.bot)
	err := s.carryOut(ctx, c, batch, now)
	if taken := <-handed; !taken && err == nil {
		err = errSibling
	}
	return err
}

// receiveSigned receives and verifies a body. When it reports false it has answered.
func (s *Server) receiveSigned(w http.ResponseWriter, r *http.Request, c *channel, limit int64,
	verify func(http.Header, []byte) (signature.Verified, error),
) (signature.Verified, []byte, bool) {
	// No platform compresses, and the signature is over what is not compressed.
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		w.Header().Set("Connection", "close") // the body is not read
		writeJSONProblem(w, r, http.StatusUnsupportedMediaType)
		return signature.Verified{}, nil, false
	}
	body, free, err := s.receiveUnverified(w, r, limit)
	defer free()
	if err != nil {
		writeJSONProblem(w, r, bodyProblem(err))
		return signature.Verified{}, nil, false
	}
	verified, err := verify(r.Header, body)
	if err != nil {
		refusal, _ := errors.AsType[signature.Refusal](err)
		s.metrics.forged(c.Name, refusal)
		writeJSONProblem(w, r, http.StatusUnauthorized)
		return signature.Verified{}, nil, false
	}
	return verified, body, true
}

// carryOut takes the events one by one. It returns an error when the platform should bring them again; what is done already
// is known by its id then. An event that fails for a reason of its own holds up no other, and is given up in the end.
func (s *Server) carryOut(ctx context.Context, c *channel, batch event.Batch, now time.Time) error {
	if len(batch.Events) == 0 {
		return nil
	}
	store, err := s.store.Store()
	if err != nil {
		return err
	}
	var again error
	for _, e := range batch.Events {
		outcome, err := apply(ctx, store, c.id, e, now)
		switch {
		case err == nil:
			s.metrics.linkEvent(c.Name, string(e.Kind), string(outcome))
			s.log.InfoContext(ctx, "link event", "channel", c.Name, "kind", e.Kind, "outcome", outcome)
		case ctx.Err() != nil, errors.Is(err, link.ErrUnavailable), errors.Is(err, link.ErrSealed):
			s.log.WarnContext(ctx, "link event left for redelivery", "channel", c.Name, "kind", e.Kind, "error", err)
			return err // so would those behind it
		case c.poison.givenUp(e.ID):
			s.metrics.linkEvent(c.Name, string(e.Kind), givenUp)
			s.log.ErrorContext(ctx, "link event given up", "channel", c.Name, "kind", e.Kind, "error", err)
		default:
			s.log.ErrorContext(ctx, "link event failed", "channel", c.Name, "kind", e.Kind, "error", err)
			again = err
		}
	}
	return again
}

// apply carries out one event.
func apply(ctx context.Context, store link.LinkStore, channel link.ChannelID, e event.Event, now time.Time) (link.Outcome, error) {
	if e.Kind == event.Unlinked {
		return store.Unlink(ctx, link.Unlink{
			Channel: channel, Event: e.ID, UserID: e.UserID, At: e.At, By: "user", Why: "unlinked in the chat",
		}, now)
	}
	return store.Confirm(ctx, link.Confirmation{
		Channel: channel, Event: e.ID, Code: link.HashCode(e.Code), UserID: e.UserID, OK: e.Kind == event.Linked, At: e.At,
	}, now)
}

// answerChallenge answers Meta's question whether this URL is ours (Graph API webhooks, getting started).
func (s *Server) answerChallenge(c *channel) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		challenge, ok := messenger.Challenge(query, c.values(c.Messenger.VerifyToken))
		if err != nil || !ok {
			s.metrics.forged(c.Name, signature.Mismatch)
			writeJSONProblem(w, r, http.StatusForbidden)
			return
		}
		write(w, http.StatusOK, "text/plain; charset=utf-8", []byte(challenge))
	}
}
