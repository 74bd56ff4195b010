package webhookserver_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/store/pgtest"
)

// leaver is who is linked in most cases.
var leaver = link.Identity{Issuer: "https://sso.vision.example", Subject: "00u1a2b3c4", Account: "j.dupont@vision.example"}

func wantResult(t *testing.T, reason string, want, got adminapi.UnlinkResult) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(adminapi.UnlinkResult{}, "StartedAt")); diff != "" {
		t.Errorf("%s (-want +got)\n%s", reason, diff)
	}
	if got.StartedAt.IsZero() != (want.Attempts == 0 && want.Counts == adminapi.UnlinkCounts{}) {
		t.Errorf("%s: begun at %v", reason, got.StartedAt)
	}
}

// unlinkedOne is the result for one user with whom all is done.
func unlinkedOne(userID string, attempts int32) adminapi.UnlinkResult {
	return adminapi.UnlinkResult{
		Attempts: attempts, Counts: adminapi.UnlinkCounts{Unlinked: 1},
		Users: []adminapi.UnlinkUser{{User: masked(userID), State: adminapi.UnlinkDone, Attempts: attempts}},
	}
}

// C71: BotBonnie is told once, with the actions, and asked again nobody calls.
func TestUnlinkAtBotBonnie(t *testing.T) {
	u := newUpstream(t, botBonnieOK)
	w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()))
	kept.linkedAs(t, lineUser, leaver, aMinuteAgo())
	kept.linkedAs(t, lineUserN(1), leaver, aMinuteAgo())
	asked := adminapi.Unlink{
		UserID: lineUser, Requester: "AccountUnlink hr/leaver-1234", Reason: "HR-1234 leaver",
		Actions: []adminapi.UnlinkAction{{Type: "addTag", Value: "tag-4VW8DDgwu"}, {Type: "notifyAgent", Message: "用戶已解除綁定"}},
	}
	for range 3 {
		wantResult(t, "unlinked", unlinkedOne(lineUser, 1), w.unlink(t, unlinkID, asked))
	}
	want := []told{{
		Method: "POST", Path: "/v1/api/accountLink/unlink", Authorization: "Bearer " + canary + "-token", ContentType: "application/json",
		Body: `{"bot_id":"bot-M-BOieOXZ","bot_raw_uid":"` + lineUser + `","bot_pid":"507oftxz","bot_channel":1,"actions":[` +
			`{"type":"addTag","value":"tag-4VW8DDgwu"},{"type":"notifyAgent","message":"用戶已解除綁定"}]}` + "\n",
		Query: map[string][]string{},
	}}
	if diff := cmp.Diff(want, u.told()); diff != "" {
		t.Errorf("BotBonnie was told (-want +got)\n%s", diff)
	}
	if kept.active(t, lineUser) || !kept.active(t, lineUserN(1)) {
		t.Error("the wrong user is linked")
	}
	if text := w.logs.String(); strings.Contains(text, lineUser) || !strings.Contains(text, unlinkID) {
		t.Errorf("the log names the user, or not the request:\n%s", text) // C27
	}
}

// A Messenger page behind BotBonnie is channel 0, and Graph is not called.
func TestUnlinkOfPSIDAtBotBonnie(t *testing.T) {
	u := newUpstream(t, botBonnieOK)
	w, kept := unlinkWorld(t, "Facebook", pageID, onFacebook, atGraph(u), behindBotBonnie(u.api()), func(_ *world, s *config.Settings) {
		s.Channels[0].LINE = nil
	})
	kept.linkedAs(t, psid, leaver, aMinuteAgo())
	wantResult(t, "unlinked", unlinkedOne(psid, 1), w.unlink(t, unlinkID, adminapi.Unlink{UserID: psid}))
	const want = `{"bot_id":"bot-M-BOieOXZ","bot_raw_uid":"` + psid + `","bot_pid":"` + pageID + `","bot_channel":0}` + "\n"
	if got := u.told(); len(got) != 1 || got[0].Body != want {
		t.Errorf("told %+v", got)
	}
}

// C71: Messenger is told once, with the newest token and the proof of the newest app secret.
func TestUnlinkAtMessenger(t *testing.T) {
	u := newUpstream(t, replies(http.StatusOK, `{"result":"unlink account success"}`))
	w, kept := unlinkWorld(t, "Facebook", pageID, onFacebook, atGraph(u))
	kept.linkedAs(t, psid, leaver, aMinuteAgo())
	for range 2 {
		wantResult(t, "unlinked", unlinkedOne(psid, 1), w.unlink(t, unlinkID, adminapi.Unlink{UserID: psid}))
	}
	calls := u.told()
	if len(calls) != 1 {
		t.Fatalf("%d calls", len(calls))
	}
	got := calls[0]
	if got.Path != "/v23.0/me/unlink_accounts" || got.Body != `{"psid":"`+psid+`"}` || got.Query["access_token"][0] != pageToken || len(got.Query["appsecret_proof"]) != 1 {
		t.Errorf("told %+v", got)
	}
	if kept.active(t, psid) {
		t.Error("the link is still there")
	}
}

