//go:build apiserver

package controllers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/api/v1alpha1"
)

// A whole manager: an AccountUnlink waits for its ChannelLink and for the server of it, with no attempt spent, is carried out
// as soon as the watches tell that both are there, and costs one call of the platform.
func TestAnAccountUnlinkWaitsForItsServer(t *testing.T) {
	o := startOperator(t)
	namespace := env.Namespace(t)
	unlink := ask(t, "leaver", namespace, "vision-hr")
	becomes(t, unlink, v1alpha1.ReasonWaitingForChannelLink)

	link := create(t, "line", namespace)
	becomes(t, unlink, v1alpha1.ReasonWaitingForServer)
	if unlink.Status.Attempts != 0 || unlink.Status.StartTime != nil {
		t.Errorf("waiting spent an attempt: %+v", unlink.Status)
	}
	o.ready(t, link)
	becomes(t, unlink, v1alpha1.ReasonUnlinked)
	if diff := cmp.Diff("1/1 unlinked", unlink.Status.Summary); diff != "" {
		t.Error(diff)
	}
	if got := o.servers.entryOf(link, unlink); got.calls != 1 || got.asked != 1 {
		t.Errorf("%d calls of the platform for %d questions, want one for one", got.calls, got.asked)
	}
}
