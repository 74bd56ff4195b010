//go:build apiserver

package controllers_test

import (
	"context"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/adminapi"
)

// failing is a platform that fails for n calls and then unlinks.
func failing(n int, cause adminapi.UnlinkCause, retryAfter int32) func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
	return func(r adminapi.Unlink, call int) (adminapi.UnlinkResult, error) {
		if call > n {
			return always(adminapi.UnlinkDone, "")(r, call)
		}
		result, err := always(adminapi.UnlinkWaiting, cause)(r, call)
		result.RetryAfterSeconds = retryAfter
		return result, err
	}
}

// A failed attempt is made again when its pause is over and not before, each costs one status write, and the second that
// succeeds ends it. C74
func TestBackingOff(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	d.servers.platform(link, failing(2, adminapi.UnlinkUpstreamFailed, 0))
	unlink := ask(t, "leaver", d.namespace, link.Name)
	for attempt, longest := range []time.Duration{10 * time.Second, 20 * time.Second} {
		result := d.expect(unlink, v1alpha1.ReasonBackingOff)
		next := unlink.Status.NextAttemptTime
		if next == nil || next.Sub(d.clock.Now()) > longest || result.RequeueAfter <= 0 || result.RequeueAfter > longest {
			t.Fatalf("attempt %d: next at %v, looked at again after %s", attempt+1, next, result.RequeueAfter)
		}
		if got := unlink.Status; int(got.Attempts) != attempt+1 || got.Users[0].Message != "revoked here; LINE answers with an error" {
			t.Errorf("attempt %d: %+v", attempt+1, got)
		}
		if got := d.servers.entryOf(link, unlink); got.calls != attempt+1 {
			t.Errorf("%d calls in attempt %d", got.calls, attempt+1)
		}
		d.unchanged(unlink, "nothing is due")
		d.clock.Step(result.RequeueAfter)
	}
	d.expect(unlink, v1alpha1.ReasonUnlinked)
	if got := unlink.Status; got.Attempts != 3 || got.NextAttemptTime != nil || !got.LastAttemptTime.Time.Equal(got.CompletionTime.Time) {
		t.Errorf("status %+v", got)
	}
}

// A request whose platform is down goes as soon as it is deleted: nothing holds it, and nobody asks for it again. C69
func TestADeletedRequest(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	d.servers.platform(link, always(adminapi.UnlinkWaiting, adminapi.UnlinkUnreachable))
	unlink := ask(t, "leaver", d.namespace, link.Name)
	d.expect(unlink, v1alpha1.ReasonBackingOff)
	remove(t, unlink)
	if exists(t, unlink) {
		t.Errorf("it is held by %v", unlink.Finalizers)
	}
	d.clock.Step(time.Hour)
	d.settle(unlink)
	if got := d.servers.entryOf(link, unlink); got.asked != 1 {
		t.Errorf("%d questions, want the one before the deletion", got.asked)
	}
}

// goesAfter is a client for which an AccountUnlink is gone after so many reads.
type goesAfter struct {
	client.Client
	reads int
}

func (c *goesAfter) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if _, ok := object.(*v1alpha1.AccountUnlink); ok {
		if c.reads--; c.reads < 0 {
			return apierrors.NewNotFound(v1alpha1.SchemeGroupVersion.WithResource("accountunlinks").GroupResource(), key.Name)
		}
	}
	return c.Client.Get(ctx, key, object, options...)
}

// What is asked for a request that is deleted in the middle of the pass is not remembered for ever: the deletion had nothing to
// forget yet.
func TestDeletedDuringThePass(t *testing.T) {
	for _, c := range []struct {
		reason     string
		reads      int
		remembered bool
	}{
		{"it stays", 2, true},
		{"it goes before the question", 1, false},
	} {
		d := newDesk(t)
		d.client = &goesAfter{env.Client, c.reads}
		d.restart()
		unlink := ask(t, "leaver", d.namespace, d.channel("line").Name)
		if _, err := d.pass(unlink); err != nil {
			t.Fatal(err)
		}
		if got := d.reconciler.Courier.Knows(unlink.UID); got != c.remembered {
			t.Errorf("%s: remembered is %t", c.reason, got)
		}
	}
}

// More users than one attempt has time for: the next one follows at once, and nobody is told that something failed.
func TestMoreThanOneAttempt(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	d.servers.platform(link, failing(2, "", 0))
	unlink := ask(t, "leaver", d.namespace, link.Name)
	for range 2 {
		if result := d.expect(unlink, v1alpha1.ReasonBackingOff); result.RequeueAfter != time.Second {
			t.Errorf("asked again after %s", result.RequeueAfter)
		}
		if reconciling := meta.FindStatusCondition(unlink.Status.Conditions, v1alpha1.ConditionReconciling); !strings.Contains(reconciling.Message, "more users") {
			t.Errorf("told: %s", reconciling.Message)
		}
		d.clock.Step(time.Second)
	}
	d.expect(unlink, v1alpha1.ReasonUnlinked)
}

