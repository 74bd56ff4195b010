//go:build apiserver

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// An autoscaler leaves a Deployment of no replicas alone: so one that the spec has put to rest has to be woken when the spec
// hands it over. Later the number is the autoscaler's, and none is what somebody has set to keep it off.
func TestAutoscalingWakesAServerAtRest(t *testing.T) {
	o := startOperator(t)
	var scaling *v1alpha1.Autoscaling
	link := create(t, "full", env.Namespace(t), func(link *v1alpha1.ChannelLink) {
		scaling, link.Spec.Server.Autoscaling = link.Spec.Server.Autoscaling, nil
		link.Spec.Server.Replicas = new(int32(0))
	})
	replicas := func() (int32, error) {
		deployment := &appsv1.Deployment{}
		err := env.Client.Get(t.Context(), childOf(link), deployment)
		if err != nil {
			return -1, err
		}
		return *deployment.Spec.Replicas, nil
	}
	NewWithT(t).Eventually(replicas).Should(BeEquivalentTo(0))

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Server.Autoscaling = scaling })
	NewWithT(t).Eventually(replicas).Should(Equal(*scaling.MinReplicas))
	giveAddress(t, link)
	o.ready(t, link)

	deployment := &appsv1.Deployment{}
	if err := env.Client.Get(t.Context(), childOf(link), deployment); err != nil {
		t.Fatal(err)
	}
	deployment.Spec.Replicas = new(int32(0))
	if err := env.Client.Update(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) {
		spec.Server.PodLabels = map[string]v1alpha1.LabelValue{"team": "it"}
	})
	NewWithT(t).Eventually(func() (string, error) {
		err := env.Client.Get(t.Context(), childOf(link), deployment)
		return deployment.Spec.Template.Labels["team"], err
	}).Should(Equal("it"))
	if *deployment.Spec.Replicas != 0 {
		t.Errorf("a server that was put to rest by hand has %d replicas", *deployment.Spec.Replicas)
	}
}
