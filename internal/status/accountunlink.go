package status

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// OfUnlink gives the status of an AccountUnlink for what was observed. Times, attempts and users that the resource tells
// already, and that nothing observed contradicts, stay: they are what happened. Conditions follow from what is.
func OfUnlink(unlink *v1alpha1.AccountUnlink, seen Unlinking, now time.Time) v1alpha1.AccountUnlinkStatus {
	before := unlink.Status
	out := v1alpha1.AccountUnlinkStatus{
		ObservedGeneration: unlink.Generation,
		LastHandledRetryAt: seen.Epoch,
		StartTime:          seen.started(unlink),
		LastAttemptTime:    before.LastAttemptTime,
		Attempts:           before.Attempts,
		Channels:           before.Channels,
	}
	var answered time.Time
	for _, c := range seen.Channels {
		if c.Answer != nil && c.Answer.Attempts > out.Attempts {
			out.Attempts = c.Answer.Attempts
		}
		if c.Answer != nil && c.Answer.At.After(answered) {
			answered = c.Answer.At
		}
	}
	if out.Attempts > before.Attempts {
		out.LastAttemptTime = atSecond(answered)
	}
	if unlink.Spec.ChannelLinkSelector != nil && len(out.Channels) == 0 && !answered.IsZero() {
		for _, c := range seen.Channels {
			out.Channels = append(out.Channels, v1alpha1.ObjectName(c.Name))
		}
	}
	counts := addUsers(&out, before, seen)

	stands := outcome(unlink, seen, counts, now)
	out.Conditions = unlinkConditions(unlink, stands, now)
	switch {
	case stands.final():
		out.CompletionTime = atSecond(now)
	case stands.reason != v1alpha1.ReasonSuspended:
		out.NextAttemptTime = seen.next()
	}
	return out
}

// next is when the first of the servers is asked again that have failed; nil if none has.
func (u Unlinking) next() *metav1.Time {
	var first *metav1.Time
	for _, c := range u.Channels {
		if c.Obstacle != v1alpha1.ReasonBackingOff {
			continue
		}
		if next := atSecond(c.Next); first == nil || next.Before(first) {
			first = next
		}
	}
	return first
}

// Acknowledge gives the status of a request that is over for an edit that changes nothing about it (suspend, the time to
// live): the same, about the new generation.
func Acknowledge(unlink *v1alpha1.AccountUnlink) v1alpha1.AccountUnlinkStatus {
	out := *unlink.Status.DeepCopy()
	out.ObservedGeneration = unlink.Generation
	for i := range out.Conditions {
		out.Conditions[i].ObservedGeneration = unlink.Generation
	}
	return out
}

