//go:build browser

package browser

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/webhookserver"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/logtest"
)

// clock is one that a test moves ahead of the machine's.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) set(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = ahead
}

// startOwn starts a server inside the test, with the world's clock: no flag of the program sets one. It ends with the test.
func (w *world) startOwn(t *testing.T, settings config.Settings) *server {
	t.Helper()
	s := &server{log: &logtest.Buffer{}}
	own, err := webhookserver.New(webhookserver.Config{
		Settings: settings, SettingsHash: strings.Repeat("5", 64), Version: "test",
		OperatorKeysPath: filepath.Join(w.settings, config.OperatorKeysFile),
		Now:              w.clock.now,
		Log:              slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	at := webhookserver.Listeners{Public: listen(), Ops: listen(), Admin: listen()}
	s.public, s.ops = at.Public.Addr().String(), at.Ops.Addr().String()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- own.Serve(ctx, at, 0) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	s.untilReady(t)
	return s
}

// C29: the platform's token runs while the person is still signing in, or thinks about the question. By the server's own
// clock it is over then: the person reads to tap the button again, and is not sent into the platform's error.
func TestTimeRunsOut(t *testing.T) {
	w := newWorld(t, sqlite, func(w *world) { w.clock = &clock{} })
	for _, r := range w.routes {
		t.Run(r.name, func(t *testing.T) {
			life := link.LINETokenLife
			if r.kind == chatsim.Messenger {
				life = link.MessengerTokenLife
			}
			user, before := w.newUser(t, r, "Amy Chen"), w.counts(t, r)
			late := func(t *testing.T, p *person) {
				t.Helper()
				p.sees(t, message)
				p.reads(t, "This login took too long", "tap “Log in” again")
				for _, address := range p.asked() {
					if host(t, address) == chatHost {
						t.Errorf("the browser was sent to the platform: %s", address)
					}
				}
				if after := w.counts(t, r); after != before {
					t.Errorf("there were %s, now there are %s", before, after)
				}
			}
			// Each login begins at the provider's time, whose tokens would be too old else.
			t.Run("at the question", func(t *testing.T) {
				defer w.clock.set(0)
				p := w.newPerson(t)
				p.beAt(t, r, user)
				p.toConsent(t, w.tap(t, r, user).URL)
				p.asked()
				w.clock.set(life + time.Second)
				p.press(t, buttonLink)
				late(t, p)
			})
			t.Run("at the provider", func(t *testing.T) {
				defer w.clock.set(0)
				p := w.newPerson(t)
				p.visit(t, w.tap(t, r, user).URL)
				w.clock.set(life + time.Second)
				p.enter(t)
				late(t, p)
			})
			t.Run("in time", func(t *testing.T) {
				defer w.clock.set(0)
				p := w.newPerson(t)
				p.beAt(t, r, user)
				p.toConsent(t, w.tap(t, r, user).URL)
				w.clock.set(life - time.Minute)
				p.press(t, buttonLink)
				p.sees(t, r.platformPage())
				p.reads(t, "Accounts linked")
			})
			w.control(t, http.MethodDelete, "requests", nil, nil)
		})
	}
}
