//go:build apiserver

package api

import (
	"slices"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// A fresh object says that nothing is known yet, so that `kubectl wait` and health checks do not take it for done.
func TestFreshObjectIsPending(t *testing.T) {
	namespace := env.Namespace(t)
	link, unlink := newChannelLink(namespace, "fresh"), newAccountUnlink(namespace, "fresh")
	for _, object := range []client.Object{link, unlink} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	want := []metav1.Condition{{
		Type:    v1alpha1.ConditionReady,
		Status:  metav1.ConditionUnknown,
		Reason:  v1alpha1.ReasonPending,
		Message: "Waiting for the operator",
	}}
	tests := []struct {
		object             client.Object
		observedGeneration int64
		conditions         []metav1.Condition
	}{
		{link, link.Status.ObservedGeneration, link.Status.Conditions},
		{unlink, unlink.Status.ObservedGeneration, unlink.Status.Conditions},
	}
	for _, tt := range tests {
		if tt.observedGeneration != -1 {
			t.Errorf("%T: observedGeneration is %d, want -1", tt.object, tt.observedGeneration)
		}
		if diff := cmp.Diff(want, tt.conditions, cmpopts.IgnoreFields(metav1.Condition{}, "LastTransitionTime")); diff != "" {
			t.Errorf("%T: conditions (-want +got):\n%s", tt.object, diff)
		}

		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(tt.object)
		if err != nil {
			t.Fatal(err)
		}
		result, err := status.Compute(&unstructured.Unstructured{Object: fields})
		if err != nil {
			t.Fatal(err)
		}
		if result.Status != status.InProgressStatus {
			t.Errorf("%T: kstatus takes it for %s: %s", tt.object, result.Status, result.Message)
		}
	}
}

// A status that a user writes with the object is ignored: only the status subresource changes it.
func TestStatusIsASubresource(t *testing.T) {
	link := newChannelLink(env.Namespace(t), "forged")
	link.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonReady,
		LastTransitionTime: metav1.Now()}}
	if err := env.Client.Create(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	if got := link.Status.Conditions[0].Status; got != metav1.ConditionUnknown {
		t.Errorf("Ready is %s, want Unknown", got)
	}
}

