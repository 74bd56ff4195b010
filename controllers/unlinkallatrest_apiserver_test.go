//go:build apiserver

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// A server at rest is not woken by the deletion: it is waited for, and does its work once somebody scales its Deployment up,
// which nobody takes back.
func TestUnlinkAllWaitsForAServerAtRest(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t), unlinkAll)
	o.ready(t, link)
	putToRest(t, o, link)
	o.servers.platform(link, silent)
	remove(t, link)
	eventually(t, link, condition{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonDeleting})
	deployment := &appsv1.Deployment{}
	if err := env.Client.Get(t.Context(), childOf(link), deployment); err != nil || *deployment.Spec.Replicas != 0 {
		t.Fatalf("the server is woken, or gone: %v", err)
	}

	change(t, childOf(link), deployment, func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(1)) })
	o.rollOut(t, link)
	o.servers.platform(link, progress(0, 3, 0))
	goes(t, link)
	if kinds := left(t, link.Namespace); len(kinds) > 0 {
		t.Errorf("left are %v", kinds)
	}
	NewWithT(t).Eventually(func() map[string]string { return notes(t, link) }).Should(HaveKeyWithValue(v1alpha1.ReasonUnlinked, "All users are unlinked (3)"))
}