// Where the platform keeps no links, or cannot be told, revoking here is all there is to do; actions have nobody to take
// them, and nothing is done then.
func TestUnlinkWithoutACall(t *testing.T) {
	for _, c := range []struct {
		reason               string
		platform, page, user string
		options              []option
	}{
		{"LINE keeps no links", "LINE", oaID, lineUser, nil},
		{"Messenger without a page token", "Facebook", pageID, psid, []option{onFacebook}},
	} {
		w, kept := unlinkWorld(t, c.platform, c.page, c.options...)
		kept.linkedAs(t, c.user, leaver, aMinuteAgo())
		asked := adminapi.Unlink{UserID: c.user, Actions: []adminapi.UnlinkAction{{Type: "addTag", Value: "tag-1"}}}
		wantResult(t, c.reason+": actions", adminapi.UnlinkResult{Cause: adminapi.UnlinkActionsNotSupported}, w.unlink(t, "with-actions", asked))
		if !kept.active(t, c.user) {
			t.Errorf("%s: the link was closed all the same", c.reason)
		}
		want := unlinkedOne(c.user, 1)
		want.Users[0].Attempts = 0 // nobody was called
		wantResult(t, c.reason, want, w.unlink(t, unlinkID, adminapi.Unlink{UserID: c.user}))
		if kept.active(t, c.user) {
			t.Errorf("%s: still linked", c.reason)
		}
	}
}

// Who is not linked is called for only if that is asked, or if BotBonnie may have his code.
func TestUnlinkOfNobody(t *testing.T) {
	u := newUpstream(t, botBonnieOK)
	w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()))
	waiting := lineUserN(2)
	kept.pending(t, waiting, aliceCode, aMinuteAgo(), 10*time.Minute)

	nobody := adminapi.UnlinkResult{
		Attempts: 1, Counts: adminapi.UnlinkCounts{NotLinked: 1},
		Users: []adminapi.UnlinkUser{{User: masked(lineUser), State: adminapi.UnlinkNotLinked}},
	}
	wantResult(t, "not linked", nobody, w.unlink(t, "one", adminapi.Unlink{UserID: lineUser}))
	wantResult(t, "a person whom nobody knows", adminapi.UnlinkResult{Attempts: 1}, w.unlink(t, "two", adminapi.Unlink{Subject: "00u9"}))
	u.wantCalls(t, 0)
	wantResult(t, "ifUnknown: Call", unlinkedOne(lineUser, 1), w.unlink(t, "three", adminapi.Unlink{UserID: lineUser, CallUnknown: true}))
	u.wantCalls(t, 1)
	wantResult(t, "redirected, and never confirmed", unlinkedOne(waiting, 1), w.unlink(t, "four", adminapi.Unlink{UserID: waiting}))
	u.wantCalls(t, 2)

	graph := newUpstream(t, botBonnieOK)
	page, pages := unlinkWorld(t, "Facebook", pageID, onFacebook, atGraph(graph))
	pages.pending(t, psid, aliceCode, aMinuteAgo(), 5*time.Minute)
	nobody.Users[0].User = masked(psid)
	wantResult(t, "Messenger tells who is linked there", nobody, page.unlink(t, unlinkID, adminapi.Unlink{UserID: psid, CallUnknown: true}))
	graph.wantCalls(t, 0)
}

// A person's links all end, those of somebody else with the same `sub` or account at another issuer do not.
func TestUnlinkOfAPerson(t *testing.T) {
	u := newUpstream(t, botBonnieOK)
	w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()))
	elsewhere, here := leaver, leaver
	elsewhere.Issuer, here.Issuer = "https://sso.elsewhere.example", w.Issuer.URL
	for n, who := range []link.Identity{here, here, elsewhere, here, leaver, leaver} {
		kept.linkedAs(t, lineUserN(n), who, aMinuteAgo())
	}
	for i, c := range []struct {
		reason string
		asked  adminapi.Unlink
		left   []int
	}{
		{"by sub; the issuer is the channel's", adminapi.Unlink{Subject: leaver.Subject}, []int{2, 4, 5}},
		{"by account, at an issuer of before", adminapi.Unlink{Account: leaver.Account, Issuer: leaver.Issuer}, []int{2}},
		{"an account is compared exactly", adminapi.Unlink{Account: strings.ToUpper(leaver.Account), Issuer: elsewhere.Issuer}, []int{2}},
		{"everybody", adminapi.Unlink{All: true}, nil},
	} {
		if got := w.unlink(t, "asked-"+string(rune('a'+i)), c.asked); got.More || got.Counts.Waiting+got.Counts.Failed != 0 {
			t.Errorf("%s: %+v", c.reason, got)
		}
		var left []int
		for n := range 6 {
			if kept.active(t, lineUserN(n)) {
				left = append(left, n)
			}
		}
		if diff := cmp.Diff(c.left, left); diff != "" {
			t.Errorf("%s: left are (-want +got)\n%s", c.reason, diff)
		}
	}
	u.wantCalls(t, 6)
}

