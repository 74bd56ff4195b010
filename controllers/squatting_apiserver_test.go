//go:build apiserver

package controllers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// An object of somebody else that bears the name of one of ours is neither taken over nor changed, whether it is strange
// to the operator or belongs to another ChannelLink; the ChannelLink says which it is, and recovers when it goes. C67
func TestForeignObjectsAreLeftAlone(t *testing.T) {
	o := startOperator(t)
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }
	strange := map[string]string{"app": "somebody-else"}
	pods := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: strange},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "registry.example/shop"}}},
	}
	for _, tc := range []struct {
		name   string
		reason string
		object client.Object
		what   string
	}{
		{
			name: "deployment", reason: "its pods would be replaced by ours", what: `Deployment "vision-hr"`,
			object: &appsv1.Deployment{ObjectMeta: meta("vision-hr"), Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: strange}, Template: pods}},
		},
		{
			name: "service", reason: "its clients would reach us", what: `Service "vision-hr"`,
			object: &corev1.Service{ObjectMeta: meta("vision-hr"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}},
		},
		{
			name: "service of the admin port", reason: "the operator's tokens would go to a stranger", what: `Service "vision-hr-admin"`,
			object: &corev1.Service{ObjectMeta: meta("vision-hr-admin"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}},
		},
		{
			name: "service account", reason: "our pods would have its rights", what: `ServiceAccount "vision-hr"`,
			object: &corev1.ServiceAccount{ObjectMeta: meta("vision-hr")},
		},
		{
			name: "volume", reason: "its data would be another program's", what: `PersistentVolumeClaim "vision-hr-data"`,
			object: &corev1.PersistentVolumeClaim{ObjectMeta: meta("vision-hr-data"), Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
			}},
		},
		{
			name: "policy of another ChannelLink", reason: "two would fight over it for ever", what: `NetworkPolicy "vision-hr"`,
			object: &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{
				Name: "vision-hr",
				Labels: map[string]string{
					names.LabelManagedBy: names.ManagedBy, names.LabelInstance: "vision-hr", names.LabelOwner: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
				},
				OwnerReferences: []metav1.OwnerReference{{
					APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "ChannelLink", Name: "vision.hr",
					UID: "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", Controller: new(true),
				}},
			}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			namespace := env.Namespace(t)
			tc.object.SetNamespace(namespace)
			if err := env.Client.Create(t.Context(), tc.object); err != nil {
				t.Fatal(err)
			}
			key, version := client.ObjectKeyFromObject(tc.object), tc.object.GetResourceVersion()

			link := create(t, "line", namespace)
			got := eventually(t, link, condition{v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonNameConflict})
			eventually(t, link, condition{v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNameConflict})
			NewWithT(t).Expect(got.Message).To(ContainSubstring(tc.what))
			if err := env.Client.Get(t.Context(), key, tc.object); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(version, tc.object.GetResourceVersion()); diff != "" {
				t.Errorf("it was changed: %s", tc.reason)
			}

			// The API server protects volumes that are in use by a finalizer, and nobody here takes it off.
			change(t, key, tc.object, func(o client.Object) { o.SetFinalizers(nil) })
			if err := env.Client.Delete(t.Context(), tc.object); err != nil {
				t.Fatal(err)
			}
			// Nothing tells the operator that a stranger's object is gone; it looks again every minute, or when the
			// ChannelLink changes.
			edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.DisplayName = "Vision" })
			o.ready(t, link)
		})
	}
}

// Deletion of what is switched off spares a stranger's object of that name as well. C67
func TestAForeignObjectIsNotPruned(t *testing.T) {
	o := startOperator(t)
	namespace := env.Namespace(t)
	ingress := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "vision-hr", Labels: map[string]string{names.LabelManagedBy: names.ManagedBy}},
		Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: "shop", Port: networkingv1.ServiceBackendPort{Number: 80}},
		}},
	}
	if err := env.Client.Create(t.Context(), ingress); err != nil {
		t.Fatal(err)
	}
	link := create(t, "line", namespace)
	o.ready(t, link)
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(ingress), ingress); err != nil || ingress.DeletionTimestamp != nil {
		t.Errorf("the Ingress of somebody else: %v, deleted %v", err, ingress.DeletionTimestamp)
	}
}
