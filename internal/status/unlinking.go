package status

import (
	"time"

	"channellink.dev/operator/api/v1alpha1"
)

// Unlinking is everything that the status of an AccountUnlink depends on, beside the resource itself.
type Unlinking struct {
	// Epoch is the value of the annotation that armed the request; empty: it was never armed anew.
	Epoch string
	// Refusal ends the request before any step.
	Refusal *Refusal
	// Channels that the request is about, in the order of their names. None: there is no such ChannelLink.
	Channels []ChannelUnlinking
}

// Refusal says why a request cannot be carried out at all.
type Refusal struct{ Reason, Message string }

// ChannelUnlinking is how far the request has come in one channel.
type ChannelUnlinking struct {
	// Name of the ChannelLink.
	Name string
	// Obstacle is the reason why the request is not over there: WaitingForChannelLink, WaitingForServer,
	// CredentialsRejected, BackingOff or Suspended. Empty: it is over.
	Obstacle string
	// Detail of the obstacle for people.
	Detail string
	// Next is when the server is asked again; with obstacle BackingOff.
	Next time.Time
	// Answer is the server's last; nil when it has not been asked since the operator started.
	Answer *UnlinkAnswer
}

// UnlinkAnswer is what a server has said of the request.
type UnlinkAnswer struct {
	// At is when it came.
	At time.Time
	// StartedAt is when the server's ledger first knew the request.
	StartedAt time.Time
	Attempts  int32
	Counts    UnlinkCounts
	// Users, with the failed ones first and then those that wait. There may be more, see Counts.
	Users []v1alpha1.UnlinkedUser
}

// UnlinkCounts are numbers of chat users by how their unlinking stands.
type UnlinkCounts struct{ Waiting, Unlinked, NotLinked, Superseded, Failed int32 }

func (c UnlinkCounts) plus(d UnlinkCounts) UnlinkCounts {
	return UnlinkCounts{
		Waiting: c.Waiting + d.Waiting, Unlinked: c.Unlinked + d.Unlinked, NotLinked: c.NotLinked + d.NotLinked,
		Superseded: c.Superseded + d.Superseded, Failed: c.Failed + d.Failed,
	}
}

// linked is the number of users who had a link.
func (c UnlinkCounts) linked() int32 { return c.Waiting + c.Unlinked + c.Superseded + c.Failed }

// Rearmed tells whether the request was armed anew and nothing of that has been told yet. What the status says of times
// is then about an earlier run.
func (u Unlinking) Rearmed(unlink *v1alpha1.AccountUnlink) bool {
	return u.Epoch != unlink.Status.LastHandledRetryAt
}

// retrying tells whether a server that was reached is to be asked again, so that the deadline counts. Waiting for a
// ChannelLink or for its server does not count.
func (u Unlinking) retrying() bool {
	for _, c := range u.Channels {
		if c.Obstacle == v1alpha1.ReasonBackingOff || c.Obstacle == v1alpha1.ReasonCredentialsRejected {
			return true
		}
	}
	return false
}

// Deadline is when retrying ends; false before the first attempt.
func (u Unlinking) Deadline(unlink *v1alpha1.AccountUnlink) (time.Time, bool) {
	start := u.started(unlink)
	if start == nil {
		return time.Time{}, false
	}
	seconds := int64(defaultActiveDeadline)
	if s := unlink.Spec.ActiveDeadlineSeconds; s != nil {
		seconds = *s
	}
	return start.Add(time.Duration(seconds) * time.Second), true
}

// defaultActiveDeadline is the schema's, in seconds.
const defaultActiveDeadline = 86400
