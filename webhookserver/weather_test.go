package webhookserver_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// C45, C80: whatever the network to PostgreSQL does, people and platforms get their 503 soon, the pod stays ready, and once
// the weather is good again all of it works with nobody's help.
func TestPostgresInBadWeather(t *testing.T) {
	const (
		field = "store.postgres.dsnSecretRef"
		// soon is the two seconds of a call to the store, and what a busy machine adds.
		soon = 3 * time.Second
	)
	pg := pgtest.Start(t)
	proxy := pg.NewProxy(t)
	database := pg.NewDatabase(t)
	w := newWorld(t, func(w *world, s *config.Settings) {
		s.Store.SQLite = nil
		s.Store.Postgres = &config.Postgres{DSN: config.File{Field: field, Path: w.References.Path(field)}, MaxConns: 4}
		s.Channels[0].LINE.AccountLinkEndpoint = "https://access.line.me/dialog/bot/accountLink"
		w.files[field] = proxy.DSN(database)
	})
	w.untilReady(t)
	login := func() answer { return w.get(t, "/hr/authorize?linkToken="+link.NewCode()) }
	event := func() answer {
		body := lineEvent("ok", lineSource(lineUser), link.NewCode(), time.Now())
		return w.post(t, "/hr/webhook", body, byLINE(body))
	}
	works := func() error {
		if a := login(); a.Code != http.StatusFound {
			return fmt.Errorf("a login: %d", a.Code)
		}
		if a := event(); a.Code != http.StatusOK {
			return fmt.Errorf("an event: %d", a.Code)
		}
		return nil
	}
	eventually(t, works)

	for _, c := range []struct {
		reason  string
		weather pgtest.Weather
	}{
		{"the database says nothing any more", pgtest.Weather{Hang: true}},
		{"each message takes longer than a call may", pgtest.Weather{Latency: 5 * time.Second}},
		{"connections break off", pgtest.Weather{Reset: true}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			proxy.Set(c.weather)
			for name, ask := range map[string]func() answer{"a login": login, "an event": event} {
				began := time.Now()
				a := ask()
				if took := time.Since(began); a.Code != http.StatusServiceUnavailable || took > soon {
					t.Errorf("%s: %d after %s, want 503 within two seconds", name, a.Code, took)
				}
			}
			if a := w.ready(t); a.Code != http.StatusOK {
				t.Errorf("readyz: %d, want 200: taking the pod away mends no network", a.Code)
			}
			proxy.Set(pgtest.Weather{})
			eventually(t, works)
		})
	}
}
