//go:build apiserver

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// children reads every object of the namespace that the operator made.
func children(t *testing.T, namespace string) []client.Object {
	t.Helper()
	var found []client.Object
	for _, list := range []client.ObjectList{
		&corev1.ServiceAccountList{}, &corev1.ConfigMapList{}, &corev1.ServiceList{}, &corev1.PersistentVolumeClaimList{},
		&appsv1.DeploymentList{}, &networkingv1.NetworkPolicyList{}, &networkingv1.IngressList{},
		&policyv1.PodDisruptionBudgetList{}, &autoscalingv2.HorizontalPodAutoscalerList{},
	} {
		err := env.Client.List(t.Context(), list, client.InNamespace(namespace), client.MatchingLabels{names.LabelManagedBy: names.ManagedBy})
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, itemsOf(list)...)
	}
	return found
}

// collectGarbage plays the garbage collector after the deletion of a ChannelLink.
func collectGarbage(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	for _, object := range children(t, link.Namespace) {
		if !metav1.IsControlledBy(object, link) {
			continue
		}
		if err := env.Client.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// A setting that is switched off takes its object with it, and the volume never. Where the settings come back, so do the
// objects.
func TestWhatIsSwitchedOffGoes(t *testing.T) {
	o := startOperator(t)
	link := create(t, "full", env.Namespace(t))
	o.rollOut(t, link)
	giveAddress(t, link)
	o.ready(t, link)
	key := childOf(link)
	full := link.Spec.DeepCopy()

	optional := []client.Object{
		&networkingv1.Ingress{}, &networkingv1.NetworkPolicy{}, &policyv1.PodDisruptionBudget{}, &autoscalingv2.HorizontalPodAutoscaler{},
	}
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) {
		spec.Exposure = nil
		spec.Server.Autoscaling = nil
		spec.Server.Replicas = new(int32(1))
		spec.Server.NetworkPolicy = &v1alpha1.NetworkPolicy{Enabled: new(false)}
	})
	for _, object := range optional {
		NewWithT(t).Eventually(func() error { return env.Client.Get(t.Context(), key, object) }).
			Should(Satisfy(apierrors.IsNotFound), "%T", object)
	}
	o.ready(t, link)
	for _, c := range link.Status.Conditions {
		if c.Type == v1alpha1.ConditionExposed {
			t.Errorf("nothing is exposed, and there is a condition: %+v", c)
		}
	}

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { *spec = *full })
	for _, object := range optional {
		NewWithT(t).Eventually(func() error { return env.Client.Get(t.Context(), key, object) }).Should(Succeed(), "%T", object)
	}
	giveAddress(t, link)
	o.ready(t, link)

	t.Run("conditions come and go without needless writes", func(t *testing.T) {
		o.settle(0, 1)
		recording := env.Record(t)
		before := passes(t)
		touch(t, link, "again")
		o.settle(before, 1)
		if writes := tally(t, recording, link.Namespace); len(writes) > 0 {
			t.Errorf("written were %v", writes)
		}
	})
}

// The volume stays when the store moves to PostgreSQL: it holds people's links.
func TestTheVolumeStaysWithoutSQLite(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t))
	o.ready(t, link)
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) {
		spec.Store = &v1alpha1.Store{Postgres: &v1alpha1.PostgresStore{
			DSNSecretRef: v1alpha1.SecretKeyReference{Name: "vision-database", Key: "dsn"},
		}}
	})
	eventually(t, link, condition{v1alpha1.ConditionStoreReady, metav1.ConditionUnknown, v1alpha1.ReasonProgressing})
	o.ready(t, link)
	claim := &corev1.PersistentVolumeClaim{}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: link.Namespace, Name: names.Volume(link)}, claim); err != nil {
		t.Fatal(err)
	}
}

// A deletion takes every object but the volume, asks nobody and waits for nothing (C69); a ChannelLink of the same name,
// platform and page takes the volume up again, and any other finds it in its way.
func TestTheVolumeOutlivesItsChannelLink(t *testing.T) {
	o := startOperator(t)
	namespace := env.Namespace(t)
	first := create(t, "line", namespace)
	o.ready(t, first)
	for _, object := range children(t, namespace) {
		_, isVolume := object.(*corev1.PersistentVolumeClaim)
		if isVolume && len(object.GetOwnerReferences()) > 0 {
			t.Errorf("the volume has owners: %v", object.GetOwnerReferences())
		}
		if !isVolume && !metav1.IsControlledBy(object, first) {
			t.Errorf("%T %s does not belong to the ChannelLink", object, object.GetName())
		}
	}
	volume := &corev1.PersistentVolumeClaim{}
	key := client.ObjectKey{Namespace: namespace, Name: names.Volume(first)}
	if err := env.Client.Get(t.Context(), key, volume); err != nil {
		t.Fatal(err)
	}

	remove := func(link *v1alpha1.ChannelLink) {
		if err := env.Client.Delete(t.Context(), link); err != nil {
			t.Fatal(err)
		}
		err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), &v1alpha1.ChannelLink{})
		if !apierrors.IsNotFound(err) {
			t.Fatalf("something holds the ChannelLink: %v", err)
		}
	}
	remove(first)

	t.Run("before the garbage collector", func(t *testing.T) {
		second := create(t, "line", namespace)
		got := eventually(t, second, condition{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonProgressing})
		if second.Status.Conditions[0].Status == metav1.ConditionTrue {
			t.Errorf("ready with its predecessor's objects: %s", got.Message)
		}
		eventually(t, second, condition{v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonReady})
		collectGarbage(t, first)
		o.ready(t, second)
		again := &corev1.PersistentVolumeClaim{}
		if err := env.Client.Get(t.Context(), key, again); err != nil {
			t.Fatal(err)
		}
		if again.UID != volume.UID {
			t.Error("the volume is another one")
		}
		remove(second)
		collectGarbage(t, second)
	})
	t.Run("another page", func(t *testing.T) {
		other := create(t, "line", namespace, func(link *v1alpha1.ChannelLink) { link.Spec.PageID = "other" })
		got := eventually(t, other, condition{v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonNameConflict})
		NewWithT(t).Expect(got.Message).To(ContainSubstring(`PersistentVolumeClaim "vision-hr-data"`))
		eventually(t, other, condition{v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNameConflict})
	})
}

func itemsOf(list client.ObjectList) []client.Object {
	var items []client.Object
	_ = meta.EachListItem(list, func(item runtime.Object) error { // the function fails never
		items = append(items, item.(client.Object))
		return nil
	})
	return items
}