// A platform that asks for patience gets it: Retry-After is a minimum. C74
func TestRetryAfter(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	d.servers.platform(link, failing(1, adminapi.UnlinkRateLimited, 120))
	unlink := ask(t, "leaver", d.namespace, link.Name)
	d.expect(unlink, v1alpha1.ReasonBackingOff)
	d.clock.Step(119 * time.Second)
	d.unchanged(unlink, "two minutes were asked for")
	d.clock.Step(15 * time.Second) // the jitter is a tenth
	d.expect(unlink, v1alpha1.ReasonUnlinked)
}

// A refused token: the server is asked every minute and answers from memory, the status is written once, a person is told
// in an Event, and a new token ends it. It is no failure. C74
func TestCredentials(t *testing.T) {
	for _, cause := range []adminapi.UnlinkCause{adminapi.UnlinkCredentialsRejected, adminapi.UnlinkCredentialsMissing} {
		t.Run(string(cause), func(t *testing.T) {
			d := newDesk(t)
			link := d.channel("line")
			d.servers.platform(link, func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
				result := unlinked(adminapi.UnlinkWaiting, cause)
				return result, nil
			})
			unlink := ask(t, "leaver", d.namespace, link.Name)
			if result := d.expect(unlink, v1alpha1.ReasonCredentialsRejected); result.RequeueAfter != time.Minute {
				t.Errorf("asked again after %s", result.RequeueAfter)
			}
			if told := d.told(); len(told) != 1 || !strings.Contains(told[0], "Warning") || !strings.Contains(told[0], "token") {
				t.Errorf("told: %q", told)
			}
			reconciling := meta.IsStatusConditionTrue(unlink.Status.Conditions, v1alpha1.ConditionReconciling)
			if stalled := meta.IsStatusConditionTrue(unlink.Status.Conditions, v1alpha1.ConditionStalled); stalled || !reconciling {
				t.Errorf("stalled %t, reconciling %t", stalled, reconciling)
			}
			for minute := range 3 {
				d.clock.Step(time.Minute)
				d.unchanged(unlink, "the token is the same")
				if got := d.servers.entryOf(link, unlink); got.asked != minute+2 {
					t.Errorf("%d questions in minute %d", got.asked, minute+1)
				}
			}
			d.restart()
			d.unchanged(unlink, "the token is the same for the next process")
			d.servers.platform(link, nil)
			d.clock.Step(time.Minute)
			d.expect(unlink, v1alpha1.ReasonUnlinked)
		})
	}
}

// Retrying ends after activeDeadlineSeconds from the first attempt, as the server's ledger has it; time spent waiting
// for a server or suspended ends nothing by itself; and armed anew the time begins anew.
func TestTheDeadline(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	d.servers.platform(link, always(adminapi.UnlinkWaiting, adminapi.UnlinkUpstreamFailed))
	within := func(seconds int64) func(*v1alpha1.AccountUnlink) {
		return func(u *v1alpha1.AccountUnlink) { u.Spec.ActiveDeadlineSeconds = &seconds }
	}
	unlink := ask(t, "leaver", d.namespace, link.Name, within(3600))
	d.serve(link, metav1.ConditionFalse)
	d.expect(unlink, v1alpha1.ReasonWaitingForServer)
	d.clock.Step(2 * time.Hour) // of waiting
	d.serve(link, metav1.ConditionTrue)
	begun := d.clock.Now()
	d.servers.change(link, func(f *fakeServer) { f.unlinks.now = d.clock.Now })
	d.expect(unlink, v1alpha1.ReasonBackingOff)
	if !unlink.Status.StartTime.Time.Equal(begun.Truncate(time.Second)) {
		t.Errorf("started at %s, the server says %s", unlink.Status.StartTime, begun)
	}

	d.serve(link, metav1.ConditionFalse)
	d.clock.Step(time.Hour)
	d.expect(unlink, v1alpha1.ReasonWaitingForServer)
	d.serve(link, metav1.ConditionTrue)
	d.expect(unlink, v1alpha1.ReasonDeadlineExceeded)
	if got := d.servers.entryOf(link, unlink); got.calls != 2 {
		t.Errorf("%d calls: an attempt that is due is made before the time is called over", got.calls)
	}

	amend(t, unlink, func(u *v1alpha1.AccountUnlink) { u.Annotations = map[string]string{names.RetryRequestedAt: "again"} })
	result := d.expect(unlink, v1alpha1.ReasonBackingOff)
	if unlink.Status.CompletionTime != nil || !unlink.Status.StartTime.Time.Equal(d.clock.Now()) {
		t.Errorf("armed anew: %+v", unlink.Status)
	}
	for range 1000 {
		d.clock.Step(result.RequeueAfter)
		if result = d.settle(unlink); result.RequeueAfter == 0 {
			break
		}
	}
	d.expect(unlink, v1alpha1.ReasonDeadlineExceeded)
	if took := unlink.Status.CompletionTime.Sub(unlink.Status.StartTime.Time); took != time.Hour {
		t.Errorf("it ended after %s", took)
	}
}

