//go:build apiserver

package controllers_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// change edits a child as its user would.
func change[T client.Object](t *testing.T, key client.ObjectKey, object T, how func(T)) {
	t.Helper()
	if err := env.Client.Get(t.Context(), key, object); err != nil {
		t.Fatal(err)
	}
	was := object.DeepCopyObject().(client.Object)
	how(object)
	if err := env.Client.Patch(t.Context(), object, client.MergeFrom(was)); err != nil {
		t.Fatal(err)
	}
}

// essence is what of an object matters: not its version, its managers and its status.
func essence(object client.Object) map[string]any {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		panic(err) // every kind of the scheme converts
	}
	delete(fields, "status")
	metadata := fields["metadata"].(map[string]any)
	for _, field := range []string{"resourceVersion", "generation", "managedFields"} {
		delete(metadata, field)
	}
	return fields
}

// What is edited by hand in a field of the operator's is put back, whatever the edit. C70
func TestDriftIsPutBack(t *testing.T) {
	o := startOperator(t)
	link := create(t, "full", env.Namespace(t))
	o.rollOut(t, link)
	giveAddress(t, link)
	o.ready(t, link)
	key := childOf(link)

	for _, tc := range []struct {
		name   string
		reason string
		object client.Object
		edit   func(client.Object)
	}{
		{
			name: "image", reason: "another program would get the channel's secrets", object: &appsv1.Deployment{},
			edit: func(o client.Object) {
				o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = "registry.example/other"
			},
		},
		{
			name: "arguments", reason: "a list of the operator's is its own as a whole", object: &appsv1.Deployment{},
			edit: func(o client.Object) {
				c := &o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0]
				c.Args = append(c.Args, "--more")
			},
		},
		{
			name: "settings", reason: "the spec alone says what the server does", object: &corev1.ConfigMap{},
			edit: func(o client.Object) { o.(*corev1.ConfigMap).Data["settings.json"] = "{}" },
		},
		{
			name: "rule of the policy", reason: "a rule more opens every port", object: &networkingv1.NetworkPolicy{},
			edit: func(o client.Object) {
				p := o.(*networkingv1.NetworkPolicy)
				p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
			},
		},
		{
			name: "port of the policy's rule", reason: "a port more is open", object: &networkingv1.NetworkPolicy{},
			edit: func(o client.Object) {
				rule := &o.(*networkingv1.NetworkPolicy).Spec.Ingress[0]
				rule.Ports = append(rule.Ports, networkingv1.NetworkPolicyPort{Port: new(intstr.FromInt32(22))})
			},
		},
		{
			name: "path of the Ingress", reason: "people would reach another channel", object: &networkingv1.Ingress{},
			edit: func(o client.Object) {
				o.(*networkingv1.Ingress).Spec.Rules[0].HTTP.Paths[0].Path = "/other"
			},
		},
		{
			name: "selector", reason: "the Service would lead elsewhere", object: &corev1.Service{},
			edit: func(o client.Object) { o.(*corev1.Service).Spec.Selector["app.kubernetes.io/instance"] = "other" },
		},
		{
			name: "disruption budget", reason: "an optional object is held to as well", object: &policyv1.PodDisruptionBudget{},
			edit: func(o client.Object) {
				spec := &o.(*policyv1.PodDisruptionBudget).Spec
				spec.MaxUnavailable, spec.MinAvailable = new(intstr.FromInt32(2)), nil
			},
		},
		{
			name: "label", reason: "without it the operator's cache does not hold the object any more", object: &appsv1.Deployment{},
			edit: func(o client.Object) { delete(o.GetLabels(), names.LabelManagedBy) },
		},
		{
			name: "owner", reason: "without it the object would outlive the ChannelLink", object: &corev1.ServiceAccount{},
			edit: func(o client.Object) { o.SetOwnerReferences(nil) },
		},
		{
			name: "hash", reason: "it is what the next change is found by", object: &corev1.Service{},
			edit: func(o client.Object) { delete(o.GetAnnotations(), names.AnnotationAppliedHash) },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := env.Client.Get(t.Context(), key, tc.object); err != nil {
				t.Fatal(err)
			}
			want := essence(tc.object)
			change(t, key, tc.object, tc.edit)
			if cmp.Equal(want, essence(tc.object)) {
				t.Fatal("the edit has changed nothing")
			}
			NewWithT(t).Eventually(func() (any, error) {
				err := env.Client.Get(t.Context(), key, tc.object)
				return essence(tc.object), err
			}).Should(Equal(want), tc.reason)
		})
	}

	t.Run("deleted", func(t *testing.T) {
		for _, object := range []client.Object{
			&corev1.Service{}, &appsv1.Deployment{}, &corev1.ConfigMap{}, &corev1.ServiceAccount{},
			&networkingv1.NetworkPolicy{}, &networkingv1.Ingress{}, &policyv1.PodDisruptionBudget{},
		} {
			if err := env.Client.Get(t.Context(), key, object); err != nil {
				t.Fatal(err)
			}
			was := object.GetUID()
			if err := env.Client.Delete(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			NewWithT(t).Eventually(func(g Gomega) {
				g.Expect(env.Client.Get(t.Context(), key, object)).To(Succeed())
				g.Expect(object.GetUID()).NotTo(Equal(was))
			}).Should(Succeed())
		}
	})
}

