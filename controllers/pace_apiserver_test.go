//go:build apiserver

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/adminapi"
)

// The pace follows the readiness that a pass writes, with no other pass to tell: a server whose ChannelLink has become ready
// is left alone for long, and one whose ChannelLink has ceased to be is asked often. C75
func TestThePaceFollowsTheStatus(t *testing.T) {
	o := newOperator(t)
	o.options.PendingInterval, o.options.ReadyInterval = pendingInterval, 40*pendingInterval
	o.start()
	namespace := env.Namespace(t)
	failed := func(s *fakeServer) {
		s.status.Store = adminapi.Store{State: adminapi.StoreFailed, Reason: adminapi.StoreUnavailable}
	}
	// One that is never ready tells the time: it is asked at every pendingInterval.
	clock := create(t, "line", namespace, ofVision("clock"))
	o.rollOut(t, clock)
	o.servers.change(clock, failed)
	link := create(t, "line", namespace, ofVision("link"))
	o.ready(t, link)
	// meanwhile is how often the server is asked while the other one is asked forty times.
	meanwhile := func() int {
		began, asked := o.servers.asked(clock), o.servers.asked(link)
		NewWithT(t).Eventually(func() int { return o.servers.asked(clock) - began }).Should(BeNumerically(">=", 40))
		return o.servers.asked(link) - asked
	}
	if n := meanwhile(); n > 5 {
		t.Errorf("asked %d times in one slow interval after it became ready", n)
	}

	o.servers.change(link, failed)
	eventually(t, link, condition{v1alpha1.ConditionReady, "False", v1alpha1.ReasonStoreUnavailable})
	if n := meanwhile(); n < 20 || n > 80 {
		t.Errorf("asked %d times in forty quick intervals after it ceased to be ready", n)
	}
}