// Suspended before it began, nobody is asked; suspended in between, no further attempt is made; and it goes on when it may.
func TestSuspended(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	d.servers.platform(link, failing(1, adminapi.UnlinkUnreachable, 0))
	unlink := ask(t, "leaver", d.namespace, link.Name, func(u *v1alpha1.AccountUnlink) { u.Spec.Suspend = new(true) })
	if result := d.expect(unlink, v1alpha1.ReasonSuspended); result.RequeueAfter != 0 {
		t.Errorf("looked at again after %s", result.RequeueAfter)
	}
	if got := d.servers.entryOf(link, unlink); got.asked != 0 || unlink.Status.Attempts != 0 {
		t.Error("the server was asked")
	}
	suspend := func(yes bool) {
		amend(t, unlink, func(u *v1alpha1.AccountUnlink) { u.Spec.Suspend = &yes })
	}
	suspend(false)
	d.expect(unlink, v1alpha1.ReasonBackingOff)
	suspend(true)
	d.expect(unlink, v1alpha1.ReasonSuspended)
	d.clock.Step(48 * time.Hour)
	d.unchanged(unlink, "it is suspended, also beyond its deadline")
	if got := d.servers.entryOf(link, unlink); got.asked != 1 {
		t.Errorf("%d questions", got.asked)
	}
	suspend(false)
	d.expect(unlink, v1alpha1.ReasonUnlinked)
}

// A server that does not answer, refuses or talks nonsense is waited for: no attempt, no write while it stays so, and it is
// asked again with growing pauses.
func TestAServerThatDoesNotAnswer(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	for name, answer := range map[string]func(adminapi.Unlink, int) (adminapi.UnlinkResult, error){
		"unreachable": func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
			return adminapi.UnlinkResult{}, adminapi.ErrUnreachable
		},
		"refused": func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
			return adminapi.UnlinkResult{}, adminapi.ErrRefused
		},
		"store-closed": func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
			return adminapi.UnlinkResult{}, errStoreClosed
		},
	} {
		t.Run(name, func(t *testing.T) {
			d.servers.platform(link, answer)
			unlink := ask(t, name, d.namespace, link.Name)
			result := d.expect(unlink, v1alpha1.ReasonWaitingForServer)
			for range 5 {
				if result.RequeueAfter <= 0 || result.RequeueAfter > 6*time.Minute {
					t.Fatalf("asked again after %s", result.RequeueAfter)
				}
				d.clock.Step(result.RequeueAfter)
				result = d.unchanged(unlink, "it is as before")
			}
			if unlink.Status.Attempts != 0 || unlink.Status.StartTime != nil || unlink.Status.NextAttemptTime != nil {
				t.Errorf("status %+v", unlink.Status)
			}
			if got := d.servers.entryOf(link, unlink); got.asked != 6 {
				t.Errorf("%d questions, want 6", got.asked)
			}
			d.servers.platform(link, nil)
			d.clock.Step(result.RequeueAfter)
			d.expect(unlink, v1alpha1.ReasonUnlinked)
		})
	}
	t.Run("an answer that does not say since when", func(t *testing.T) {
		d.servers.change(link, func(f *fakeServer) { f.unlinks.now = func() time.Time { return time.Time{} } })
		unlink := ask(t, "nonsense", d.namespace, link.Name)
		d.expect(unlink, v1alpha1.ReasonWaitingForServer)
	})
}

// An operator that starts anew asks nobody about what is over, writes nothing, and makes the next attempt of the others when
// it is due and not before. C75
func TestARestart(t *testing.T) {
	d := newDesk(t)
	link := d.channel("line")
	finished := ask(t, "finished", d.namespace, link.Name)
	d.expect(finished, v1alpha1.ReasonUnlinked)
	d.servers.platform(link, failing(1, adminapi.UnlinkRateLimited, 300))
	open := ask(t, "open", d.namespace, link.Name)
	d.expect(open, v1alpha1.ReasonBackingOff)

	d.restart()
	d.unchanged(finished, "it is over")
	result := d.unchanged(open, "its pause goes on")
	if got := d.servers.entryOf(link, finished); got.asked != 1 {
		t.Errorf("%d questions about what is over", got.asked)
	}
	if got := d.servers.entryOf(link, open); got.asked != 1 {
		t.Errorf("%d questions in the pause", got.asked)
	}
	if due := open.Status.NextAttemptTime.Sub(d.clock.Now()); result.RequeueAfter != due {
		t.Errorf("asked again after %s, due after %s", result.RequeueAfter, due)
	}
	d.clock.Step(result.RequeueAfter)
	d.expect(open, v1alpha1.ReasonUnlinked)
}
