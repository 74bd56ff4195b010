package webhookserver_test

import (
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// BotBonnie's word that a user is not linked ends the link, and only where it can be relied on.
func TestServiceHearsOfUnlinking(t *testing.T) {
	const yes, no = `,"bot_isLinked":true`, `,"bot_isLinked":false`
	w, b, kept := servedWorld(t, nil)
	step := func(reason, user, says, want string) {
		t.Helper()
		calls := len(b.seen())
		m := message(t, w.ask(t, "leave-balance", moduleCall(user, says)))
		linked := m.Text == "還剩 14 天"
		if linked != (want == "linked") || linked != kept.active(t, user) || linked != (len(b.seen()) > calls) {
			t.Errorf("%s: %q; active %t", reason, m.Text, kept.active(t, user))
		}
		if !linked && len(m.Buttons) != 1 {
			t.Errorf("%s: no way to log in: %+v", reason, m)
		}
	}
	longAgo, justNow := time.Now().Add(-time.Hour), time.Now().Add(-time.Minute)
	for _, user := range []string{"U1", "U2"} {
		kept.linkedSince(t, user, longAgo)
	}
	kept.linkedSince(t, "U3", justNow)
	kept.linkedSince(t, "U4", longAgo)

	step("a bot that has never said yes says no for everybody", "U1", no, "linked")
	step("it says nothing", "U1", "", "linked")
	step("it says yes", "U2", yes, "linked")
	step("now its no counts", "U1", no, "not linked")
	step("and says the same again", "U1", no, "not linked")
	step("the word may be older than a link of a minute ago", "U3", no, "linked")
	step("yes of a user whom nobody knows links nobody", "U5", yes, "not linked")
	step("what is no yes or no is nothing", "U4", `,"bot_isLinked":"false"`, "linked")
	kept.linkedSince(t, "U1", time.Now())
	step("an old no, sent again after a new login", "U1", no, "linked")
	step("another user's link is untouched", "U4", "", "linked")
}

// What one replica has heard counts on all, and after a restart.
func TestServiceSharesBelief(t *testing.T) {
	w, _, kept := servedWorld(t, nil)
	for _, user := range []string{"U1", "U2"} {
		kept.linkedSince(t, user, time.Now().Add(-time.Hour))
	}
	w.ask(t, "leave-balance", moduleCall("U1", `,"bot_isLinked":false`))
	if !kept.active(t, "U1") {
		t.Error("a bot that has never said yes was believed")
	}
	if err := kept.NoteFact(t.Context(), kept.channel, link.BotTellsLinked, time.Now()); err != nil { // by another replica
		t.Fatal(err)
	}
	w.ask(t, "leave-balance", moduleCall("U1", `,"bot_isLinked":false`))
	if kept.active(t, "U1") {
		t.Error("what another replica has heard does not count")
	}

	w, _, kept = servedWorld(t, nil)
	w.ask(t, "leave-balance", moduleCall("U5", `,"bot_isLinked":true`))
	if known, err := kept.KnowsFact(t.Context(), kept.channel, link.BotTellsLinked); err != nil || !known {
		t.Errorf("what was heard here is kept: %t, %v", known, err)
	}
}
