package chatsim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// webhook is an event of the platform, ready to be sent.
type webhook struct {
	// render makes body and headers; again is true for a redelivery, which LINE marks.
	render     func(again bool) ([]byte, http.Header)
	answerTime time.Duration
	// about is the user whom it is about; nil when that is nobody.
	about *user
	// user is who is linked now, or not any more; nil when a linking failed.
	user   *user
	linked bool
}

// deliver sends a webhook to who listens: the bot of the company, or BotBonnie. It returns whether it was acknowledged. It
// waits for the answer, so that a test knows what has happened when the platform's page appears; the real platforms do not.
func (s *Simulator) deliver(ctx context.Context, c *channel, hook *webhook) bool {
	s.mu.Lock()
	c.last = hook
	switches := c.switches
	s.mu.Unlock()
	if c.BotBonnie != nil {
		if switches.Relay {
			s.send(ctx, c, hook, switches)
		}
		if hook.user != nil && !switches.Mute {
			s.tellLinked(ctx, c, hook.user, hook.linked)
		}
		return true // BotBonnie itself has taken it
	}
	if switches.WebhookOff {
		return false
	}
	return s.send(ctx, c, hook, switches)
}

// send posts a webhook to the server as often as the switches say.
func (s *Simulator) send(ctx context.Context, c *channel, hook *webhook, switches Switches) bool {
	acknowledged := s.post(ctx, c, hook, false)
	for range switches.Redeliver {
		if acknowledged {
			break
		}
		acknowledged = s.post(ctx, c, hook, true)
	}
	for range switches.Duplicates {
		s.post(ctx, c, hook, true)
	}
	return acknowledged
}

// post sends once and records it. Every platform takes 2xx for an acknowledgement and nothing else.
func (s *Simulator) post(ctx context.Context, c *channel, hook *webhook, again bool) bool {
	s.mu.Lock()
	address := c.webhookURL()
	s.mu.Unlock()
	body, header := hook.render(again)
	status, _ := s.call(ctx, c, sending{http.MethodPost, address, header, body, hook.answerTime, hook.about})
	return status >= 200 && status <= 299
}

// sending is a request that a platform makes.
type sending struct {
	method, address string
	header          http.Header
	body            []byte
	within          time.Duration
	about           *user
}

// call sends a request and records it with its answer. The status is 0 when there is no answer in time.
func (s *Simulator) call(ctx context.Context, c *channel, out sending) (int, []byte) {
	ctx, cancel := context.WithTimeout(ctx, out.within)
	defer cancel()
	sent := Request{
		At: s.now(), Sent: true, From: c.sender(), To: theServer, Channel: c.Name, Method: out.method, Path: out.address, Body: string(out.body),
		Signed: signatureOf(out.header),
	}
	if out.about != nil {
		sent.User = out.about.ID
	}
	defer func() { s.log.add(sent) }()
	req, err := http.NewRequestWithContext(ctx, out.method, out.address, bytes.NewReader(out.body))
	if err != nil {
		sent.Refusal = err.Error()
		return 0, nil
	}
	if out.header != nil {
		req.Header = out.header
	}
	resp, err := s.client.Do(req)
	if err != nil {
		sent.Refusal = err.Error()
		return 0, nil
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		sent.Refusal = err.Error()
		return 0, nil
	}
	sent.Status, sent.Answer = resp.StatusCode, string(answer)
	return resp.StatusCode, answer
}

// signatureOf names the header that proves who sends a request; empty without one.
func signatureOf(h http.Header) string {
	for _, name := range []string{"X-Line-Signature", "X-Hub-Signature-256", "X-Hub-Signature"} {
		if h.Get(name) != "" {
			return name
		}
	}
	return ""
}
