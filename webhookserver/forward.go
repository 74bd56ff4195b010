package webhookserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/outbound"
)

const (
	// botConns is how many calls a bot is sent at once. The others wait, within their time.
	botConns = 128
	// maxBotAnswer is what is read of a bot's answer so that its connection can be used again. Platforms read none of it.
	maxBotAnswer = 64 << 10
)

// bot is the webhook that was there before (webhook.forwardTo). It gets every verified call as the platform sent it, and
// verifies for itself.
type bot struct {
	url     string
	hash    string // of url, by which siblings know it
	timeout time.Duration
	client  *outbound.Client
	channel string
	log     *slog.Logger
}

// newBot returns the bot of a channel, or nil without one.
func (s *Server) newBot(c *channel, network config.Network) *bot {
	if c.Webhook.ForwardTo == "" {
		return nil
	}
	hash := sha256.Sum256([]byte(c.Webhook.ForwardTo))
	return &bot{
		url:     c.Webhook.ForwardTo,
		hash:    hex.EncodeToString(hash[:]),
		timeout: c.Webhook.Timeout.Std(),
		client: outbound.New(outbound.Options{
			Policy: backendPolicy(network), Timeout: c.Webhook.Timeout.Std(), MaxBody: maxBotAnswer, MaxConns: botConns,
			Called: func(status int, err error) { s.metrics.called(c.Name, targetForward, status, err) },
		}),
		channel: c.Name,
		log:     s.log,
	}
}

// close closes the connections that carry no call.
func (b *bot) close() {
	if b != nil {
		b.client.CloseIdleConnections()
	}
}

// forward hands a verified call to the bot and returns the status that the platform is to see: 200 when the bot has taken
// it, the bot's own when it has not, 502 or 504 when it did not answer.
func (b *bot) forward(ctx context.Context, r *http.Request, body []byte, batch event.Batch, timeout time.Duration) int {
	if b == nil || b.servedElsewhere(r.Header, batch) {
		return http.StatusOK
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(body))
	if err != nil {
		b.log.ErrorContext(ctx, "bot has no usable address", "channel", b.channel)
		return http.StatusBadGateway
	}
	copyEndToEnd(req.Header, r.Header)
	status := 0
	resp, err := b.client.Do(req)
	if err == nil {
		status = resp.Status
	} else if failed, ok := errors.AsType[*outbound.Error](err); ok && failed.Reason == outbound.TooLarge {
		status, err = failed.Status, nil // nobody reads it
	}
	switch {
	case errors.Is(err, outbound.TimedOut):
		status = http.StatusGatewayTimeout
	case err != nil || status < http.StatusOK || http.StatusText(status) == "":
		status = http.StatusBadGateway
	case status < http.StatusMultipleChoices:
		return http.StatusOK
	}
	b.log.WarnContext(ctx, "bot has not taken a call", "channel", b.channel, "code", status, "reason", string(outbound.ReasonOf(err)))
	return status
}

// servedElsewhere reports whether a call that a sibling handed on is not for this bot: there is nothing of its page in it, or
// the sibling forwards it to the same bot.
func (b *bot) servedElsewhere(h http.Header, batch event.Batch) bool {
	return len(h[hopHeader]) > 0 && (!batch.Ours || h.Get(botHeader) == b.hash)
}

// notPassedOn are the headers that end here: those between two hops (RFC 9110, section 7.6.1), what proxies note about the
// caller, and credentials, which no platform sends and which the signature does not cover.
var notPassedOn = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Connection": true, "Te": true, "Trailer": true, "Transfer-Encoding": true,
	"Upgrade": true, "Content-Length": true, "Expect": true,
	"Proxy-Authenticate": true, "Proxy-Authorization": true, "Authorization": true, "Cookie": true,
	"Forwarded": true, "X-Real-Ip": true, hopHeader: true, botHeader: true,
}

// copyEndToEnd copies what the platform sent: signatures, content type, user agent and whatever it adds one day.
func copyEndToEnd(dst, src http.Header) {
	dst.Set("User-Agent", "") // or Go would add its own
	perHop := src.Values("Connection")
	for name, values := range src {
		if notPassedOn[name] || strings.HasPrefix(name, "X-Forwarded-") || listed(perHop, name) {
			continue
		}
		dst[name] = append([]string(nil), values...)
	}
}

// listed reports whether a Connection header names the header.
func listed(perHop []string, name string) bool {
	for _, line := range perHop {
		for option := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(option), name) {
				return true
			}
		}
	}
	return false
}

// pace divides the time that a platform waits for the answer to a call.
type pace struct {
	// own is when our part must be done, bot how long the bot then has.
	own time.Time
	bot time.Duration
}

// paceOf gives the bot what the settings say, as far as the platform's patience goes, and our own work the rest.
func paceOf(h hook, b *bot, header http.Header, began time.Time) pace {
	patience := h.patience
	if len(header[hopHeader]) > 0 {
		patience = min(patience, siblingTimeout-time.Second) // a sibling waits for the answer
	}
	var p pace
	if b != nil {
		p.bot = min(b.timeout, patience-ownShare)
	}
	p.own = began.Add(patience - p.bot)
	return p
}

// answerUnless answers 503 in the handler's place when that has not called inTime by then, so that the platform
// hears of it while it listens. The handler's work goes on, and counts when the platform comes again. inTime reports whether
// the answer is still the handler's to give; the handler calls it on every path.
func answerUnless(w http.ResponseWriter, r *http.Request, by time.Time) (inTime func() bool) {
	answered := make(chan struct{})
	timer := time.AfterFunc(time.Until(by), func() {
		defer close(answered)
		w.Header().Set("Connection", "close") // the next request would wait for this one's work
		writeJSONProblem(w, r, http.StatusServiceUnavailable)
		_ = http.NewResponseController(w).Flush() // an error means that the platform is gone
	})
	return sync.OnceValue(func() bool {
		if timer.Stop() {
			return true
		}
		<-answered
		return false
	})
}
