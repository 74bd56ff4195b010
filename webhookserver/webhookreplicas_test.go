package webhookserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// C38: three replicas get the same event, a hundred times in all and at once: one of them carries it out, once, and nobody is
// sent away.
func TestWebhookStormOnReplicas(t *testing.T) {
	const field = "store.postgres.dsnSecretRef"
	pg := pgtest.Start(t)
	dsn := pg.DSN(pg.NewDatabase(t))
	var replicas []*world
	for range 3 {
		w := newWorld(t, onFacebook, func(w *world, s *config.Settings) {
			s.Store.SQLite = nil
			s.Store.Postgres = &config.Postgres{DSN: config.File{Field: field, Path: w.References.Path(field)}, MaxConns: 4}
			w.files[field] = dsn
		})
		w.untilReady(t)
		replicas = append(replicas, w)
	}
	opened, err := store.OpenPostgres(t.Context(), store.PostgresOptions{DSN: secretfile.NewSecret(dsn), MaxConns: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = opened.Close() }()
	kept := &links{opened, link.NewChannelID("Facebook", pageID)}
	now := time.Now()
	kept.pending(t, psid, aliceCode, now, 5*time.Minute)
	body := metaEvent(pageID, psid, metaLinked(aliceCode), now)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			if a := replicas[i%3].post(t, "/hr/webhook", body, byMeta(body)); a.Code != http.StatusOK {
				t.Errorf("%d %s", a.Code, a.Body)
			}
		})
	}
	all.Wait()
	activated, repeated := 0, 0
	for _, w := range replicas {
		for line := range strings.Lines(do(t, http.MethodGet, w.Ops+"/metrics", nil).Body) {
			var n int
			if _, err := fmt.Sscanf(line, `channellink_link_events_total{channel="vision-hr",kind="linked",outcome="activated"} %d`, &n); err == nil {
				activated += n
			}
			if _, err := fmt.Sscanf(line, `channellink_link_events_total{channel="vision-hr",kind="linked",outcome="repeated"} %d`, &n); err == nil {
				repeated += n
			}
		}
	}
	if activated != 1 || repeated != 99 || !kept.active(t, psid) {
		t.Errorf("activated %d times, repeated %d, linked %t", activated, repeated, kept.active(t, psid))
	}
}

// C47: while both values are mounted, both verify; the old one ends with its line. No request is refused on the way.
func TestWebhookSecretRotation(t *testing.T) {
	w := newWorld(t)
	w.untilReady(t)
	body := `{"destination":"x","events":[]}`
	old := byLINE(body)
	with := func(secrets string) { w.mount(t, map[string]string{fieldChannelSecret: secrets}) }
	answered := func(header http.Header, want int) func() error {
		return func() error {
			if a := w.post(t, "/hr/webhook", body, header); a.Code != want {
				return fmt.Errorf("%d, want %d", a.Code, want)
			}
			return nil
		}
	}
	if err := answered(old, http.StatusOK)(); err != nil {
		t.Fatal(err)
	}
	fresh := signedByLINE(canary+"-fresh", body)
	if err := answered(fresh, http.StatusUnauthorized)(); err != nil {
		t.Fatal(err)
	}
	with(canary + "-fresh\n" + lineSecret + "\n")
	eventually(t, answered(fresh, http.StatusOK))
	if err := answered(old, http.StatusOK)(); err != nil {
		t.Error(err)
	}
	with(canary + "-fresh\n")
	eventually(t, answered(old, http.StatusUnauthorized))
	if err := answered(fresh, http.StatusOK)(); err != nil {
		t.Error(err)
	}
}
