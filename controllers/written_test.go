package controllers

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"channellink.dev/operator/api/v1alpha1"
)

// The status that was written last counts until the cache shows the version that it made: between the version that it was
// written on top of and its own there may be that of a status before.
func TestTheLastStatusCountsUntilTheCacheShowsIt(t *testing.T) {
	key := types.NamespacedName{Namespace: "vision", Name: "hr"}
	at := func(version string) *v1alpha1.ChannelLink {
		return &v1alpha1.ChannelLink{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, ResourceVersion: version}}
	}
	var w written[string]
	if status, ok := w.latest(at("254")); ok {
		t.Errorf("nothing was written, and %q is the latest", status)
	}
	w.note(key, new("255"), "ready")
	w.note(key, new("257"), "rolling out")
	for _, cached := range []string{"254", "255", "256"} {
		if status, ok := w.latest(at(cached)); !ok || status != "rolling out" {
			t.Errorf("the cache has version %s: %q (%t), want what was written", cached, status, ok)
		}
	}
	for _, cached := range []string{"257", "256"} { // then it is forgotten
		if status, ok := w.latest(at(cached)); ok {
			t.Errorf("the cache had 257, and has %s: %q", cached, status)
		}
	}
	w.note(key, nil, "of an API server that does not say")
	if status, ok := w.latest(at("257")); ok {
		t.Errorf("without a version %q is kept", status)
	}
}
