//go:build apiserver

package controllers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/adminapi"
)

// How a request ends in its first attempt: its conditions, one Event, one question to the server.
func TestHowAnAccountUnlinkEnds(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	for _, tc := range []struct {
		name     string
		platform func(adminapi.Unlink, int) (adminapi.UnlinkResult, error)
		reason   string
		complete bool
		summary  string
	}{
		{"unlinked", always(adminapi.UnlinkDone, ""), v1alpha1.ReasonUnlinked, true, "1/1 unlinked"},
		{"not-linked", always(adminapi.UnlinkNotLinked, ""), v1alpha1.ReasonNotLinked, true, "nobody was linked"},
		{"superseded", always(adminapi.UnlinkSuperseded, ""), v1alpha1.ReasonSupersededByNewerLink, true, "0/1 unlinked, 1 linked again"},
		{"rejected", always(adminapi.UnlinkFailed, adminapi.UnlinkRejected), v1alpha1.ReasonRejected, false, "0/1 unlinked, 1 failed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d.servers.platform(link, tc.platform)
			unlink := ask(t, tc.name, d.namespace, link.Name)
			d.expect(unlink, tc.reason)
			ended := v1alpha1.ConditionFailed
			if tc.complete {
				ended = v1alpha1.ConditionComplete
			}
			for _, kind := range []string{v1alpha1.ConditionComplete, v1alpha1.ConditionFailed} {
				if holds := meta.IsStatusConditionTrue(unlink.Status.Conditions, kind); holds != (kind == ended) {
					t.Errorf("%s is %t", kind, holds)
				}
			}
			if unlink.Status.Summary != tc.summary || unlink.Status.CompletionTime == nil || unlink.Status.StartTime == nil || unlink.Status.Attempts != 1 {
				t.Errorf("status %+v", unlink.Status)
			}
			told := d.told()
			if len(told) != 1 || !strings.Contains(told[0], tc.reason) || !strings.Contains(told[0], tc.summary) {
				t.Errorf("told: %q", told)
			}
			if got := d.servers.entryOf(link, unlink); got.asked != 1 || got.calls != 1 {
				t.Errorf("%d questions, %d calls", got.asked, got.calls)
			}
			if got, want := judgedUnlink(t, unlink), map[bool]status.Status{true: status.CurrentStatus, false: status.FailedStatus}[tc.complete]; got != want {
				t.Errorf("kstatus judges %s, want %s", got, want)
			}
			d.unchanged(unlink, "it is over")
		})
	}
}

