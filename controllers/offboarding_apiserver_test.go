//go:build apiserver

package controllers_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/store"
	"channellink.dev/operator/webhookserver/unlink"
)

// records are servers that keep links in a database and carry out requests as the real ones do. The platform takes every
// call that it is not told to fail.
type records struct {
	store *store.Store

	mu sync.Mutex
	// channels are the ids under which links are kept now, by the UID of the ChannelLink.
	channels map[string]link.ChannelID
	issuers  map[string]string
	told     map[link.ChannelID][]string
	// failures are how many calls for a user fail before one succeeds.
	failures map[chatAccount]int
	// calling is told of each call that is under way; nil: nobody is.
	calling func()
}

// chatAccount is a chat user in a channel.
type chatAccount struct {
	channel link.ChannelID
	user    string
}

func newRecords(t *testing.T) *records {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), store.SQLiteOptions{Path: filepath.Join(t.TempDir(), store.DatabaseFile)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &records{store: s}
}

// Unlink implements controllers.Unlinker.
func (r *records) Unlink(ctx context.Context, target adminapi.Target, _ *adminapi.Signer, id string, asked adminapi.Unlink) (adminapi.UnlinkResult, error) {
	r.mu.Lock()
	channel, issuer := r.channels[target.Audience], r.issuers[target.Audience]
	r.mu.Unlock()
	unlinker := unlink.New(unlink.Config{
		Channel: channel, Issuer: issuer, Tell: link.TellLinked, Platform: recorder{r, channel},
		Ledger: func() (link.Ledger, error) { return r.store, nil }, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	got := unlinker.Attempt(ctx, link.Revocation{
		ID: id, UserID: asked.UserID, Subject: asked.Subject, Account: asked.Account, Issuer: asked.Issuer,
		Requester: asked.Requester, Reason: asked.Reason, Fence: asked.LinkedBefore, Epoch: asked.Epoch,
	})
	result := adminapi.UnlinkResult{
		StartedAt: got.StartedAt, Attempts: int32(got.Attempts), Cause: adminapi.UnlinkCause(got.Cause), More: got.More(),
		Counts: adminapi.UnlinkCounts{
			Unlinked: int32(got.Counts[link.RevokedDone]), NotLinked: int32(got.Counts[link.RevokedNotLinked]),
			Superseded: int32(got.Counts[link.RevokedSuperseded]), Waiting: int32(got.Counts[link.RevokedWaiting]),
		},
	}
	for _, user := range got.Users {
		result.Users = append(result.Users, adminapi.UnlinkUser{
			User: user.Masked, State: adminapi.UnlinkState(user.State), Cause: adminapi.UnlinkCause(user.Cause), Attempts: int32(user.Attempts),
		})
	}
	return result, nil
}

// recorder is the platform of a channel: it writes down whom it was told of.
type recorder struct {
	*records
	channel link.ChannelID
}

// Credential implements unlink.Platform.
func (recorder) Credential() (secretfile.Secret, bool) { return secretfile.Secret{}, true }

// Unlink implements unlink.Platform.
func (r recorder) Unlink(_ context.Context, userID string, _ []link.RevocationAction, leave func() error) error {
	if err := leave(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calling != nil {
		r.calling()
	}
	r.told[r.channel] = append(r.told[r.channel], userID)
	if account := (chatAccount{r.channel, userID}); r.failures[account] > 0 {
		r.failures[account]--
		return &unlink.CallError{Cause: unlink.UpstreamFailed, Status: http.StatusServiceUnavailable}
	}
	return nil
}

// linked are the users of the channel who are linked, and to whom.
func (r *records) linked(rt rapid.TB, channel link.ChannelID) map[string]link.Identity {
	users := map[string]link.Identity{}
	err := r.store.Links(context.Background(), channel, "", func(l link.Link) error {
		users[l.UserID] = l.Identity
		return nil
	})
	if err != nil {
		rt.Fatal(err)
	}
	return users
}

// The people of the offboarding test. Both issuers know both subjects and both accounts, each for somebody else.
var (
	someUsers    = []string{"U1000000000000000000000000000aaaa", "U2000000000000000000000000000bbbb", "U3000000000000000000000000000cccc"}
	someIssuers  = []string{"https://sso.vision.example", "https://sso.shop.example"}
	someSubjects = []string{"00u1", "00u2"}
	someAccounts = []string{"j.dupont@vision.example", "J.Dupont@vision.example"}
)

// Whoever leaves loses every link of his in every selected channel, whichever chat user it is on, and nobody else loses one:
// not in another channel, not the same subject or account at another issuer, and not a link whose login is later.
// The platform of each channel is told of just those users. C72
func TestOffboarding(t *testing.T) {
	d := newDesk(t)
	all := []*v1alpha1.ChannelLink{
		d.channel("line", ofVision("hr")), d.channel("line", ofVision("it")),
		d.channel("line", ofVision("other"), func(c *v1alpha1.ChannelLink) { c.Labels = nil }),
	}
	records := newRecords(t)
	d.unlinker = records
	d.restart()

	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		records.mu.Lock()
		records.channels, records.issuers = map[string]link.ChannelID{}, map[string]string{}
		records.told = map[link.ChannelID][]string{}
		records.mu.Unlock()

		leaver := request(fmt.Sprint("leaver-", run), d.namespace, "hr", func(u *v1alpha1.AccountUnlink) {
			issuer := v1alpha1.URL(rapid.SampledFrom(someIssuers).Draw(rt, "issuer"))
			switch rapid.SampledFrom([]string{"user", "subject", "account"}).Draw(rt, "by") {
			case "user":
				u.Spec.User = v1alpha1.UnlinkUser{UserID: rapid.SampledFrom(someUsers).Draw(rt, "user")}
			case "subject":
				u.Spec.User = v1alpha1.UnlinkUser{Subject: rapid.SampledFrom(someSubjects).Draw(rt, "subject"), Issuer: issuer}
			case "account":
				u.Spec.User = v1alpha1.UnlinkUser{Account: rapid.SampledFrom(someAccounts).Draw(rt, "account"), Issuer: issuer}
			}
			if rapid.Bool().Draw(rt, "selector") {
				u.Spec.ChannelLinkRef = nil
				u.Spec.ChannelLinkSelector = &v1alpha1.ChannelLinkSelector{MatchLabels: v1alpha1.Labels{"company": "vision"}}
			} else if rapid.Bool().Draw(rt, "the channel's own issuer") {
				u.Spec.User.Issuer = ""
			}
		})
		want, told, lost, again := map[string]map[string]link.Identity{}, map[link.ChannelID][]string{}, 0, 0
		for _, c := range all {
			id := link.NewChannelID("LINE", fmt.Sprint(c.Name, "-", run))
			records.channels[string(c.UID)] = id
			records.issuers[string(c.UID)] = someIssuers[0]
			want[c.Name] = map[string]link.Identity{}
			for _, user := range someUsers {
				l, late := aLink(rt, id, user)
				if l.UserID == "" {
					continue
				}
				if _, err := records.store.Import(t.Context(), []link.Link{l}, time.Now()); err != nil {
					rt.Fatal(err)
				}
				selected := c.Name == "hr" || c.Name == "it" && leaver.Spec.ChannelLinkSelector != nil
				switch meant := selected && isOf(leaver.Spec.User, l); {
				case meant && !late:
					told[id] = append(told[id], user)
					lost++
					continue
				case meant:
					again++
				}
				want[c.Name][user] = l.Identity
			}
		}

		if err := env.Client.Create(t.Context(), leaver); err != nil {
			rt.Fatal(err)
		}
		d.settle(leaver)
		ready, err := reads(t.Context(), leaver, v1alpha1.ConditionReady)
		if err != nil {
			rt.Fatal(err)
		}
		reason, summary := ending(lost, again)
		if diff := cmp.Diff([]string{reason, summary}, []string{ready.Reason, leaver.Status.Summary}); diff != "" {
			rt.Errorf("reason and summary (-want +got):\n%s", diff)
		}
		got := map[string]map[string]link.Identity{}
		for _, c := range all {
			got[c.Name] = records.linked(rt, records.channels[string(c.UID)])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Errorf("still linked (-want +got):\n%s", diff)
		}
		for _, users := range records.told {
			slices.Sort(users)
		}
		if diff := cmp.Diff(told, records.told); diff != "" {
			rt.Errorf("the platforms were told of (-want +got):\n%s", diff)
		}
	})
}

// ending is the reason and the summary of a request that has revoked so many links and met so many that are newer.
func ending(lost, again int) (reason, summary string) {
	switch {
	case lost+again == 0:
		return v1alpha1.ReasonNotLinked, "nobody was linked"
	case lost == 0:
		reason = v1alpha1.ReasonSupersededByNewerLink
	default:
		reason = v1alpha1.ReasonUnlinked
	}
	summary = fmt.Sprintf("%d/%d unlinked", lost, lost+again)
	if again > 0 {
		summary += fmt.Sprintf(", %d linked again", again)
	}
	return reason, summary
}

// aLink draws the link of a chat user, if he has one, and whether its login is later than any fence.
func aLink(rt *rapid.T, channel link.ChannelID, user string) (l link.Link, late bool) {
	if !rapid.Bool().Draw(rt, "linked") {
		return link.Link{}, false
	}
	at := time.Now().Add(-time.Hour)
	if late = rapid.IntRange(0, 4).Draw(rt, "later") == 0; late {
		at = time.Now().Add(time.Hour)
	}
	return link.Link{
		Channel: channel, UserID: user, LoginAt: at, LinkedAt: at, Confirmed: true, CodeHash: link.HashCode(link.NewCode()),
		Identity: link.Identity{
			Issuer:  rapid.SampledFrom(someIssuers).Draw(rt, "at"),
			Subject: rapid.SampledFrom(someSubjects).Draw(rt, "sub"),
			Account: rapid.SampledFrom(someAccounts).Draw(rt, "as"),
		},
	}, late
}

// isOf tells whether the link is one of those that are meant.
func isOf(user v1alpha1.UnlinkUser, l link.Link) bool {
	issuer := string(user.Issuer)
	if issuer == "" {
		issuer = someIssuers[0]
	}
	switch {
	case user.UserID != "":
		return l.UserID == user.UserID
	case user.Subject != "":
		return l.Identity.Issuer == issuer && l.Identity.Subject == user.Subject
	default:
		return l.Identity.Issuer == issuer && l.Identity.Account == user.Account
	}
}
