package samplebot

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"channellink.dev/operator/internal/chatsim/wire"
)

// Bounds of the bot's work.
const (
	maxBody = 1 << 20
	// queued events wait for their turn; when it is full the platform is asked to come again.
	queued = 256
	// remembered events are not taken twice.
	remembered = 1000
	// workTime bounds what is done about one event.
	workTime = 20 * time.Second
	askTime  = 15 * time.Second
)

// Bot answers on the company's channels.
type Bot struct {
	channels []*channel
	leave    Leave
	ask      *http.Client
	log      *slog.Logger
	wire     *wire.Reporter
	events   chan event

	// What follows belongs to Run.
	codes map[person]string
	seen  []string
}

// person is somebody in one channel.
type person struct{ channel, user string }

// channel is a Channel with its own way to the server.
type channel struct {
	Channel
	server *http.Client
}

// Options are what a bot works with.
type Options struct {
	Log *slog.Logger
	// Wire is told of requests; nil for nobody.
	Wire *wire.Reporter
	// Transport reaches platforms, servers and the leave service; nil means the default one.
	Transport http.RoundTripper
}

// New returns the bot. Run has to run.
func New(config Config, o Options) (*Bot, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	transport := o.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	b := &Bot{
		leave: config.Leave, log: o.Log, wire: o.Wire, ask: &http.Client{Transport: transport, Timeout: askTime},
		events: make(chan event, queued), codes: map[person]string{},
	}
	for _, c := range config.Channels {
		b.channels = append(b.channels, &channel{
			c, &http.Client{Transport: o.Wire.Asks("server", c.Name, transport), Timeout: askTime},
		})
	}
	return b, nil
}

// Handler serves the webhook of each channel at /NAME.
func (b *Bot) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, c := range b.channels {
		mux.Handle("POST /"+c.Name, b.wire.Took("server", b.webhook(c)))
	}
	return mux
}

// webhook verifies a call and queues what happened. It answers at once: LINE waits for two seconds.
func (b *Bot) webhook(c *channel) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wire.About(r.Context(), c.Name)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "cannot read the body", http.StatusBadRequest)
			return
		}
		if !c.signed(r.Header, body) {
			b.log.WarnContext(r.Context(), "signature refused", "channel", c.Name)
			http.Error(w, "the signature is wrong or missing", http.StatusUnauthorized)
			return
		}
		events, err := c.read(body)
		if err != nil {
			http.Error(w, "the body is no webhook's", http.StatusBadRequest)
			return
		}
		for _, e := range events {
			e.channel = c
			select {
			case b.events <- e:
			default:
				http.Error(w, "busy", http.StatusServiceUnavailable)
				return
			}
		}
		w.WriteHeader(http.StatusOK)
	}
}

func (c *channel) read(body []byte) ([]event, error) {
	if c.Platform == onLINE {
		return readLINE(body)
	}
	return readMessenger(body)
}

// signed checks the platform's signature over the body as it came.
func (c *channel) signed(h http.Header, body []byte) bool {
	mac := hmac.New(sha256.New, []byte(c.Secret))
	mac.Write(body)
	var given []byte
	var err error
	if c.Platform == onLINE {
		given, err = base64.StdEncoding.DecodeString(h.Get("X-Line-Signature"))
	} else {
		digest, ok := strings.CutPrefix(h.Get("X-Hub-Signature-256"), "sha256=")
		if !ok {
			return false
		}
		given, err = hex.DecodeString(digest)
	}
	return err == nil && hmac.Equal(given, mac.Sum(nil))
}

// Run works on what happened, one event after the other, until the context ends.
func (b *Bot) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-b.events:
			if b.again(e.id) {
				continue
			}
			b.handle(ctx, e)
		}
	}
}

// again reports whether the event was taken before.
func (b *Bot) again(id string) bool {
	if slices.Contains(b.seen, id) {
		return true
	}
	if len(b.seen) == remembered {
		b.seen = append(b.seen[:0], b.seen[1:]...)
	}
	b.seen = append(b.seen, id)
	return false
}
