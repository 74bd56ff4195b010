package webhookserver

import (
	"context"
	"errors"
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

// The bot's word ends every login that began before it, also when an earlier word about the same user waits still: none of
// them becomes a link behind the bot's back. The platform is told once.
func TestBotUnlinksEndLoginsBegunSince(t *testing.T) {
	for _, c := range []struct {
		reason string
		knows  string // the user that the login is known to be of
		tell   link.Telling
		told   []string // of the second word
	}{
		{"of this user, on a platform that knows of links alone", "U1", link.TellLinked, []string{"U1"}},
		{"of nobody in particular", "", link.TellLinked, []string{"U1"}},
		{"of this user, and the platform may have its code", "U1", link.TellPossible, []string{"U1"}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			w := newBotUnlinkWorld(t, "U1")
			w.channel.unlinker.Tell = c.tell
			w.platform.fail["U1"] = unlink.Unreachable
			w.want(t, "the platform does not answer", "U1", botapi.UnlinkWaiting, "U1")

			w.now = w.now.Add(time.Minute)
			code := w.login(t, c.knows)
			w.now = w.now.Add(time.Minute)
			w.want(t, "the bot asks again, after a login has begun", "U1", botapi.UnlinkWaiting, c.told...)

			opened, err := w.server.store.Store()
			if err != nil {
				t.Fatal(err)
			}
			w.now = w.now.Add(time.Second)
			got, err := opened.Confirm(t.Context(), link.Confirmation{Channel: w.channel.id, Code: code, UserID: "U1", OK: true, At: w.now}, w.now)
			if err != nil || got == link.Activated {
				t.Errorf("the platform confirms the login: %s, %v", got, err)
			}
			if _, err := opened.ActiveLink(t.Context(), w.channel.id, "U1", time.Time{}); !errors.Is(err, link.ErrNotFound) {
				t.Errorf("after the bot was told that he is not linked: %v, want none", err)
			}
		})
	}
}

// login has somebody log in and give consent now: the link waits for the platform's word.
func (w *botUnlinkWorld) login(t *testing.T, user string) link.CodeHash {
	t.Helper()
	opened, err := w.server.store.Store()
	if err != nil {
		t.Fatal(err)
	}
	code := link.HashCode("code")
	identity := link.Identity{Issuer: "https://sso.vision.example", Subject: "of " + user}
	session := link.Session{
		Flow: "flow", Channel: w.channel.id, Step: link.Identified, UserID: user, Identity: identity,
		StartedAt: w.now, ExpiresAt: w.now.Add(10 * time.Minute),
	}
	if err := opened.PutSession(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	err = opened.Consent(t.Context(), session.Flow, link.Link{
		Channel: w.channel.id, UserID: user, Identity: identity, State: link.Pending,
		CodeHash: code, LoginAt: w.now, ConsentAt: w.now, ExpiresAt: w.now.Add(10 * time.Minute),
	}, 0, false)
	if err != nil {
		t.Fatal(err)
	}
	return code
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