// C72: who has logged in since keeps his link, whether he did so before the first attempt or between two.
func TestUnlinkSparesLaterLogins(t *testing.T) {
	u := newUpstream(t, replies(http.StatusInternalServerError, ""))
	w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()))
	fence := time.Now().Add(-10 * time.Second)
	superseded := func(userID string, attempts, calls int32) adminapi.UnlinkResult {
		return adminapi.UnlinkResult{
			Attempts: attempts, Counts: adminapi.UnlinkCounts{Superseded: 1},
			Users: []adminapi.UnlinkUser{{User: masked(userID), State: adminapi.UnlinkSuperseded, Attempts: calls}},
		}
	}
	kept.linkedAs(t, lineUserN(1), leaver, fence.Add(time.Second))
	asked := adminapi.Unlink{UserID: lineUserN(1), LinkedBefore: fence}
	wantResult(t, "before the first attempt", superseded(lineUserN(1), 1, 0), w.unlink(t, "one", asked))
	u.wantCalls(t, 0)

	kept.linkedAs(t, lineUserN(2), leaver, aMinuteAgo())
	asked.UserID = lineUserN(2)
	if got := w.unlink(t, "two", asked); !got.More {
		t.Fatalf("while BotBonnie fails: %+v", got)
	}
	again := link.Identity{Issuer: leaver.Issuer, Subject: "00u5"}
	kept.linkedAs(t, lineUserN(2), again, fence.Add(2*time.Second))
	u.answers(botBonnieOK)
	wantResult(t, "between two attempts", superseded(lineUserN(2), 2, 1), w.unlink(t, "two", asked))
	u.wantCalls(t, 1)
	if !kept.active(t, lineUserN(1)) || !kept.active(t, lineUserN(2)) {
		t.Error("a newer link has ended")
	}
}

// While BotBonnie fails, everybody treats the user as unlinked from the first attempt on.
func TestUnlinkedFromTheFirstAttempt(t *testing.T) {
	u := newUpstream(t, replies(http.StatusInternalServerError, canary))
	b := newBackend(t)
	w, kept := unlinkWorld(t, "LINE", oaID, behindBotBonnie(u.api()), withBotAPI, withServices(leave(b)))
	kept.linkedAs(t, lineUser, leaver, aMinuteAgo())
	form := "token=code-" + lineUser + "&user_id=" + lineUser
	ask := func() (service string, linked, active any) {
		t.Helper()
		service = message(t, w.ask(t, "leave-balance", moduleCall(lineUser, `,"user":{"locale":"en"}`))).Text
		return service, w.asBot(t, http.MethodGet, "/hr/api/v1/users/"+lineUser, "").decoded(t)["linked"], w.introspect(t, form).decoded(t)["active"]
	}
	if service, linked, active := ask(); !strings.Contains(service, "14") || linked != true || active != true {
		t.Fatalf("before: %q, %v, %v", service, linked, active)
	}
	want := adminapi.UnlinkResult{
		Attempts: 1, Cause: adminapi.UnlinkUpstreamFailed, More: true, Counts: adminapi.UnlinkCounts{Waiting: 1},
		Users: []adminapi.UnlinkUser{{User: masked(lineUser), State: adminapi.UnlinkWaiting, Cause: adminapi.UnlinkUpstreamFailed, Attempts: 1, HTTPStatus: 500}},
	}
	wantResult(t, "BotBonnie fails", want, w.unlink(t, unlinkID, adminapi.Unlink{UserID: lineUser}))
	for range 2 {
		if service, linked, active := ask(); !strings.Contains(service, "log in") || linked != false || active != false {
			t.Errorf("after the first attempt: %q, %v, %v", service, linked, active)
		}
		u.answers(botBonnieOK)
		wantResult(t, "BotBonnie is back", unlinkedOne(lineUser, 2), w.unlink(t, unlinkID, adminapi.Unlink{UserID: lineUser}))
	}
}

// C71: two replicas are asked at once, again and again: each user is told of once, and whoever comes second is told so.
func TestUnlinkOnReplicas(t *testing.T) {
	const field, users = "store.postgres.dsnSecretRef", 8
	pg := pgtest.Start(t)
	dsn := pg.DSN(pg.NewDatabase(t))
	u := newUpstream(t, botBonnieOK)
	var replicas []*world
	for range 2 {
		w := newWorld(t, behindBotBonnie(u.api()), func(w *world, s *config.Settings) {
			s.Channels[0].BotBonnie.MaxCallsPerSecond = 1000
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
	kept := &links{opened, link.NewChannelID("LINE", oaID)}
	for n := range users {
		kept.linkedAs(t, lineUserN(n), leaver, aMinuteAgo())
	}
	asked := adminapi.Unlink{Subject: leaver.Subject, Issuer: leaver.Issuer, LinkedBefore: time.Now()}
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			got, err := replicas[i%2].tryUnlink(t, unlinkID, asked)
			if err != nil || got.More && got.Cause != adminapi.UnlinkBusy {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	all.Wait()
	got := replicas[1].unlink(t, unlinkID, asked)
	if got.More || got.Attempts != 1 || got.Counts != (adminapi.UnlinkCounts{Unlinked: users}) {
		t.Errorf("in the end: %+v", got)
	}
	u.wantCalls(t, users)
}
