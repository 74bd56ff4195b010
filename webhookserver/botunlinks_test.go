package webhookserver

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/botapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/unlink"
)

// toldPlatform notes whom it was told of, and fails as it is told to.
type toldPlatform struct {
	fail map[string]unlink.Cause // by user
	told []string
}

func (*toldPlatform) Credential() (secretfile.Secret, bool) {
	return secretfile.NewSecret("token"), true
}

func (p *toldPlatform) Unlink(_ context.Context, userID string, _ []link.RevocationAction, leave func() error) error {
	if err := leave(); err != nil {
		return err
	}
	p.told = append(p.told, userID)
	if cause := p.fail[userID]; cause != "" {
		return &unlink.CallError{Cause: cause}
	}
	return nil
}

// told returns and forgets whom the platform was told of.
func (p *toldPlatform) take() []string {
	told := slices.Clone(p.told)
	p.told = nil
	return told
}

// botUnlinkWorld is a channel whose platform is to be told, on a store of its own.
type botUnlinkWorld struct {
	botUnlinks
	platform *toldPlatform
	now      time.Time
}

func newBotUnlinkWorld(t *testing.T, users ...string) *botUnlinkWorld {
	t.Helper()
	opened, err := store.OpenSQLite(t.Context(), store.SQLiteOptions{Path: filepath.Join(t.TempDir(), store.DatabaseFile)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	w := &botUnlinkWorld{platform: &toldPlatform{fail: map[string]unlink.Cause{}}, now: time.Unix(1_700_000_000, 0).UTC()}
	clock := func() time.Time { return w.now }
	keeper := &storeKeeper{}
	asStore := link.Store(opened)
	keeper.current.Store(&asStore)
	w.server = &Server{log: slog.New(slog.DiscardHandler), now: clock, store: keeper}
	w.channel = &channel{Channel: config.Channel{Name: "vision-hr"}, id: "LINE/1"}
	w.channel.unlinker = unlink.New(unlink.Config{
		Channel: w.channel.id, Tell: link.TellLinked, Platform: w.platform, Now: clock, Log: w.server.log,
		Ledger: func() (link.Ledger, error) { return keeper.Store() },
	})
	for _, user := range users {
		w.link(t, user)
	}
	return w
}

// link has the user linked, as of a minute ago.
func (w *botUnlinkWorld) link(t *testing.T, user string) {
	t.Helper()
	opened, err := w.server.store.Store()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := opened.Import(t.Context(), []link.Link{{
		Channel: w.channel.id, UserID: user, LinkedAt: w.now.Add(-time.Second), Confirmed: true,
		Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "of " + user},
	}}, w.now)
	if err != nil || stored != 1 {
		t.Fatalf("%d links stored, %v", stored, err)
	}
}

func (w *botUnlinkWorld) want(t *testing.T, reason, user string, want botapi.UnlinkState, told ...string) {
	t.Helper()
	got, err := w.Unlink(t.Context(), user)
	if err != nil || got != want {
		t.Errorf("%s: %s, %v; want %s", reason, got, err, want)
	}
	if diff := cmp.Diff(told, w.platform.take()); diff != "" {
		t.Errorf("%s: the platform was told (-want +got)\n%s", reason, diff)
	}
}

func (w *botUnlinkWorld) wantRound(t *testing.T, reason string, told ...string) {
	t.Helper()
	w.round(t.Context())
	if diff := cmp.Diff(told, w.platform.take()); diff != "" {
		t.Errorf("%s: the platform was told (-want +got)\n%s", reason, diff)
	}
}

// What the platform could not be told at once, it is told later, once, whether or not the bot asks again.
func TestBotUnlinksAreFinished(t *testing.T) {
	w := newBotUnlinkWorld(t, "U1", "U2", "U3")
	w.want(t, "nothing in the way", "U1", botapi.Unlinked, "U1")
	w.want(t, "again", "U1", botapi.Unlinked)
	w.want(t, "never linked", "U9", botapi.Unlinked)
	w.wantRound(t, "nobody waits")

	w.platform.fail["U2"] = unlink.Unreachable
	w.want(t, "the platform does not answer", "U2", botapi.UnlinkWaiting, "U2")
	w.now = w.now.Add(10 * time.Second)
	w.want(t, "the bot asks again: it goes on", "U2", botapi.UnlinkWaiting, "U2")
	w.wantRound(t, "too soon")
	w.now = w.now.Add(botUnlinksEvery)
	w.wantRound(t, "in time", "U2")
	w.now = w.now.Add(botUnlinksEvery)
	w.wantRound(t, "he has waited 70 s, and is left alone for as long")
	delete(w.platform.fail, "U2")
	w.now = w.now.Add(botUnlinksEvery)
	w.wantRound(t, "the platform is back", "U2")
	w.wantRound(t, "and is told once")
	w.want(t, "the bot asks once more", "U2", botapi.Unlinked)

	w.platform.fail["U3"] = unlink.Rejected
	w.want(t, "the platform refuses for good", "U3", botapi.UnlinkFailed, "U3")
	w.now = w.now.Add(time.Hour)
	w.wantRound(t, "nobody goes on")
}

// Who has linked anew since is not unlinked by what is left of the time before, but by the bot's new word.
func TestBotUnlinksSuperseded(t *testing.T) {
	w := newBotUnlinkWorld(t, "U1", "U2")
	for _, user := range []string{"U1", "U2"} {
		w.platform.fail[user] = unlink.UpstreamFailed
		w.want(t, "the platform fails", user, botapi.UnlinkWaiting, user)
	}
	w.now = w.now.Add(2 * time.Minute)
	w.link(t, "U1")
	w.link(t, "U2")
	delete(w.platform.fail, "U1")
	delete(w.platform.fail, "U2")
	w.want(t, "the bot asks again, after the user has linked anew", "U1", botapi.Unlinked, "U1")
	w.wantRound(t, "the older one of U1 has nobody to spare, that of U2 has", "U1")
	opened, err := w.server.store.Store()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := opened.ActiveLink(t.Context(), w.channel.id, "U2", time.Time{}); err != nil {
		t.Errorf("the new link of U2: %v", err)
	}
}

// A platform that is not to be called ends the round: it would be the same for all.
func TestBotUnlinksRest(t *testing.T) {
	w := newBotUnlinkWorld(t, "U1", "U2", "U3")
	for _, user := range []string{"U1", "U2", "U3"} {
		w.platform.fail[user] = unlink.Unreachable
		w.want(t, "the platform does not answer", user, botapi.UnlinkWaiting, user)
	}
	w.now = w.now.Add(2 * time.Minute)
	for user := range w.platform.fail {
		w.platform.fail[user] = unlink.CredentialsRejected
	}
	w.round(t.Context())
	if told := w.platform.take(); len(told) != 1 {
		t.Errorf("the token is refused: tried for %v, want one", told)
	}
	w.now = w.now.Add(10 * time.Minute)
	w.wantRound(t, "nobody is called with that token any more")
}
