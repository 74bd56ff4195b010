package linktest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/link"
)

// history is what one chat user and the platform did, in the order in which it happened: each login a pending link, each
// event at a second of its own or one that it shares with others.
type history struct {
	users  []string
	logins []link.Link
	events []any // link.Confirmation or link.Unlink
}

// drawHistory draws logins of two chat users, some of which the platform confirms or refuses, and unlinkings between them.
// A code is judged by the platform once, as platforms do, so that only the order of arrival is left to chance.
func drawHistory(t *rapid.T) history {
	h := history{users: []string{"U1", "U2"}}
	for i := range rapid.IntRange(1, 6).Draw(t, "logins") {
		id := fmt.Sprint("code-", i)
		second := rapid.IntRange(0, 20).Draw(t, id+" consent")
		chatUser := rapid.SampledFrom(h.users).Draw(t, id+" user")
		l := pending(id, chatUser, rapid.SampledFrom([]string{"sub-1", "sub-2"}).Draw(t, id+" subject"))
		l.ConsentAt = moment.Add(time.Duration(second) * time.Second)
		if rapid.Bool().Draw(t, id+" for nobody in particular") {
			l.UserID = ""
		}
		h.logins = append(h.logins, l)
		at := second + rapid.IntRange(0, 20).Draw(t, id+" confirmed after")
		switch rapid.SampledFrom([]string{"confirmed", "confirmed", "confirmed", "refused", "forwarded", "never"}).Draw(t, id) {
		case "confirmed":
			h.events = append(h.events, linkedEvent(id, chatUser, at))
		case "refused":
			h.events = append(h.events, refusedEvent(id, at))
		case "forwarded": // C1: another chat user than the login is for
			h.events = append(h.events, linkedEvent(id, "U-attacker", at))
		}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "unlinkings") {
		userID := rapid.SampledFrom(h.users).Draw(t, fmt.Sprint("unlinking ", i))
		h.events = append(h.events, unlinkedEvent(userID, rapid.IntRange(0, 45).Draw(t, fmt.Sprint("unlinking ", i, " at"))))
	}
	return h
}

// happened is the model: it knows the whole history and plays it in the order in which it happened. It has no states, no
// events in wrong order and no windows: a link is whatever the last event about the user says.
func (h history) happened() map[string]string {
	type moment struct {
		at, consent time.Time
		unlinked    bool
		userID, id  string
	}
	var moments []moment
	for _, event := range h.events {
		switch e := event.(type) {
		case link.Unlink:
			moments = append(moments, moment{at: e.At, unlinked: true, userID: e.UserID})
		case link.Confirmation:
			for _, l := range h.logins {
				if e.OK && link.HashCode(l.ID) == e.Code && (l.UserID == "" || l.UserID == e.UserID) {
					moments = append(moments, moment{at: e.At, consent: l.ConsentAt, userID: e.UserID, id: l.ID})
				}
			}
		}
	}
	slices.SortFunc(moments, func(a, b moment) int {
		order := map[bool]int{false: 0, true: 1} // of one moment, unlinked comes last
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(order[a.unlinked], order[b.unlinked]), a.consent.Compare(b.consent), cmp.Compare(a.id, b.id))
	})
	links := map[string]string{}
	for _, m := range moments {
		links[m.userID] = m.id // "" when unlinked
	}
	return links
}

// machines numbers the channels of the machine's runs: each plays on a channel of its own.
var machines atomic.Int64

// testConvergence plays histories to the store in random orders, events more than once, and wants what happened.
// C2: nobody is linked before the platform's word, nor by a word for somebody else. C44: whatever the order.
func testConvergence(t *testing.T, open Open) {
	store := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt)
		deliveries := slices.Clone(h.events)
		for _, event := range h.events {
			for range rapid.IntRange(0, 2).Draw(rt, "redelivered") {
				deliveries = append(deliveries, event)
			}
		}
		seed := rapid.Uint64().Draw(rt, "order")
		// An order that can be played again, no secret.
		shuffle := rand.New(rand.NewPCG(seed, 0))
		shuffle.Shuffle(len(deliveries), func(i, j int) { deliveries[i], deliveries[j] = deliveries[j], deliveries[i] })

		channel := link.ChannelID(fmt.Sprint("machine/", machines.Add(1)))
		for _, l := range h.logins {
			l.Channel = channel
			putPending(t, store, l)
		}
		wantLinks(rt, store, channel, h, nil) // C2
		for _, event := range deliveries {
			apply(t, store, channel, event)
		}
		wantLinks(rt, store, channel, h, h.happened())
	})
	closeStore(t, store)
}

func wantLinks(t *rapid.T, store link.Store, channel link.ChannelID, h history, want map[string]string) {
	for _, userID := range append(h.users, "U-attacker", "") {
		l, err := store.ActiveLink(t.Context(), channel, userID, time.Time{})
		if err != nil && !errors.Is(err, link.ErrNotFound) {
			t.Fatal(err)
		}
		if l.ID != want[userID] {
			t.Fatalf("%q has link %q, want %q", userID, l.ID, want[userID])
		}
	}
}
