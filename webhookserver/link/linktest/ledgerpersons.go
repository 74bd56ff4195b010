package linktest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/link"
)

// crowd is a company's people on several channels, made to be mistaken for each other: the same chat users on each channel,
// two issuers that know the same subjects, accounts that several people share.
type crowd struct {
	scenes []scene
	linked []map[string]link.Link // by channel and chat user
}

var crowds atomic.Int64

func drawCrowd(rt *rapid.T, t *testing.T, store link.Store) crowd {
	name := crowds.Add(1)
	var c crowd
	for i := range 3 {
		s := newScene(t, store, fmt.Sprint("crowd-", name, "-", i))
		linked := map[string]link.Link{}
		var links []link.Link
		for _, userID := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"U1", "U2", "U3", "U4", "U5", "U6"}), rapid.ID).Draw(rt, "linked") {
			login := fence.Add(rapid.SampledFrom([]time.Duration{before, 0, later}).Draw(rt, "login"))
			l := link.Link{
				ID: fmt.Sprint("link-", i, userID), Channel: s.channel, UserID: userID, Identity: drawIdentity(rt),
				LoginAt: login, LinkedAt: login.Add(time.Second),
			}
			linked[userID], links = l, append(links, l)
		}
		wantImport(t, store, len(links), links...)
		c.scenes, c.linked = append(c.scenes, s), append(c.linked, linked)
	}
	return c
}

func drawIdentity(rt *rapid.T) link.Identity {
	return link.Identity{
		Issuer:  rapid.SampledFrom([]string{alice.Issuer, elsewhere.Issuer}).Draw(rt, "issuer"),
		Subject: rapid.SampledFrom([]string{"sub-1", "sub-2"}).Draw(rt, "subject"),
		Account: rapid.SampledFrom([]string{"sub-1", "sub-2", ""}).Draw(rt, "account"), // that of one can be the subject of another
	}
}

// drawTarget names somebody in one of the ways that there are; is tells whether a link is his.
func drawTarget(rt *rapid.T) (r link.Revocation, is func(link.Link) bool) {
	who := drawIdentity(rt)
	switch rapid.SampledFrom([]string{"user", "subject", "account"}).Draw(rt, "by") {
	case "user":
		userID := rapid.SampledFrom([]string{"U1", "U2", "U7"}).Draw(rt, "user")
		return link.Revocation{UserID: userID}, func(l link.Link) bool { return l.UserID == userID }
	case "subject":
		return link.Revocation{Subject: who.Subject, Issuer: who.Issuer}, func(l link.Link) bool { return l.Identity.Same(who) }
	default:
		who.Account = "sub-1"
		return link.Revocation{Account: who.Account, Issuer: who.Issuer}, func(l link.Link) bool {
			return l.Identity.Issuer == who.Issuer && l.Identity.Account == who.Account
		}
	}
}

// Whoever is revoked, by whatever name and on whichever channels: exactly his links of those channels end that are of
// logins not later than the fence (C72), and the platform is to be told of exactly their users.
func testRevocationOfPersons(t *testing.T, open Open) {
	store := open(t)
	rapid.Check(t, func(rt *rapid.T) {
		c := drawCrowd(rt, t, store)
		for asked := range rapid.IntRange(1, 3).Draw(rt, "revocations") {
			r, is := drawTarget(rt)
			r.ID, r.Fence = fmt.Sprint("asked-", asked), fence
			selected := rapid.SliceOfNDistinct(rapid.IntRange(0, 2), 1, 3, rapid.ID).Draw(rt, "channels")
			for _, i := range selected {
				lease := c.scenes[i].open(r, link.TellLinked, time.Hour)
				due, err := store.DueUsers(t.Context(), lease, 100)
				if err != nil {
					rt.Fatal(err)
				}
				want := []string{}
				for userID, l := range c.linked[i] {
					if is(l) && !l.LoginAt.After(fence) {
						want = append(want, userID)
						delete(c.linked[i], userID)
					}
				}
				if diff := cmp.Diff(sorted(want), append([]string{}, sorted(due)...)); diff != "" {
					rt.Fatalf("to be told of (-want +got):\n%s", diff)
				}
				for _, userID := range due {
					call(t, store, lease, userID, time.Hour, link.Settlement{State: link.RevokedDone})
				}
				release(t, store, lease, time.Hour)
			}
			for i, s := range c.scenes {
				want := map[string]string{}
				for userID, l := range c.linked[i] {
					want[userID] = l.ID
				}
				if diff := cmp.Diff(want, s.active()); diff != "" {
					rt.Fatalf("linked on channel %d (-want +got):\n%s", i, diff)
				}
			}
		}
	})
	closeStore(t, store)
}
