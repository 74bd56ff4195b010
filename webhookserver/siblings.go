package webhookserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/signature"
)

const (
	// hopHeader marks a call that another server of ours has handed on; it is not handed on again.
	hopHeader = "X-Channellink-Hop"
	// botHeader names, hashed, the bot that the server which got the call forwards it to: pages of one app often have one
	// bot, which shall get a call once.
	botHeader = "X-Channellink-Bot"
)

// errSibling: a sibling has not taken a call.
var errSibling = errors.New("a sibling has not taken the call")

const (
	// siblingTimeout bounds one hand-over. They run side by side with our own work, before the bot's turn: with the 10 s that
	// a bot may have at most, Meta is answered in 18 s.
	siblingTimeout = 8 * time.Second
	// maxSiblings at once: hand-overs cost a connection each.
	maxSiblings = 16
)

// siblings are the servers for other pages of the same Facebook app, which has one webhook URL. Each gets the body and the
// signature as they came, and verifies for itself.
type siblings struct {
	urls   []string
	client *http.Client
	count  func(status int, err error)
	log    *slog.Logger
}

// newSiblings returns the siblings of a channel, or nil. Their addresses are Services of the channel's namespace, which the
// operator writes into the settings: so the calls go past the guard, which would refuse plain http.
func (s *Server) newSiblings(c *channel) *siblings {
	if c.Messenger == nil || len(c.Messenger.Siblings) == 0 {
		return nil
	}
	return &siblings{
		urls: c.Messenger.Siblings,
		client: &http.Client{
			Timeout:       siblingTimeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 2, MaxConnsPerHost: maxSiblings, IdleConnTimeout: 30 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		count: func(status int, err error) { s.metrics.called(c.Name, targetSibling, status, err) },
		log:   s.log,
	}
}

// close closes the connections that carry no call.
func (s *siblings) close() {
	if s != nil {
		s.client.CloseIdleConnections()
	}
}

// hand hands a call on and tells on the channel whether every sibling has answered 200.
func (s *siblings) hand(ctx context.Context, r *http.Request, body []byte, bot *bot) <-chan bool {
	done := make(chan bool, 1)
	if s == nil || len(r.Header[hopHeader]) > 0 {
		done <- true
		return done
	}
	go func() {
		taken := make([]bool, len(s.urls))
		turns := make(chan struct{}, maxSiblings)
		var all sync.WaitGroup
		for i, url := range s.urls {
			all.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				taken[i] = s.post(ctx, url+"/webhook", r.Header, body, bot)
			})
		}
		all.Wait()
		done <- !slices.Contains(taken, false)
	}()
	return done
}

func (s *siblings) post(ctx context.Context, url string, header http.Header, body []byte, bot *bot) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		s.log.ErrorContext(ctx, "sibling has no usable address", "error", err)
		return false
	}
	signature.CopyHeaders(req.Header, header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(hopHeader, "1")
	if bot != nil {
		req.Header.Set(botHeader, bot.hash)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.count(0, err)
		s.log.WarnContext(ctx, "sibling does not answer", "sibling", req.URL.Host, "error", err)
		return false
	}
	s.count(resp.StatusCode, nil)
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		// What comes with it stays unread: after a 101 it would come without a time limit.
		s.log.WarnContext(ctx, "sibling refuses the call", "sibling", req.URL.Host, "code", resp.StatusCode)
		return false
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxStrayBody)) // so that the connection can be used again
	return true
}
