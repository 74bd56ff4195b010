package webhookserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
)

// One answer of the platform's, and where the unlinking stands after it.
type unlinkAnswer struct {
	reason string
	answer http.HandlerFunc
	cause  adminapi.UnlinkCause
	status int // that is shown
}

// answered plays the answers, each to a user of its own. What the platform has refused for good is not asked again; all
// else is, and succeeds then: with that the breaker begins anew.
func answered(t *testing.T, u *upstream, w *world, kept *links, userN func(int) string, answers []unlinkAnswer) {
	t.Helper()
	for n, c := range answers {
		userID, id := userN(n), fmt.Sprint("asked-", n)
		kept.linkedAs(t, userID, leaver, aMinuteAgo())
		u.answers(c.answer)
		before := len(u.told())
		user := adminapi.UnlinkUser{User: masked(userID), State: adminapi.UnlinkWaiting, Cause: c.cause, Attempts: 1, HTTPStatus: c.status}
		want := adminapi.UnlinkResult{Attempts: 1, Cause: c.cause, More: true, Counts: adminapi.UnlinkCounts{Waiting: 1}}
		again := unlinkedOne(userID, 2)
		calls := 2
		if c.cause == adminapi.UnlinkRejected {
			user.State = adminapi.UnlinkFailed
			want.Cause, want.More, want.Counts = "", false, adminapi.UnlinkCounts{Failed: 1}
			calls = 1
		}
		want.Users = []adminapi.UnlinkUser{user}
		if calls == 1 {
			again = want
		}
		asked := adminapi.Unlink{UserID: userID}
		wantResult(t, c.reason, want, w.unlink(t, id, asked))
		if kept.active(t, userID) {
			t.Errorf("%s: the user is linked", c.reason)
		}
		u.answers(replies(http.StatusOK, `{"result":"unlink account success"}`))
		wantResult(t, c.reason+": asked again", again, w.unlink(t, id, asked))
		if got := len(u.told()) - before; got != calls {
			t.Errorf("%s: %d calls, want %d", c.reason, got, calls)
		}
	}
}

// C74: what each answer of BotBonnie's means.
func TestBotBonniesAnswersToUnlink(t *testing.T) {
	u := newUpstream(t, botBonnieOK)
	w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()))
	answered(t, u, w, kept, lineUserN, []unlinkAnswer{
		{"a failure", replies(500, canary), adminapi.UnlinkUpstreamFailed, 500},
		{"a failure with an errorCode", replies(500, `{"errorMessage":"x","errorCode":500}`), adminapi.UnlinkUpstreamFailed, 500},
		{"out of order", replies(503, ""), adminapi.UnlinkUpstreamFailed, 503},
		{"too slow for it", replies(408, ""), adminapi.UnlinkUpstreamFailed, 408},
		{"too early for it", replies(425, ""), adminapi.UnlinkUpstreamFailed, 425},
		{"garbage", replies(200, "<html>"+canary), adminapi.UnlinkUpstreamFailed, 200},
		{"an endless answer", replies(200, strings.Repeat(" ", 2<<20)), adminapi.UnlinkUpstreamFailed, 200},
		{"a failure that its body alone tells", replies(200, `{"status":503}`), adminapi.UnlinkUpstreamFailed, 200},
		{"elsewhere", replies(302, "", "Location: http://localhost/unlink"), adminapi.UnlinkUpstreamFailed, 302},
		{"no answer", hangsUp, adminapi.UnlinkUnreachable, 0},
		{"a bad request", replies(400, canary), adminapi.UnlinkRejected, 400},
		{"no such user", replies(404, ""), adminapi.UnlinkRejected, 404},
		{"no such tag", replies(422, ""), adminapi.UnlinkRejected, 422},
		{"an errorCode in a 200", replies(200, `{"errorMessage":"`+canary+`","errorCode":404}`), adminapi.UnlinkRejected, 200},
	})
	metrics := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body
	for _, want := range []string{
		`channellink_unlink_steps_total{channel="vision-hr",result="Unlinked"} 10`,
		`channellink_unlink_steps_total{channel="vision-hr",result="Failed"} 4`,
		`channellink_unlink_steps_total{channel="vision-hr",result="UpstreamFailed"} 9`,
		`channellink_unlink_steps_total{channel="vision-hr",result="Unreachable"} 1`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("no %s in the metrics", want)
		}
	}
}

