//go:build apiserver

package controllers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/adminapi"
)

// leaver selects the channels of a company, for one identity.
func leaver(u *v1alpha1.AccountUnlink) {
	u.Spec.ChannelLinkRef = nil
	u.Spec.ChannelLinkSelector = &v1alpha1.ChannelLinkSelector{MatchLabels: v1alpha1.Labels{"company": "vision"}}
	u.Spec.User = v1alpha1.UnlinkUser{Subject: "00u1a2b3c4", Issuer: "https://sso.vision.example"}
}

// ofVision makes a ChannelLink of its own page that the selector matches.
func ofVision(name string) func(*v1alpha1.ChannelLink) {
	return func(link *v1alpha1.ChannelLink) {
		link.Name, link.Spec.PageID = name, name
		link.Spec.PublicURL = v1alpha1.URL("https://" + name + ".vision.example")
		link.Labels = map[string]string{"company": "vision"}
	}
}

// Every matching channel is asked, each once, and the results stand channel by channel. The set is that of the first
// attempt: who matches later is not asked, who matches no more is still asked.
func TestASelector(t *testing.T) {
	d := newDesk(t)
	unlink := ask(t, "leaver", d.namespace, "", leaver)
	d.expect(unlink, v1alpha1.ReasonWaitingForChannelLink)

	hr, it := d.channel("line", ofVision("hr")), d.channel("line", ofVision("it"))
	other := d.channel("line", ofVision("other"), func(link *v1alpha1.ChannelLink) { link.Labels = nil })
	d.servers.platform(it, failing(2, adminapi.UnlinkUpstreamFailed, 0))
	d.expect(unlink, v1alpha1.ReasonBackingOff)
	if diff := cmp.Diff([]v1alpha1.ObjectName{"hr", "it"}, unlink.Status.Channels); diff != "" {
		t.Errorf("channels (-want +got):\n%s", diff)
	}
	if unlink.Status.Summary != "1/2 unlinked" {
		t.Errorf("told: %s", unlink.Status.Summary)
	}

	late := d.channel("line", ofVision("late"))
	relabelled := it.DeepCopy()
	relabelled.Labels = nil
	if err := env.Client.Patch(t.Context(), relabelled, client.MergeFrom(it)); err != nil {
		t.Fatal(err)
	}
	d.clock.Step(time.Minute)
	d.expect(unlink, v1alpha1.ReasonBackingOff)
	d.restart()
	d.clock.Step(time.Minute)
	d.expect(unlink, v1alpha1.ReasonUnlinked)
	want := []v1alpha1.UnlinkedUser{
		{ChannelLink: "hr", User: "U206…7cb8", Result: v1alpha1.UnlinkResultUnlinked, Attempts: 1},
		{ChannelLink: "it", User: "U206…7cb8", Result: v1alpha1.UnlinkResultUnlinked, Attempts: 3},
	}
	if diff := cmp.Diff(want, unlink.Status.Users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	if unlink.Status.Summary != "2/2 unlinked" || unlink.Status.Attempts != 3 {
		t.Errorf("status %+v", unlink.Status)
	}
	for link, calls := range map[*v1alpha1.ChannelLink]int{hr: 1, it: 3, other: 0, late: 0} {
		if got := d.servers.entryOf(link, unlink); got.calls != calls {
			t.Errorf("channel %s: %d calls, want %d", link.Name, got.calls, calls)
		}
	}
}

// A channel that is not there yet or that goes holds up itself alone: the others are done, and it follows.
func TestASelectedChannelThatIsNotReady(t *testing.T) {
	d := newDesk(t)
	hr, it := d.channel("line", ofVision("hr")), d.channel("line", ofVision("it"))
	d.serve(it, metav1.ConditionFalse)
	unlink := ask(t, "leaver", d.namespace, "", leaver)
	d.expect(unlink, v1alpha1.ReasonWaitingForServer)
	if unlink.Status.Summary != "1/1 unlinked" || d.servers.entryOf(hr, unlink).calls != 1 {
		t.Errorf("status %+v", unlink.Status)
	}
	d.serve(it, metav1.ConditionTrue)
	d.expect(unlink, v1alpha1.ReasonUnlinked)
	if got := d.servers.entryOf(hr, unlink); got.asked != 1 || unlink.Status.Summary != "2/2 unlinked" {
		t.Errorf("%d questions, %s", got.asked, unlink.Status.Summary)
	}

	t.Run("and is deleted", func(t *testing.T) {
		d.servers.platform(it, always(adminapi.UnlinkWaiting, adminapi.UnlinkUnreachable))
		gone := ask(t, "gone", d.namespace, "", leaver)
		d.expect(gone, v1alpha1.ReasonBackingOff)
		if err := env.Client.Delete(t.Context(), it); err != nil {
			t.Fatal(err)
		}
		d.expect(gone, v1alpha1.ReasonWaitingForChannelLink)
	})
}

// With a selector, actions go to the channels with BotBonnie alone.
func TestSelectedActions(t *testing.T) {
	d := newDesk(t)
	direct, bot := d.channel("line", ofVision("direct")), d.channel("full", func(link *v1alpha1.ChannelLink) {
		link.Labels = map[string]string{"company": "vision"}
	})
	unlink := ask(t, "leaver", d.namespace, "", leaver, func(u *v1alpha1.AccountUnlink) {
		u.Spec.Actions = []v1alpha1.UnlinkAction{{Type: "notifyAgent"}}
	})
	d.expect(unlink, v1alpha1.ReasonUnlinked)
	if got := d.servers.entryOf(direct, unlink).last.Actions; len(got) > 0 {
		t.Errorf("without BotBonnie: %v", got)
	}
	if got := d.servers.entryOf(bot, unlink).last.Actions; len(got) != 1 {
		t.Errorf("with BotBonnie: %v", got)
	}
}

// More channels than one request may be about: nobody is unlinked, rather than some.
func TestTooManyChannels(t *testing.T) {
	d := newDesk(t)
	links := make([]*v1alpha1.ChannelLink, 101)
	for i := range links {
		links[i] = create(t, "line", d.namespace, ofVision(fmt.Sprintf("link-%d", i)))
	}
	unlink := ask(t, "leaver", d.namespace, "", leaver)
	d.expect(unlink, v1alpha1.ReasonRejected)
	if unlink.Status.StartTime != nil || len(unlink.Status.Channels) > 0 {
		t.Errorf("status %+v", unlink.Status)
	}
}

// A hundred users are listed, the failed ones first, and the others are counted.
func TestManyUsers(t *testing.T) {
	d := newDesk(t)
	hr, it := d.channel("line", ofVision("hr")), d.channel("line", ofVision("it"))
	many := func(state adminapi.UnlinkState, counts adminapi.UnlinkCounts) func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
		return func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
			result := adminapi.UnlinkResult{Attempts: 1, Counts: counts}
			for range adminapi.MaxUnlinkUsers {
				result.Users = append(result.Users, adminapi.UnlinkUser{User: "U206…7cb8", State: state, Cause: adminapi.UnlinkRejected, HTTPStatus: 404})
			}
			return result, nil
		}
	}
	d.servers.platform(hr, many(adminapi.UnlinkDone, adminapi.UnlinkCounts{Unlinked: 150}))
	d.servers.platform(it, many(adminapi.UnlinkFailed, adminapi.UnlinkCounts{Failed: 100, NotLinked: 7}))
	unlink := ask(t, "leaver", d.namespace, "", leaver)
	d.expect(unlink, v1alpha1.ReasonRejected)
	got := unlink.Status
	if len(got.Users) != 100 || got.MoreUsers != 157 || got.Users[99].Result != v1alpha1.UnlinkResultFailed {
		t.Errorf("%d users and %d more, the last %+v", len(got.Users), got.MoreUsers, got.Users[len(got.Users)-1])
	}
	if want := "revoked here; LINE still shows this user as linked (HTTP status 404)"; got.Users[0].Message != want {
		t.Errorf("message %q", got.Users[0].Message)
	}
	if got.Summary != "150/250 unlinked, 100 failed" {
		t.Errorf("told: %s", got.Summary)
	}
}