// What others add to the operator's objects stays, and costs no write. C70
func TestWhatOthersAddIsLeftAlone(t *testing.T) {
	o := startOperator(t)
	link := create(t, "full", env.Namespace(t))
	o.rollOut(t, link)
	giveAddress(t, link)
	o.ready(t, link)
	key := childOf(link)
	o.settle(0, 1)

	for _, tc := range []struct {
		name   string
		reason string
		edit   func(*appsv1.Deployment)
	}{
		{"label", "labels are how teams find their objects", func(d *appsv1.Deployment) { d.Labels["team"] = "hr" }},
		{"annotation", "annotations are other programs' memory", func(d *appsv1.Deployment) { d.Annotations["example.com/a"] = "1" }},
		{"restart", "this is what kubectl rollout restart does", func(d *appsv1.Deployment) {
			d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
		}},
		{"sidecar", "a mesh may inject its proxy", func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers = append(d.Spec.Template.Spec.Containers, corev1.Container{Name: "proxy", Image: "registry.example/proxy"})
		}},
		{"variable", "an environment variable more is for those who debug", func(d *appsv1.Deployment) {
			c := &d.Spec.Template.Spec.Containers[0]
			c.Env = append(c.Env, corev1.EnvVar{Name: "GODEBUG", Value: "http2debug=1"})
		}},
		{"replicas", "with autoscaling the number is the autoscaler's", func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32(3)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			deployment := &appsv1.Deployment{}
			recording := env.Record(t)
			before := passes(t)
			change(t, key, deployment, tc.edit)
			want := essence(deployment)
			o.settle(before, 1)
			writes := tally(t, recording, link.Namespace)
			delete(writes, "patch channellinks.channellink.dev/status") // a rollout begins
			if len(writes) > 0 {
				t.Errorf("%s: written were %v", tc.reason, writes)
			}
			if err := env.Client.Get(t.Context(), key, deployment); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, essence(deployment)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			o.ready(t, link)
		})
	}

	t.Run("a later change of the spec", func(t *testing.T) {
		edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Server.LogLevel = "debug" })
		eventually(t, link, condition{v1alpha1.ConditionSecretsReady, "Unknown", v1alpha1.ReasonProgressing})
		deployment := &appsv1.Deployment{}
		if err := env.Client.Get(t.Context(), key, deployment); err != nil {
			t.Fatal(err)
		}
		if *deployment.Spec.Replicas != 3 || deployment.Labels["team"] != "hr" || len(deployment.Spec.Template.Spec.Containers) != 2 {
			t.Errorf("the write of a changed spec took something away: %d replicas, labels %v, %d containers",
				*deployment.Spec.Replicas, deployment.Labels, len(deployment.Spec.Template.Spec.Containers))
		}
	})
}