// C74: what each answer of Graph's means: its code more than its status.
func TestGraphsAnswersToUnlink(t *testing.T) {
	u := newUpstream(t, botBonnieOK)
	w, kept := unlinkWorld(t, "Facebook", pageID, onFacebook, atGraph(u), func(w *world, _ *config.Settings) {
		w.files["messenger.appSecretRef"] = appSecret + "\n" // with two, a wrong parameter may be the first one's proof
	})
	refusal := func(status, code, subcode int) http.HandlerFunc {
		return replies(status, fmt.Sprintf(`{"error":{"message":%q,"code":%d,"error_subcode":%d}}`, canary, code, subcode))
	}
	answered(t, u, w, kept, func(n int) string { return fmt.Sprint(7051340731980000 + n) }, []unlinkAnswer{
		{"a failure", replies(500, canary), adminapi.UnlinkUpstreamFailed, 500},
		{"a failure that the code alone tells", refusal(400, 2, 0), adminapi.UnlinkUpstreamFailed, 400},
		{"an unknown one", refusal(400, 1, 99), adminapi.UnlinkUpstreamFailed, 400},
		{"a limit is forgotten when Graph does not say for how long", refusal(400, 613, 0), adminapi.UnlinkRateLimited, 400},
		{"garbage", replies(200, "<html>"), adminapi.UnlinkUpstreamFailed, 200},
		{"no answer", hangsUp, adminapi.UnlinkUnreachable, 0},
		{"a parameter", refusal(400, 100, 0), adminapi.UnlinkRejected, 400},
		{"a user who cannot be reached, with a status that speaks of rights", refusal(403, 10, 2018108), adminapi.UnlinkRejected, 403},
	})
	userID := "7051340731989999"
	kept.linkedAs(t, userID, leaver, aMinuteAgo())
	u.answers(refusal(400, 10303, 0))
	wantResult(t, "not linked there", unlinkedOne(userID, 1), w.unlink(t, unlinkID, adminapi.Unlink{UserID: userID}))
}

// C74: a token that was refused is not used again, whoever asks; another one is, from the moment that it is there.
func TestUnlinkRefusedToken(t *testing.T) {
	for _, c := range []struct {
		reason         string
		platform, page string
		answer         http.HandlerFunc
		field          string
		options        func(*upstream) []option
		userN          func(int) string
		used           func(told) string
	}{
		{
			"BotBonnie, 401", "LINE", oaID, replies(401, canary), fieldToken,
			func(u *upstream) []option { return []option{behindBotBonnie(u.api())} }, lineUserN,
			func(c told) string { return strings.TrimPrefix(c.Authorization, "Bearer ") },
		}, {
			"BotBonnie, 403", "LINE", oaID, replies(403, ""), fieldToken,
			func(u *upstream) []option { return []option{behindBotBonnie(u.api())} }, lineUserN,
			func(c told) string { return strings.TrimPrefix(c.Authorization, "Bearer ") },
		}, {
			"Graph, code 190", "Facebook", pageID, replies(400, `{"error":{"code":190,"error_subcode":463}}`), fieldPage,
			func(u *upstream) []option { return []option{onFacebook, atGraph(u)} },
			func(n int) string { return fmt.Sprint(7051340731980000 + n) },
			func(c told) string { return c.Query["access_token"][0] },
		},
	} {
		u := newUpstream(t, c.answer)
		w, kept := unlinkWorld(t, c.platform, c.page, c.options(u)...)
		for n := range 2 {
			kept.linkedAs(t, c.userN(n), leaver, aMinuteAgo())
		}
		for i, id := range []string{"one", "one", "two", "one"} {
			n := map[string]int{"one": 0, "two": 1}[id]
			got := w.unlink(t, id, adminapi.Unlink{UserID: c.userN(n)})
			if got.Cause != adminapi.UnlinkCredentialsRejected || !got.More || got.Attempts != int32(1-n) {
				t.Errorf("%s, attempt %d: %+v", c.reason, i, got)
			}
			if kept.active(t, c.userN(n)) {
				t.Errorf("%s: still linked", c.reason)
			}
		}
		u.wantCalls(t, 1)

		u.answers(replies(http.StatusOK, `{"result":"unlink account success"}`))
		w.mount(t, map[string]string{c.field: canary + "-newer\n"})
		for n, id := range []string{"one", "two"} {
			eventually(t, func() error {
				if got := w.unlink(t, id, adminapi.Unlink{UserID: c.userN(n)}); got.More {
					return fmt.Errorf("%s: %+v", c.reason, got)
				}
				return nil
			})
		}
		calls := u.told()
		if len(calls) != 3 {
			t.Fatalf("%s: %d calls, want 3", c.reason, len(calls))
		}
		for _, call := range calls[1:] {
			if got := c.used(call); got != canary+"-newer" {
				t.Errorf("%s: called with %s", c.reason, got)
			}
		}
	}
}

