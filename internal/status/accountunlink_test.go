package status_test

import (
	"testing"
	"time"

	kstatus "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
)

const (
	masked = "U206…7cb8"
	hr     = "vision-hr"
	it     = "vision-it"
)

// aRequest is an AccountUnlink for one channel, made an hour ago.
func aRequest(changes ...func(*v1alpha1.AccountUnlink)) *v1alpha1.AccountUnlink {
	unlink := &v1alpha1.AccountUnlink{
		ObjectMeta: metav1.ObjectMeta{Name: "leaver", Namespace: "vision", Generation: 2, CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef:        &v1alpha1.ChannelLinkReference{Name: hr},
			User:                  v1alpha1.UnlinkUser{UserID: "U206d25c2ea6bd87c17655609a1c37cb8"},
			ActiveDeadlineSeconds: new(int64(3600)),
		},
	}
	for _, change := range changes {
		change(unlink)
	}
	return unlink
}

func suspended(unlink *v1alpha1.AccountUnlink) { unlink.Spec.Suspend = new(true) }

func bySelector(unlink *v1alpha1.AccountUnlink) {
	unlink.Spec.ChannelLinkRef = nil
	unlink.Spec.ChannelLinkSelector = &v1alpha1.ChannelLinkSelector{MatchLabels: v1alpha1.Labels{"company": "vision"}}
}

// startedAgo has the request's first attempt lie that long back.
func startedAgo(ago time.Duration) func(*v1alpha1.AccountUnlink) {
	return func(unlink *v1alpha1.AccountUnlink) {
		unlink.Status.StartTime = new(metav1.NewTime(now.Add(-ago)))
		unlink.Status.Attempts = 1
	}
}

// channel is one in which nobody has been asked yet, with an obstacle.
func channel(name, obstacle string) status.ChannelUnlinking {
	return status.ChannelUnlinking{Name: name, Obstacle: obstacle, Detail: "because of " + obstacle, Next: now.Add(30 * time.Second)}
}

// answered is a channel whose server has said this of one user.
func answered(name, obstacle string, result v1alpha1.UnlinkResult, counts status.UnlinkCounts) status.ChannelUnlinking {
	c := channel(name, obstacle)
	c.Answer = &status.UnlinkAnswer{
		At: now.Add(-time.Second), StartedAt: now.Add(-2 * time.Second), Attempts: 1, Counts: counts,
		Users: []v1alpha1.UnlinkedUser{{ChannelLink: v1alpha1.ObjectName(name), User: masked, Result: result, Attempts: 1}},
	}
	return c
}

func done(name string) status.ChannelUnlinking {
	return answered(name, "", v1alpha1.UnlinkResultUnlinked, status.UnlinkCounts{Unlinked: 1})
}

// told is what a test looks at in a status.
type told struct {
	Reason, Summary                string
	Complete, Failed, Reconciling  bool
	Ended, Started, NextAttemptSet bool
	Kstatus                        kstatus.Status
}

func tell(t *testing.T, unlink *v1alpha1.AccountUnlink, s v1alpha1.AccountUnlinkStatus) told {
	t.Helper()
	holds := func(kind string) bool { return meta.IsStatusConditionTrue(s.Conditions, kind) }
	if holds(v1alpha1.ConditionReady) != holds(v1alpha1.ConditionComplete) || holds(v1alpha1.ConditionStalled) != holds(v1alpha1.ConditionFailed) {
		t.Errorf("Ready must be Complete and Stalled Failed: %+v", s.Conditions)
	}
	unlink = unlink.DeepCopy()
	unlink.Status = s
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(unlink)
	if err != nil {
		t.Fatal(err)
	}
	object := &unstructured.Unstructured{Object: fields}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("AccountUnlink"))
	judged, err := kstatus.Compute(object)
	if err != nil {
		t.Fatal(err)
	}
	return told{
		Reason: meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady).Reason, Summary: s.Summary,
		Complete: holds(v1alpha1.ConditionComplete), Failed: holds(v1alpha1.ConditionFailed), Reconciling: holds(v1alpha1.ConditionReconciling),
		Ended: s.CompletionTime != nil, Started: s.StartTime != nil, NextAttemptSet: s.NextAttemptTime != nil,
		Kstatus: judged.Status,
	}
}

