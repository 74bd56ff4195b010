//go:build soak

package soak

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// How long something is wrong, and how long all is well before the next misfortune.
const (
	wrongTime = 5 * time.Second
	wellTime  = 10 * time.Second
)

// misfortune is one thing that goes wrong and is put right again.
type misfortune struct {
	name        string
	begin, mend func() error
}

// misfortunes lets everything go wrong in turn until ctx ends, and leaves all well.
func (w *world) misfortunes(ctx context.Context, t *testing.T) {
	all := []misfortune{
		w.weather("the database says nothing", pgtest.Weather{Hang: true}),
		w.weather("the network to the database is slow", pgtest.Weather{Latency: 300 * time.Millisecond}),
		w.weather("connections to the database break off", pgtest.Weather{Reset: true}),
		{name: "the provider is down", begin: w.provided(issuertest.Answer(http.StatusServiceUnavailable, "")), mend: w.provided(nil)},
		{name: "a server is killed", begin: func() error { return w.kill(w.servers[1]) }, mend: func() error { return w.revive(w.servers[1]) }},
		{name: "BotBonnie fails", begin: w.botBonnieFails, mend: func() error { return w.control(http.MethodDelete, "faults", nil, nil) }},
		{name: "the database crashes", begin: func() error { w.pg.Kill(t); return nil }, mend: func() error { w.pg.Resume(t); return nil }},
	}
	for i := 0; pause(ctx, wellTime); i++ {
		m := all[i%len(all)]
		if err := m.begin(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		pause(ctx, wrongTime)
		if err := m.mend(); err != nil {
			t.Errorf("%s: mending it: %v", m.name, err)
			return
		}
	}
}

// pause waits, and reports whether ctx still goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (w *world) weather(name string, bad pgtest.Weather) misfortune {
	set := func(weather pgtest.Weather) func() error {
		return func() error { w.proxy.Set(weather); return nil }
	}
	return misfortune{name: name, begin: set(bad), mend: set(pgtest.Weather{})}
}

// provided has the provider answer so at all its endpoints; nil has it behave.
func (w *world) provided(answer http.HandlerFunc) func() error {
	return func() error {
		for _, path := range []string{issuertest.DiscoveryPath, issuertest.JWKSPath, issuertest.TokenPath} {
			w.provider.Handle(path, answer)
		}
		return nil
	}
}

func (w *world) botBonnieFails() error {
	for _, f := range []chatsim.Fault{
		{Path: "/v1/api/bot/customers", Status: http.StatusInternalServerError, Times: 20},
		{Path: "/v25.0", Status: http.StatusTooManyRequests, RetryAfter: 1, Times: 20},
		{Path: "/v2/bot/profile", Times: 5}, // garbage
	} {
		if err := w.control(http.MethodPost, "faults", f, nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) kill(s *server) error {
	s.down.Store(true)
	if err := s.command.Process.Kill(); err != nil {
		return err
	}
	_ = s.command.Wait() // it was killed
	return nil
}

func (w *world) revive(s *server) error {
	if err := s.start(s.public, s.ops); err != nil {
		return fmt.Errorf("start again: %w", err)
	}
	s.down.Store(false)
	return nil
}