// What an operation asks of the server: the user, the fence, who asks and why; and actions only of BotBonnie.
func TestWhatTheServerIsAskedFor(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	bot := d.channel("full")
	old := metav1.NewTime(time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC))
	later := metav1.NewTime(time.Now().Add(48 * time.Hour).Truncate(time.Second))
	actions := []v1alpha1.UnlinkAction{{Type: "saveParams", Name: "age", Value: "18"}, {Type: "notifyAgent", Message: "用戶已解除綁定"}}

	t.Run("with every field", func(t *testing.T) {
		unlink := ask(t, "every-field", d.namespace, bot.Name, func(u *v1alpha1.AccountUnlink) {
			u.Spec.Actions, u.Spec.IfUnknown, u.Spec.Reason, u.Spec.LinkedBefore = actions, v1alpha1.IfUnknownCall, "HR-1234", &old
		})
		d.expect(unlink, v1alpha1.ReasonUnlinked)
		want := adminapi.Unlink{
			UserID: chatUser, CallUnknown: true, Reason: "HR-1234", LinkedBefore: old.Time,
			Requester: "AccountUnlink " + d.namespace + "/every-field",
			Actions:   []adminapi.UnlinkAction{{Type: "saveParams", Name: "age", Value: "18"}, {Type: "notifyAgent", Message: "用戶已解除綁定"}},
		}
		if diff := cmp.Diff(want, d.servers.entryOf(bot, unlink).last); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("an identity, by a fence in the future", func(t *testing.T) {
		unlink := ask(t, "identity", d.namespace, link.Name, func(u *v1alpha1.AccountUnlink) {
			u.Spec.User = v1alpha1.UnlinkUser{Account: "j.dupont@vision.example", Issuer: "https://sso.vision.example"}
			u.Spec.LinkedBefore, u.Spec.IfUnknown = &later, v1alpha1.IfUnknownCall
		})
		d.expect(unlink, v1alpha1.ReasonUnlinked)
		// Without BotBonnie nobody can be called who is not known. The fence is the object's creation, of which
		// only the second is known (C72).
		want := adminapi.Unlink{
			Account: "j.dupont@vision.example", Issuer: "https://sso.vision.example", LinkedBefore: unlink.CreationTimestamp.Add(time.Second - time.Microsecond),
			Requester: "AccountUnlink " + d.namespace + "/identity",
		}
		if diff := cmp.Diff(want, d.servers.entryOf(link, unlink).last); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("actions without BotBonnie", func(t *testing.T) {
		unlink := ask(t, "no-botbonnie", d.namespace, link.Name, func(u *v1alpha1.AccountUnlink) { u.Spec.Actions = actions })
		d.expect(unlink, v1alpha1.ReasonActionsNotSupported)
		if !meta.IsStatusConditionTrue(unlink.Status.Conditions, v1alpha1.ConditionFailed) || unlink.Status.StartTime != nil {
			t.Errorf("status %+v", unlink.Status)
		}
		if got := d.servers.entryOf(link, unlink); got.asked != 0 {
			t.Error("the server was asked")
		}
	})
	t.Run("actions that only the server knows to be refused", func(t *testing.T) {
		d.servers.platform(bot, func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
			return adminapi.UnlinkResult{Cause: adminapi.UnlinkActionsNotSupported}, nil
		})
		unlink := ask(t, "changed-since", d.namespace, bot.Name, func(u *v1alpha1.AccountUnlink) { u.Spec.Actions = actions })
		d.expect(unlink, v1alpha1.ReasonActionsNotSupported)
	})
}

// A failed request is armed anew by a value of the annotation that it has not seen, which the server gets as the epoch;
// the same value again changes nothing.
func TestArmedAnew(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	d.servers.platform(link, always(adminapi.UnlinkFailed, adminapi.UnlinkRejected))
	unlink := ask(t, "leaver", d.namespace, link.Name)
	d.expect(unlink, v1alpha1.ReasonRejected)
	rearm := func(value string) {
		t.Helper()
		amend(t, unlink, func(u *v1alpha1.AccountUnlink) {
			u.Annotations = map[string]string{names.RetryRequestedAt: value}
		})
	}
	rearm(strings.Repeat("x", 65))
	d.unchanged(unlink, "the status has no room for the value")

	rearm("first")
	d.expect(unlink, v1alpha1.ReasonRejected)
	if got := d.servers.entryOf(link, unlink); got.calls != 2 || got.last.Epoch != "first" || unlink.Status.LastHandledRetryAt != "first" {
		t.Errorf("%d calls, the last with epoch %q, status %q", got.calls, got.last.Epoch, unlink.Status.LastHandledRetryAt)
	}
	d.unchanged(unlink, "the value was handled")
	d.restart()
	d.unchanged(unlink, "the value was handled by the operator before this one")

	d.servers.platform(link, always(adminapi.UnlinkDone, ""))
	rearm("second")
	d.expect(unlink, v1alpha1.ReasonUnlinked)
	rearm("third")
	d.unchanged(unlink, "it is complete, and not failed")
	if got := d.servers.entryOf(link, unlink); got.calls != 3 {
		t.Errorf("%d calls, want 3", got.calls)
	}
}

// A value that comes before the request has failed arms nothing, not even when the operator starts anew.
func TestArmedTooEarly(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	d.servers.platform(link, func(r adminapi.Unlink, n int) (adminapi.UnlinkResult, error) {
		if n == 1 {
			return always(adminapi.UnlinkWaiting, adminapi.UnlinkUpstreamFailed)(r, n)
		}
		return always(adminapi.UnlinkFailed, adminapi.UnlinkRejected)(r, n)
	})
	unlink := ask(t, "leaver", d.namespace, link.Name, func(u *v1alpha1.AccountUnlink) {
		u.Annotations = map[string]string{names.RetryRequestedAt: "in the manifest"}
	})
	result := d.expect(unlink, v1alpha1.ReasonBackingOff)
	amend(t, unlink, func(u *v1alpha1.AccountUnlink) {
		u.Annotations = map[string]string{names.RetryRequestedAt: "while it is tried"}
	})
	d.clock.Step(result.RequeueAfter)
	d.expect(unlink, v1alpha1.ReasonRejected)
	d.restart()
	d.unchanged(unlink, "the value came too early")
	if got := d.servers.entryOf(link, unlink); got.calls != 2 || got.last.Epoch != "" {
		t.Errorf("%d calls, the last with epoch %q", got.calls, got.last.Epoch)
	}
	amend(t, unlink, func(u *v1alpha1.AccountUnlink) { u.Annotations = map[string]string{names.RetryRequestedAt: "now"} })
	d.expect(unlink, v1alpha1.ReasonRejected)
	if got := d.servers.entryOf(link, unlink); got.calls != 3 || got.last.Epoch != "now" {
		t.Errorf("%d calls, the last with epoch %q", got.calls, got.last.Epoch)
	}
}

// A value that comes while the answer to another is out is not answered by that one.
func TestArmedAnewTwiceAtOnce(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	d.servers.platform(link, always(adminapi.UnlinkFailed, adminapi.UnlinkRejected))
	unlink := ask(t, "leaver", d.namespace, link.Name)
	d.expect(unlink, v1alpha1.ReasonRejected)
	amend(t, unlink, func(u *v1alpha1.AccountUnlink) { u.Annotations = map[string]string{names.RetryRequestedAt: "one"} })
	if _, err := d.pass(unlink); err != nil { // the question is out
		t.Fatal(err)
	}
	amend(t, unlink, func(u *v1alpha1.AccountUnlink) { u.Annotations = map[string]string{names.RetryRequestedAt: "two"} })
	d.expect(unlink, v1alpha1.ReasonRejected)
	if got := d.servers.entryOf(link, unlink); got.last.Epoch != "two" || unlink.Status.LastHandledRetryAt != "two" {
		t.Errorf("the last epoch is %q, status %q", got.last.Epoch, unlink.Status.LastHandledRetryAt)
	}
}

// The object goes when its time to live is over, and not before; one without stays; and one that is armed anew in the
// last moment is tried again.
func TestTimeToLive(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	mortal := func(u *v1alpha1.AccountUnlink) {
		u.Spec.TTLSecondsAfterFinished = new(int32(60))
		u.Spec.LinkedBefore = new(metav1.NewTime(time.Now()))
	}
	gone := ask(t, "gone", d.namespace, link.Name, mortal)
	kept := ask(t, "kept", d.namespace, link.Name)
	if result := d.expect(gone, v1alpha1.ReasonUnlinked); result.RequeueAfter <= 0 || result.RequeueAfter > time.Minute {
		t.Errorf("looked at again after %s", result.RequeueAfter)
	}
	if result := d.expect(kept, v1alpha1.ReasonUnlinked); result.RequeueAfter != 0 {
		t.Errorf("looked at again after %s, for nothing", result.RequeueAfter)
	}
	d.clock.Step(59 * time.Second)
	d.unchanged(gone, "a second is left")
	d.servers.platform(link, always(adminapi.UnlinkFailed, adminapi.UnlinkRejected))
	rescued := ask(t, "rescued", d.namespace, link.Name, mortal)
	d.expect(rescued, v1alpha1.ReasonRejected)

	d.clock.Step(time.Hour)
	d.settle(gone)
	d.settle(kept)
	if exists(t, gone) || !exists(t, kept) {
		t.Errorf("with a time to live: %t, without: %t", exists(t, gone), exists(t, kept))
	}
	amend(t, rescued, func(u *v1alpha1.AccountUnlink) { u.Annotations = map[string]string{names.RetryRequestedAt: "again"} })
	d.servers.platform(link, always(adminapi.UnlinkDone, ""))
	d.expect(rescued, v1alpha1.ReasonUnlinked)

	t.Run("a change after the end is acknowledged", func(t *testing.T) {
		amend(t, kept, func(u *v1alpha1.AccountUnlink) { u.Spec.Suspend = new(true) })
		d.expect(kept, v1alpha1.ReasonUnlinked)
		if got := judgedUnlink(t, kept); got != status.CurrentStatus {
			t.Errorf("kstatus judges %s", got)
		}
	})
}
