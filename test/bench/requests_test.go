//go:build bench

package bench

import (
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"channellink.dev/operator/internal/testenv"
)

// requests is what one program asked of the API server, from its audit record.
type requests struct {
	// created counts the children that came to be.
	created int
	// repeated counts writes to a child that is there: nobody has changed the ChannelLinks or the children, so each of
	// them is in vain.
	repeated int
	// status counts writes of a ChannelLink's status; mostStatus, the most for one.
	status, mostStatus int
	// other counts writes of anything else.
	other int
	// conflicts and failures count writes that were refused, with 409 and otherwise.
	conflicts, failures int
	// reads counts gets; live, those of them that ask for a child or a ChannelLink. Lists and watches are not for one
	// ChannelLink.
	reads, live int
	// last is when the last write was answered.
	last time.Time
}

func (r requests) writes() int {
	return r.created + r.repeated + r.status + r.other + r.conflicts + r.failures
}

// tally counts the requests of one user. Renewals of the leader's lease go by the clock, not by ChannelLinks.
func tally(events []auditv1.Event, user string) requests {
	var r requests
	statusWrites := map[string]int{}
	for _, event := range testenv.ByUser(events, user) {
		ref := event.ObjectRef
		if ref == nil || ref.Resource == "leases" {
			continue
		}
		if event.Verb == "get" {
			r.reads++
			if ref.Resource != "secrets" {
				r.live++
			}
		}
		if len(testenv.Writes([]auditv1.Event{event})) == 0 {
			continue
		}
		if at := event.StageTimestamp.Time; at.After(r.last) {
			r.last = at
		}
		switch code := event.ResponseStatus.Code; {
		case code == 409:
			r.conflicts++
		case code >= 400:
			r.failures++
		case ref.Resource == "channellinks" && ref.Subresource == "status":
			r.status++
			statusWrites[ref.Namespace+"/"+ref.Name]++
		case ref.Resource == "channellinks", ref.Resource == "secrets", ref.Resource == "events":
			r.other++
		case code == 201:
			r.created++
		default:
			r.repeated++
		}
	}
	for _, n := range statusWrites {
		r.mostStatus = max(r.mostStatus, n)
	}
	return r
}

// first is when the user's first request came.
func first(t *testing.T, events []auditv1.Event, user string) time.Time {
	t.Helper()
	var at time.Time
	for _, event := range testenv.ByUser(events, user) {
		if got := event.RequestReceivedTimestamp.Time; at.IsZero() || got.Before(at) {
			at = got
		}
	}
	if at.IsZero() {
		t.Fatalf("%s asked for nothing", user)
	}
	return at
}