func TestNamesOfTheKinds(t *testing.T) {
	c, err := discovery.NewDiscoveryClientForConfig(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.ServerResourcesForGroupVersion(v1alpha1.SchemeGroupVersion.String())
	if err != nil {
		t.Fatal(err)
	}
	type names struct {
		Kind                   string
		ShortNames, Categories []string
		Namespaced             bool
	}
	got := map[string]names{}
	for _, r := range list.APIResources {
		got[r.Name] = names{r.Kind, r.ShortNames, r.Categories, r.Namespaced}
	}
	want := map[string]names{
		"channellinks":          {"ChannelLink", []string{"chl"}, []string{"chatlinks"}, true},
		"channellinks/status":   {"ChannelLink", nil, nil, true},
		"channellinks/scale":    {"Scale", nil, nil, true},
		"accountunlinks":        {"AccountUnlink", []string{"unlink"}, []string{"chatlinks"}, true},
		"accountunlinks/status": {"AccountUnlink", nil, nil, true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

// What `kubectl get` and `kubectl get -o wide` show.
func TestColumns(t *testing.T) {
	namespace := env.Namespace(t)
	link, unlink := newChannelLink(namespace, "shown"), newAccountUnlink(namespace, "shown")
	for _, object := range []client.Object{link, unlink} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	link.Status.ActiveLinks = new(int64(7))
	link.Status.Endpoints = &v1alpha1.Endpoints{Authorize: "https://link.vision.example/hr/authorize"}
	unlink.Status.Summary = "1/1 unlinked"
	unlink.Status.Conditions = append(unlink.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionComplete,
		Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonUnlinked, LastTransitionTime: metav1.Now()})
	for _, object := range []client.Object{link, unlink} {
		if err := env.Client.Status().Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}

	tests := []struct {
		resource string
		columns  []string // a star marks those that only -o wide shows
		cells    []any    // without the age
	}{
		{
			resource: "channellinks",
			columns:  []string{"Name", "Platform", "Page", "Ready", "Reason*", "Links", "Authorize URL", "Age"},
			cells:    []any{"shown", "LINE", "507oftxz", "Unknown", "Pending", int64(7), "https://link.vision.example/hr/authorize"},
		},
		{
			resource: "accountunlinks",
			columns:  []string{"Name", "Channel", "Complete", "Reason", "Result", "Age"},
			cells:    []any{"shown", "vision-hr", "True", "Pending", "1/1 unlinked"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.resource, func(t *testing.T) {
			table := getTable(t, namespace, tt.resource, "shown")
			var columns []string
			for _, c := range table.ColumnDefinitions {
				name := c.Name
				if c.Priority > 0 {
					name += "*"
				}
				columns = append(columns, name)
			}
			if diff := cmp.Diff(tt.columns, columns); diff != "" {
				t.Errorf("columns (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.cells, table.Rows[0].Cells[:len(tt.cells)]); diff != "" {
				t.Errorf("cells (-want +got):\n%s", diff)
			}
		})
	}
}

// getTable asks for an object as kubectl does.
func getTable(t *testing.T, namespace, resource, name string) *metav1.Table {
	t.Helper()
	config := rest.CopyConfig(env.Config)
	config.APIPath = "/apis"
	config.GroupVersion = &v1alpha1.SchemeGroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	config.AcceptContentTypes = "application/json;as=Table;v=v1;g=meta.k8s.io"
	c, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	table := &metav1.Table{}
	if err := c.Get().Namespace(namespace).Resource(resource).Name(name).Do(t.Context()).Into(table); err != nil {
		t.Fatal(err)
	}
	return table
}

// `kubectl scale` and a HorizontalPodAutoscaler see and change spec.server.replicas, within its rules.
func TestScaleSubresource(t *testing.T) {
	namespace := env.Namespace(t)
	link := newChannelLink(namespace, "scaled")
	link.Spec.Store = &v1alpha1.Store{Postgres: &v1alpha1.PostgresStore{DSNSecretRef: v1alpha1.SecretKeyReference{Name: "db", Key: "dsn"}}}
	if err := env.Client.Create(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	link.Status.Replicas = 1
	link.Status.Selector = "app.kubernetes.io/instance=scaled"
	if err := env.Client.Status().Update(t.Context(), link); err != nil {
		t.Fatal(err)
	}

	scale := &autoscalingv1.Scale{}
	if err := env.Client.SubResource("scale").Get(t.Context(), link, scale); err != nil {
		t.Fatal(err)
	}
	want := autoscalingv1.ScaleStatus{Replicas: 1, Selector: "app.kubernetes.io/instance=scaled"}
	if diff := cmp.Diff(want, scale.Status); diff != "" || scale.Spec.Replicas != 1 {
		t.Errorf("replicas %d, status (-want +got):\n%s", scale.Spec.Replicas, diff)
	}

	scale.Spec.Replicas = 3
	if err := env.Client.SubResource("scale").Update(t.Context(), link, client.WithSubResourceBody(scale)); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link); err != nil {
		t.Fatal(err)
	}
	if got := *link.Spec.Server.Replicas; got != 3 {
		t.Errorf("server.replicas is %d after scaling, want 3", got)
	}

	single := newChannelLink(namespace, "sqlite")
	if err := env.Client.Create(t.Context(), single); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.SubResource("scale").Get(t.Context(), single, scale); err != nil {
		t.Fatal(err)
	}
	scale.Spec.Replicas = 2
	err := env.Client.SubResource("scale").Update(t.Context(), single, client.WithSubResourceBody(scale))
	if got := causes(err); !slices.ContainsFunc(got, func(c metav1.StatusCause) bool {
		return says(c, "server.replicas greater than 1 needs store.postgres: SQLite serves one replica")
	}) {
		t.Errorf("scaling SQLite to 2: %s", describe(got))
	}
}
