package webhookserver

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/signature"
)

// hopHeader marks a call that another server of ours has handed on; it is not handed on again.
const hopHeader = "X-Channellink-Hop"

const (
	// siblingTimeout bounds one hand-over; Meta waits 20 s for all of them.
	siblingTimeout = 8 * time.Second
	// maxSiblings at once: hand-overs cost a connection each.
	maxSiblings = 16
)

// siblings are the servers for other pages of the same Facebook app, which has one webhook URL. Each gets the body and the
// signature as they came, and verifies for itself.
type siblings struct {
	urls   []string
	client *http.Client
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
		log: s.log,
	}
}

// hand hands a call on and tells on the channel whether every sibling has answered 200.
func (s *siblings) hand(ctx context.Context, r *http.Request, body []byte) <-chan bool {
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
				taken[i] = s.post(ctx, url+"/webhook", r.Header, body)
			})
		}
		all.Wait()
		done <- !slices.Contains(taken, false)
	}()
	return done
}

func (s *siblings) post(ctx context.Context, url string, header http.Header, body []byte) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		s.log.ErrorContext(ctx, "sibling has no usable address", "error", err)
		return false
	}
	signature.CopyHeaders(req.Header, header)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(hopHeader, "1")
	resp, err := s.client.Do(req)
	if err != nil {
		s.log.WarnContext(ctx, "sibling does not answer", "sibling", req.URL.Host, "error", err)
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxStrayBody)) // so that the connection can be used again
	if resp.StatusCode != http.StatusOK {
		s.log.WarnContext(ctx, "sibling refuses the call", "sibling", req.URL.Host, "code", resp.StatusCode)
		return false
	}
	return true
}