// Without a token nobody is called, and the link is closed all the same.
func TestUnlinkMissingToken(t *testing.T) {
	u := newUpstream(t, botBonnieOK)
	var dir string
	w := newWorld(t, behindBotBonnie(u.api()), without(fieldToken), keepStore(&dir))
	w.untilStatus(t, "an open store", func(s adminapi.Status) bool { return s.Store.State == adminapi.StoreOpen })
	kept := openLinks(t, dir, "LINE", oaID)
	kept.linkedAs(t, lineUser, leaver, aMinuteAgo())
	want := adminapi.UnlinkResult{
		Cause: adminapi.UnlinkCredentialsMissing, More: true, Counts: adminapi.UnlinkCounts{Waiting: 1},
		Users: []adminapi.UnlinkUser{{User: masked(lineUser), State: adminapi.UnlinkWaiting}},
	}
	wantResult(t, "no token", want, w.unlink(t, unlinkID, adminapi.Unlink{UserID: lineUser}))
	if kept.active(t, lineUser) {
		t.Error("still linked")
	}
	u.wantCalls(t, 0)
}

// C74: Retry-After is kept to by every unlinking of the channel, and told.
func TestUnlinkRetryAfter(t *testing.T) {
	for _, c := range []struct {
		reason   string
		answer   http.HandlerFunc
		cause    adminapi.UnlinkCause
		min, max int32 // seconds
	}{
		{"too many calls", replies(429, "", "Retry-After: 120"), adminapi.UnlinkRateLimited, 119, 120},
		{"out of order, until a time", replies(503, "", "Retry-After: "+time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)), adminapi.UnlinkUpstreamFailed, 3500, 3600},
		{"longer than anybody waits", replies(429, "", "Retry-After: 99999999"), adminapi.UnlinkRateLimited, 86399, 86400},
	} {
		u := newUpstream(t, c.answer)
		w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()))
		for n := range 2 {
			kept.linkedAs(t, lineUserN(n), leaver, aMinuteAgo())
		}
		for i, id := range []string{"one", "one", "two"} {
			n := map[string]int{"one": 0, "two": 1}[id]
			got := w.unlink(t, id, adminapi.Unlink{UserID: lineUserN(n)})
			cause := c.cause
			if i > 0 {
				cause = adminapi.UnlinkRateLimited
			}
			if !got.More || got.Cause != cause || got.RetryAfterSeconds < c.min || got.RetryAfterSeconds > c.max || kept.active(t, lineUserN(n)) {
				t.Errorf("%s, attempt %d: %+v", c.reason, i, got)
			}
		}
		u.wantCalls(t, 1)
	}

	u := newUpstream(t, replies(429, "", "Retry-After: 1"))
	w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()))
	kept.linkedAs(t, lineUser, leaver, aMinuteAgo())
	begun := time.Now()
	if got := w.unlink(t, unlinkID, adminapi.Unlink{UserID: lineUser}); got.RetryAfterSeconds != 1 {
		t.Errorf("%+v", got)
	}
	u.answers(botBonnieOK)
	eventually(t, func() error {
		if got := w.unlink(t, unlinkID, adminapi.Unlink{UserID: lineUser}); got.More {
			return fmt.Errorf("%+v", got)
		}
		return nil
	})
	if took := time.Since(begun); took < time.Second {
		t.Errorf("called again after %v", took)
	}
	u.wantCalls(t, 2)
}

// C74: a platform that fails again and again is left alone for a while: of many users, five are called for.
func TestUnlinkBreaker(t *testing.T) {
	u := newUpstream(t, replies(500, ""))
	w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()))
	for n := range 8 {
		kept.linkedAs(t, lineUserN(n), leaver, aMinuteAgo())
	}
	for attempt := range 2 {
		got := w.unlink(t, unlinkID, adminapi.Unlink{Subject: leaver.Subject, Issuer: leaver.Issuer})
		if got.Cause != adminapi.UnlinkPaused || got.Counts.Waiting != 8 || got.Attempts != 1 {
			t.Errorf("attempt %d: %+v", attempt, got)
		}
	}
	u.wantCalls(t, 5)
	if counts, err := kept.CountLinks(t.Context(), kept.channel); err != nil || counts["active"] != 0 || counts["unlinking"] != 8 {
		t.Errorf("%v, %v: want all closed", counts, err)
	}
}

// C74: all calls of a channel, whatever they are for, share one bucket.
func TestUnlinkBucket(t *testing.T) {
	const perSecond, users = 4, 8
	u := newUpstream(t, botBonnieOK)
	w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()), func(_ *world, s *config.Settings) {
		s.Channels[0].BotBonnie.MaxCallsPerSecond = perSecond
	})
	for n := range users {
		kept.linkedAs(t, lineUserN(n), leaver, aMinuteAgo())
	}
	begun := time.Now()
	for _, id := range []string{"one", "two"} { // the second finds nobody: the first has them all
		if got := w.unlink(t, id, adminapi.Unlink{Subject: leaver.Subject, Issuer: leaver.Issuer}); got.More {
			t.Errorf("%s: %+v", id, got)
		}
	}
	u.wantCalls(t, users)
	if took, least := time.Since(begun), (users-perSecond)*time.Second/perSecond-100*time.Millisecond; took < least {
		t.Errorf("%d calls took %v, want %v at least", users, took, least)
	}
}
