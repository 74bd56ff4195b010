//go:build apiserver

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// The runbook of a lost volume: the pod goes, the claim is deleted, the operator makes a new one, and the pod comes back to it.
func TestALostVolumeIsMadeAnew(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t))
	o.ready(t, link)
	replicas := func(n int32) {
		edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Server = &v1alpha1.Server{Replicas: new(n)} })
	}
	claim := func() (*corev1.PersistentVolumeClaim, error) {
		c := &corev1.PersistentVolumeClaim{}
		return c, env.Client.Get(t.Context(), client.ObjectKey{Namespace: link.Namespace, Name: names.Volume(link)}, c)
	}
	lost, err := claim()
	if err != nil {
		t.Fatal(err)
	}

	replicas(0)
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(o.tryRollOut(t.Context(), link)).To(Succeed())
		g.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link)).To(Succeed())
		available := meta.FindStatusCondition(link.Status.Conditions, v1alpha1.ConditionAvailable)
		g.Expect(available.Reason).To(Equal(v1alpha1.ReasonScaledToZero))
	}).WithTimeout(patience).Should(Succeed())
	if err := env.Client.Delete(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	// What the cluster's controller does when no pod uses the claim any more.
	unprotect := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`))
	if err := client.IgnoreNotFound(env.Client.Patch(t.Context(), lost, unprotect)); err != nil {
		t.Fatal(err)
	}
	NewWithT(t).Eventually(func(g Gomega) {
		made, err := claim()
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(made.UID).NotTo(Equal(lost.UID))
		g.Expect(made.Labels).To(Equal(lost.Labels))
	}).WithTimeout(patience).Should(Succeed())

	replicas(1)
	o.ready(t, link)
}
