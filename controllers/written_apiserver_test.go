//go:build apiserver

package controllers_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/controllers"
)

// What an API server answers to a write of a status is enough to know that a cache does not show it yet.
func TestAStatusIsKnownBeforeTheCacheShowsIt(t *testing.T) {
	namespace := env.Namespace(t)
	recorder := events.NewFakeRecorder(10)

	links := &controllers.StatusWriter{Client: env.Client, Recorder: recorder}
	link := create(t, "line", namespace)
	if err := links.Write(t.Context(), link, v1alpha1.ChannelLinkStatus{ObservedGeneration: 7}); err != nil {
		t.Fatal(err)
	}
	if got := links.Latest(link).Status.ObservedGeneration; got != 7 {
		t.Errorf("ChannelLink: the status is that of generation %d, want the one that was written", got)
	}

	unlinks := &controllers.UnlinkStatusWriter{Client: env.Client, Recorder: recorder}
	unlink := ask(t, "leaver", namespace, link.Name)
	told := v1alpha1.AccountUnlinkStatus{ObservedGeneration: 7, Attempts: 3, Conditions: []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonBackingOff, LastTransitionTime: metav1.Now(),
	}}}
	if err := unlinks.Write(t.Context(), unlink, told); err != nil {
		t.Fatal(err)
	}
	if got := unlinks.Latest(unlink).Status.Attempts; got != 3 {
		t.Errorf("AccountUnlink: %d attempts, want what was written", got)
	}
}