// Every way that a request can stand, and what generic tools make of it.
func TestOfUnlink(t *testing.T) {
	waiting := func(reason string) told {
		return told{Reason: reason, Reconciling: true, Kstatus: kstatus.InProgressStatus}
	}
	started := func(reason, summary string, next bool) told {
		return told{Reason: reason, Summary: summary, Reconciling: true, Started: true, NextAttemptSet: next, Kstatus: kstatus.InProgressStatus}
	}
	complete := func(reason, summary string) told {
		return told{Reason: reason, Summary: summary, Complete: true, Ended: true, Started: true, Kstatus: kstatus.CurrentStatus}
	}
	failed := func(reason, summary string, started bool) told {
		return told{Reason: reason, Summary: summary, Failed: true, Ended: true, Started: started, Kstatus: kstatus.FailedStatus}
	}
	one := status.UnlinkCounts{Waiting: 1}
	for _, tc := range []struct {
		reason string
		unlink *v1alpha1.AccountUnlink
		seen   status.Unlinking
		want   told
	}{
		{"no ChannelLink matches the selector", aRequest(bySelector), status.Unlinking{}, waiting(v1alpha1.ReasonWaitingForChannelLink)},
		{"the ChannelLink is missing", aRequest(), status.Unlinking{Channels: []status.ChannelUnlinking{channel(hr, v1alpha1.ReasonWaitingForChannelLink)}}, waiting(v1alpha1.ReasonWaitingForChannelLink)},
		{"its server is not ready", aRequest(), status.Unlinking{Channels: []status.ChannelUnlinking{channel(hr, v1alpha1.ReasonWaitingForServer)}}, waiting(v1alpha1.ReasonWaitingForServer)},
		{"it is suspended before anybody was asked", aRequest(suspended), status.Unlinking{Channels: []status.ChannelUnlinking{channel(hr, v1alpha1.ReasonSuspended)}}, waiting(v1alpha1.ReasonSuspended)},
		{"suspended tells more than that nobody is there", aRequest(suspended, bySelector), status.Unlinking{}, waiting(v1alpha1.ReasonSuspended)},
		{
			"suspended in between: no attempt is due", aRequest(suspended),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, v1alpha1.ReasonBackingOff, "", one)}},
			started(v1alpha1.ReasonSuspended, "0/1 unlinked", false),
		},
		{"what is over is over, suspended or not", aRequest(suspended), status.Unlinking{Channels: []status.ChannelUnlinking{done(hr)}}, complete(v1alpha1.ReasonUnlinked, "1/1 unlinked")},
		{"the attempt failed", aRequest(), status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, v1alpha1.ReasonBackingOff, "", one)}}, started(v1alpha1.ReasonBackingOff, "0/1 unlinked", true)},
		{"the token is refused: nothing is due before it changes", aRequest(), status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, v1alpha1.ReasonCredentialsRejected, "", one)}}, started(v1alpha1.ReasonCredentialsRejected, "0/1 unlinked", false)},
		{"the user is unlinked", aRequest(), status.Unlinking{Channels: []status.ChannelUnlinking{done(hr)}}, complete(v1alpha1.ReasonUnlinked, "1/1 unlinked")},
		{
			"there was nothing to unlink", aRequest(),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, "", v1alpha1.UnlinkResultNotLinked, status.UnlinkCounts{NotLinked: 1})}},
			complete(v1alpha1.ReasonNotLinked, "nobody was linked"),
		},
		{
			"the user has linked again", aRequest(),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, "", v1alpha1.UnlinkResultSuperseded, status.UnlinkCounts{Superseded: 1})}},
			complete(v1alpha1.ReasonSupersededByNewerLink, "0/1 unlinked, 1 linked again"),
		},
		{
			"one of three has linked again", aRequest(),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, "", v1alpha1.UnlinkResultSuperseded, status.UnlinkCounts{Superseded: 1, Unlinked: 2})}},
			complete(v1alpha1.ReasonUnlinked, "2/3 unlinked, 1 linked again"),
		},
		{
			"the platform refuses one of two for good", aRequest(),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, "", v1alpha1.UnlinkResultFailed, status.UnlinkCounts{Failed: 1, Unlinked: 1})}},
			failed(v1alpha1.ReasonRejected, "1/2 unlinked, 1 failed", true),
		},
		{
			"it cannot be carried out", aRequest(),
			status.Unlinking{Refusal: &status.Refusal{Reason: v1alpha1.ReasonActionsNotSupported, Message: "no BotBonnie"}},
			failed(v1alpha1.ReasonActionsNotSupported, "", false),
		},
		{
			"the time is over", aRequest(startedAgo(time.Hour)),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, v1alpha1.ReasonBackingOff, "", one)}},
			failed(v1alpha1.ReasonDeadlineExceeded, "0/1 unlinked", true),
		},
		{
			"the time is over for one whose token is refused, too", aRequest(startedAgo(time.Hour)),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, v1alpha1.ReasonCredentialsRejected, "", one)}},
			failed(v1alpha1.ReasonDeadlineExceeded, "0/1 unlinked", true),
		},
		{
			"the last second counts", aRequest(startedAgo(time.Hour - time.Second)),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, v1alpha1.ReasonBackingOff, "", one)}},
			started(v1alpha1.ReasonBackingOff, "0/1 unlinked", true),
		},
		{
			"time does not run out while its server is away", aRequest(startedAgo(48 * time.Hour)),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, v1alpha1.ReasonWaitingForServer, "", one)}},
			started(v1alpha1.ReasonWaitingForServer, "0/1 unlinked", false),
		},
		{
			"nor while it is suspended", aRequest(startedAgo(48*time.Hour), suspended),
			status.Unlinking{Channels: []status.ChannelUnlinking{answered(hr, v1alpha1.ReasonBackingOff, "", one)}},
			started(v1alpha1.ReasonSuspended, "0/1 unlinked", false),
		},
		{
			"one channel is done and the other waits", aRequest(bySelector),
			status.Unlinking{Channels: []status.ChannelUnlinking{done(hr), channel(it, v1alpha1.ReasonWaitingForServer)}},
			started(v1alpha1.ReasonWaitingForServer, "1/1 unlinked", false),
		},
		{
			"of several obstacles a person sees the one that needs a person", aRequest(bySelector),
			status.Unlinking{Channels: []status.ChannelUnlinking{
				answered(hr, v1alpha1.ReasonBackingOff, "", one), answered(it, v1alpha1.ReasonCredentialsRejected, "", one),
			}},
			started(v1alpha1.ReasonCredentialsRejected, "0/2 unlinked", true),
		},
		{
			"armed anew, it has not started", aRequest(startedAgo(48 * time.Hour)),
			status.Unlinking{Epoch: "again", Channels: []status.ChannelUnlinking{channel(hr, v1alpha1.ReasonWaitingForServer)}},
			waiting(v1alpha1.ReasonWaitingForServer),
		},
	} {
		if diff := cmp.Diff(tc.want, tell(t, tc.unlink, status.OfUnlink(tc.unlink, tc.seen, now))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

// What the status tells as facts: when it began by the server's clock, how many attempts, when the next is due, who it was
// about; and nothing of it is lost when the operator starts anew and has not asked yet. C71
func TestUnlinkFacts(t *testing.T) {
	at := func(t time.Time) *metav1.Time { return new(metav1.NewTime(t)) }
	unlink := aRequest(bySelector)
	first := status.Unlinking{Channels: []status.ChannelUnlinking{
		answered(hr, v1alpha1.ReasonBackingOff, "", status.UnlinkCounts{Waiting: 1}), done(it),
	}}
	first.Channels[1].Answer.StartedAt = now.Add(-time.Minute)
	got := status.OfUnlink(unlink, first, now)
	conditions := got.Conditions
	got.Conditions = nil
	want := v1alpha1.AccountUnlinkStatus{
		ObservedGeneration: 2, StartTime: at(now.Add(-time.Minute)), LastAttemptTime: at(now.Add(-time.Second)),
		NextAttemptTime: at(now.Add(30 * time.Second)), Attempts: 1, Summary: "1/2 unlinked",
		Channels: []v1alpha1.ObjectName{hr, it},
		Users: []v1alpha1.UnlinkedUser{
			{ChannelLink: hr, User: masked, Attempts: 1},
			{ChannelLink: it, User: masked, Result: v1alpha1.UnlinkResultUnlinked, Attempts: 1},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("after the first attempt (-want +got):\n%s", diff)
	}
	unlink.Status = got
	unlink.Status.Conditions = conditions

	t.Run("after a restart nothing changes", func(t *testing.T) {
		restarted := status.Unlinking{Channels: []status.ChannelUnlinking{channel(hr, v1alpha1.ReasonBackingOff), channel(it, v1alpha1.ReasonBackingOff)}}
		for i := range restarted.Channels {
			restarted.Channels[i].Next = unlink.Status.NextAttemptTime.Time
			restarted.Channels[i].Detail = first.Channels[0].Detail
		}
		if diff := cmp.Diff(unlink.Status, status.OfUnlink(unlink, restarted, now.Add(10*time.Second))); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
	t.Run("a channel that was not asked again keeps its users", func(t *testing.T) {
		again := status.Unlinking{Channels: []status.ChannelUnlinking{
			answered(hr, "", v1alpha1.UnlinkResultUnlinked, status.UnlinkCounts{Unlinked: 1}), channel(it, v1alpha1.ReasonWaitingForServer),
		}}
		if got := status.OfUnlink(unlink, again, now); got.Summary != "2/2 unlinked" || len(got.Users) != 2 {
			t.Errorf("%s: %+v", got.Summary, got.Users)
		}
	})
	t.Run("an attempt that was not one leaves its time", func(t *testing.T) {
		again := first
		again.Channels[0].Answer.At = now.Add(time.Hour)
		if got := status.OfUnlink(unlink, again, now); !got.LastAttemptTime.Equal(unlink.Status.LastAttemptTime) {
			t.Errorf("the last attempt is told to be at %s", got.LastAttemptTime)
		}
	})
}

// Armed anew, the time runs from the first answer since, whatever the ledger remembers of the first time.
func TestUnlinkArmedAnew(t *testing.T) {
	unlink := aRequest(startedAgo(48 * time.Hour))
	unlink.Status.CompletionTime = new(metav1.NewTime(now.Add(-47 * time.Hour)))
	seen := status.Unlinking{Epoch: "again", Channels: []status.ChannelUnlinking{answered(hr, v1alpha1.ReasonBackingOff, "", status.UnlinkCounts{Waiting: 1})}}
	seen.Channels[0].Answer.StartedAt = now.Add(-48 * time.Hour)
	seen.Channels[0].Answer.Attempts = 13
	got := status.OfUnlink(unlink, seen, now)
	if !got.StartTime.Time.Equal(now.Add(-time.Second)) || got.LastHandledRetryAt != "again" || got.CompletionTime != nil || got.Attempts != 13 {
		t.Errorf("got %+v", got)
	}
	unlink.Status = got
	if again := status.OfUnlink(unlink, seen, now.Add(time.Minute)); !again.StartTime.Equal(got.StartTime) {
		t.Errorf("the start moved to %s", again.StartTime)
	}
}

// Whoever is over is told about the new generation, and otherwise the same.
func TestAcknowledge(t *testing.T) {
	unlink := aRequest()
	unlink.Status = status.OfUnlink(unlink, status.Unlinking{Channels: []status.ChannelUnlinking{done(hr)}}, now)
	before := unlink.Status.DeepCopy()
	unlink.Generation = 3
	want := before.DeepCopy()
	want.ObservedGeneration = 3
	for i := range want.Conditions {
		want.Conditions[i].ObservedGeneration = 3
	}
	if diff := cmp.Diff(*want, status.Acknowledge(unlink)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(*before, unlink.Status); diff != "" {
		t.Errorf("the resource was changed:\n%s", diff)
	}
}
