package webhookserver

import (
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/store"
)

// What is over goes from the store, and what is left is counted for metrics and status.
func TestUpkeep(t *testing.T) {
	opened, err := store.OpenSQLite(t.Context(), store.SQLiteOptions{Path: filepath.Join(t.TempDir(), store.DatabaseFile)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = opened.Close() }()
	now := time.Unix(1_700_000_000, 0)
	hr := &channel{Channel: config.Channel{Name: "vision-hr"}, id: "LINE/1"}
	keeper := &storeKeeper{settings: config.Store{AuditRetention: config.Duration(time.Hour)}}
	s := &Server{
		log: slog.New(slog.DiscardHandler), now: func() time.Time { return now },
		store: keeper, channels: []*channel{hr},
	}
	s.upkeepOnce(t.Context())
	if linksOf(hr) != nil {
		t.Error("links are told before there is a store")
	}

	var asStore link.Store = opened
	keeper.current.Store(&asStore)
	for flow, ends := range map[string]time.Duration{"over": -time.Hour, "open": time.Minute} {
		session := link.Session{
			Flow: flow, Channel: hr.id, Step: link.Started, StateHash: link.HashCode(flow),
			StartedAt: now.Add(ends - 10*time.Minute), ExpiresAt: now.Add(ends),
		}
		if err := opened.PutSession(t.Context(), session); err != nil {
			t.Fatal(err)
		}
	}
	linked := link.Link{
		Channel: hr.id, UserID: "U1", Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "s1"}, LinkedAt: now,
	}
	if _, err := opened.Import(t.Context(), []link.Link{linked}, now); err != nil {
		t.Fatal(err)
	}
	s.upkeepOnce(t.Context())
	if _, err := opened.Session(t.Context(), hr.id, "over"); !errors.Is(err, link.ErrNotFound) {
		t.Errorf("a session of an hour ago: %v, want %v", err, link.ErrNotFound)
	}
	if links := linksOf(hr); links == nil || links.Active != 1 {
		t.Errorf("told %+v, want 1 active link", links)
	}
	if n := hr.tally.Load().openSessions; n != 1 {
		t.Errorf("%d open sessions counted, want 1", n)
	}
}
