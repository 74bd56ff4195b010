//go:build apiserver

package controllers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	lost := volumeOf(t, link)

	putToRest(t, o, link)
	lose(t, lost)
	NewWithT(t).Eventually(func(g Gomega) {
		made := &corev1.PersistentVolumeClaim{}
		g.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(lost), made)).To(Succeed())
		g.Expect(made.UID).NotTo(Equal(lost.UID))
		g.Expect(made.Labels).To(Equal(lost.Labels))
	}).Should(Succeed())

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Server.Replicas = new(int32(1)) })
	o.ready(t, link)
}

// The same runbook with a snapshot: while the operator is suspended, nobody makes the claim anew; it takes up the one that a
// person has made, and keeps what it is bound to.
func TestAVolumeFromASnapshot(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t))
	o.ready(t, link)
	lost := volumeOf(t, link)

	putToRest(t, o, link)
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Suspend = new(true) })
	eventually(t, link, condition{v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonSuspended})
	before := passes(t)
	lose(t, lost)
	touch(t, link, "look")
	o.settle(before, 1)
	made := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: lost.Name, Namespace: lost.Namespace, Labels: lost.Labels},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: lost.Spec.AccessModes, StorageClassName: new("snapshots"),
			Resources:  corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("3Gi")}},
			DataSource: &corev1.TypedLocalObjectReference{APIGroup: new("snapshot.storage.k8s.io"), Kind: "VolumeSnapshot", Name: "of-yesterday"},
		},
	}
	if err := env.Client.Create(t.Context(), made); err != nil {
		t.Fatalf("the operator, though suspended, was there first: %v", err)
	}

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Suspend, spec.Server.Replicas = nil, new(int32(1)) })
	o.ready(t, link)
	eventually(t, link, condition{v1alpha1.ConditionStoreReady, metav1.ConditionTrue, v1alpha1.ReasonStoreOpen})
	now := volumeOf(t, link)
	if diff := cmp.Diff(made.Spec, now.Spec); now.UID != made.UID || diff != "" {
		t.Errorf("the claim is another one, or not as it was made (-made +now):\n%s", diff)
	}
	if now.Annotations[names.AnnotationAppliedHash] == "" {
		t.Error("the operator has not taken it up")
	}
}

// putToRest puts the server to rest, and waits until its pods are gone.
func putToRest(t *testing.T, o *operator, link *v1alpha1.ChannelLink) {
	t.Helper()
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Server = &v1alpha1.Server{Replicas: new(int32(0))} })
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(o.tryRollOut(t.Context(), link)).To(Succeed())
		g.Expect(env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link)).To(Succeed())
		available := meta.FindStatusCondition(link.Status.Conditions, v1alpha1.ConditionAvailable)
		g.Expect(available.Reason).To(Equal(v1alpha1.ReasonScaledToZero))
	}).Should(Succeed())
}

// lose deletes the claim, and does what the cluster's controller does when no pod uses it any more.
func lose(t *testing.T, claim *corev1.PersistentVolumeClaim) {
	t.Helper()
	if err := env.Client.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	unprotect := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`))
	if err := client.IgnoreNotFound(env.Client.Patch(t.Context(), claim.DeepCopy(), unprotect)); err != nil {
		t.Fatal(err)
	}
}