// started is the time of the first attempt: as the servers' ledgers have it, or, for a request that was armed anew, when the
// first answer since came.
func (u Unlinking) started(unlink *v1alpha1.AccountUnlink) *metav1.Time {
	if start := unlink.Status.StartTime; start != nil && !u.Rearmed(unlink) {
		return start
	}
	var first time.Time
	for _, c := range u.Channels {
		if c.Answer == nil || c.Answer.StartedAt.IsZero() {
			continue
		}
		at := c.Answer.StartedAt
		if u.Epoch != "" {
			at = c.Answer.At
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if first.IsZero() {
		return nil
	}
	return atSecond(first)
}

// atSecond is the time as the API keeps it.
func atSecond(t time.Time) *metav1.Time {
	return new(metav1.NewTime(t.Truncate(time.Second)))
}

// ending says how a request stands: over, well or not, or not over yet.
type ending struct {
	complete, failed bool
	reason, message  string
}

func (e ending) final() bool { return e.complete || e.failed }

// obstacles are the reasons of a request that is not over, with the one first that a person should see.
var obstacles = []string{
	v1alpha1.ReasonCredentialsRejected, v1alpha1.ReasonBackingOff, v1alpha1.ReasonWaitingForServer, v1alpha1.ReasonWaitingForChannelLink,
}

func outcome(unlink *v1alpha1.AccountUnlink, seen Unlinking, counts UnlinkCounts, now time.Time) ending {
	if seen.over() && seen.Refusal == nil {
		return end(counts)
	}
	deadline, started := seen.Deadline(unlink)
	switch {
	case held(unlink):
		return ending{reason: v1alpha1.ReasonSuspended, message: "spec.suspend is true: nothing is tried"}
	case seen.Refusal != nil:
		return ending{failed: true, reason: seen.Refusal.Reason, message: seen.Refusal.Message}
	case len(seen.Channels) == 0:
		return ending{reason: v1alpha1.ReasonWaitingForChannelLink, message: "No ChannelLink of this namespace has the labels of spec.channelLinkSelector"}
	case started && seen.retrying() && !now.Before(deadline):
		return ending{failed: true, reason: v1alpha1.ReasonDeadlineExceeded, message: "spec.activeDeadlineSeconds have passed since the first attempt; the links are revoked here, and the platform has not been told of all"}
	default:
		reason, detail := seen.obstacle()
		return ending{reason: reason, message: detail}
	}
}

// end is how a request ends that is over in every channel. A user for whom the platform has refused for good makes the
// whole request one that somebody has to look at.
func end(counts UnlinkCounts) ending {
	switch {
	case counts.Failed > 0:
		return ending{failed: true, reason: v1alpha1.ReasonRejected, message: "The platform refuses to unlink for good; the links are revoked here all the same: see status.users"}
	case counts.Unlinked > 0:
		return ending{complete: true, reason: v1alpha1.ReasonUnlinked, message: "The links are revoked"}
	case counts.Superseded > 0:
		return ending{complete: true, reason: v1alpha1.ReasonSupersededByNewerLink, message: "The user has linked again since; the newer link stands"}
	default:
		return ending{complete: true, reason: v1alpha1.ReasonNotLinked, message: "There was nothing to unlink"}
	}
}

// over tells whether nothing is left to do in any channel.
func (u Unlinking) over() bool {
	for _, c := range u.Channels {
		if c.Obstacle != "" {
			return false
		}
	}
	return len(u.Channels) > 0
}

func held(unlink *v1alpha1.AccountUnlink) bool {
	return unlink.Spec.Suspend != nil && *unlink.Spec.Suspend
}

// obstacle is the foremost of those of the channels.
func (u Unlinking) obstacle() (reason, detail string) {
	for _, reason := range obstacles {
		for _, c := range u.Channels {
			if c.Obstacle == reason {
				return reason, c.Detail
			}
		}
	}
	return "", ""
}

// unlinkConditions are the five conditions, all with the reason of the ending.
func unlinkConditions(unlink *v1alpha1.AccountUnlink, stands ending, now time.Time) []metav1.Condition {
	var conditions []metav1.Condition
	for _, c := range []struct {
		kind  string
		holds bool
	}{
		{v1alpha1.ConditionComplete, stands.complete},
		{v1alpha1.ConditionFailed, stands.failed},
		{v1alpha1.ConditionReady, stands.complete},
		{v1alpha1.ConditionReconciling, !stands.final()},
		{v1alpha1.ConditionStalled, stands.failed},
	} {
		status := metav1.ConditionFalse
		if c.holds {
			status = metav1.ConditionTrue
		}
		since := *atSecond(now)
		if old := meta.FindStatusCondition(unlink.Status.Conditions, c.kind); old != nil && old.Status == status {
			since = old.LastTransitionTime
		}
		conditions = append(conditions, metav1.Condition{
			Type: c.kind, Status: status, Reason: stands.reason, Message: shortened(stands.message),
			ObservedGeneration: unlink.Generation, LastTransitionTime: since,
		})
	}
	return conditions
}

// Summary says for people how many users are unlinked, and how the others stand.
func Summary(c UnlinkCounts) string {
	if c.linked() == 0 {
		return "nobody was linked"
	}
	parts := []string{fmt.Sprintf("%d/%d unlinked", c.Unlinked, c.linked())}
	for _, other := range []struct {
		number int32
		word   string
	}{
		{c.Superseded, "linked again"}, {c.Failed, "failed"},
	} {
		if other.number > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", other.number, other.word))
		}
	}
	return strings.Join(parts, ", ")
}
