package desired_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"channellink.dev/operator/internal/desired"
)

// Not a byte may differ from one reconcile to the next, or every reconcile would write.
func TestBuildIsPure(t *testing.T) {
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		before := in
		before.Link = in.Link.DeepCopy()
		before.Siblings = slices.Clone(in.Siblings)
		before.OperatorKeys = slices.Clone(in.OperatorKeys)

		first := render(t, build(t, in))
		if diff := cmp.Diff(before, in); diff != "" {
			t.Errorf("Build changed its input (-before +after):\n%s", diff)
		}
		for range 5 {
			if diff := cmp.Diff(string(first), string(render(t, build(t, in)))); diff != "" {
				t.Fatalf("Build gives something else the next time (-first +next):\n%s", diff)
			}
		}
	})
}

// The operator takes an object for unchanged when what it renders is a subset of what the API server holds. So nothing may
// be rendered that the API server's own types drop or spell otherwise.
func TestObjectsAreCanonical(t *testing.T) {
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		objects := build(t, in)
		for _, object := range objects.InOrder() {
			rendered := generic(t, object)
			typed := typedObject(t, rendered["kind"].(string))
			convert(t, object, typed)
			for _, problem := range notIn(rendered, generic(t, typed), rendered["kind"].(string)) {
				t.Error(problem)
			}
		}
	})
}

// emptyOnPurpose are the empty objects that the API server keeps.
var emptyOnPurpose = []string{
	"NetworkPolicy.spec.ingress.from.namespaceSelector", // every namespace
}

// An empty list, an empty object or a null is not stored, or is filled with defaults, and would look like a difference for
// ever.
func TestNothingEmptyIsRendered(t *testing.T) {
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		objects := build(t, in)
		for _, object := range objects.InOrder() {
			rendered := generic(t, object)
			for _, path := range empties(rendered, rendered["kind"].(string)) {
				if !slices.Contains(emptyOnPurpose, path) {
					t.Errorf("%s is empty", path)
				}
			}
		}
	})
}

// The volume holds people's links: no owner whose deletion takes it along, and never among what is pruned.
func TestTheVolumeBelongsToNobody(t *testing.T) {
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		objects := build(t, in)
		if objects.Volume != nil {
			if len(objects.Volume.OwnerReferences) > 0 {
				t.Errorf("the claim has an owner: %v", objects.Volume.OwnerReferences)
			}
			for key, value := range objects.Volume.Labels {
				if value == string(in.Link.UID) {
					t.Errorf("label %s holds the ChannelLink's UID: the next of that name could not take the claim up", key)
				}
			}
		}
		for _, object := range objects.Absent() {
			if _, ok := object.(*corev1.PersistentVolumeClaim); ok {
				t.Error("the claim is to be pruned")
			}
		}
	})
}

// Every optional kind is either wanted or to be pruned: a setting that is switched off leaves nothing behind.
func TestEveryOptionalKindIsWantedOrAbsent(t *testing.T) {
	forEachCase(t, func(t *testing.T, _ string, in desired.Input) {
		objects := build(t, in)
		seen := map[string]int{}
		for _, object := range objects.InOrder() {
			seen[generic(t, object)["kind"].(string)]++
		}
		for _, object := range objects.Absent() {
			name := fmt.Sprintf("%T", object)
			seen[name[strings.LastIndex(name, ".")+1:]]++
		}
		for _, kind := range []string{"NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress", "HTTPRoute"} {
			if seen[kind] != 1 {
				t.Errorf("%s is listed %d times among wanted and absent objects, want once", kind, seen[kind])
			}
		}
	})
}

// notIn lists where the rendered value is not part of the stored one.
func notIn(rendered, stored any, path string) []string {
	switch rendered := rendered.(type) {
	case map[string]any:
		other, ok := stored.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is dropped", path)}
		}
		var problems []string
		for key, value := range rendered {
			problems = append(problems, notIn(value, other[key], path+"."+key)...)
		}
		return problems
	case []any:
		other, ok := stored.([]any)
		if !ok || len(other) != len(rendered) {
			return []string{fmt.Sprintf("%s: %v is stored as %v", path, rendered, stored)}
		}
		var problems []string
		for i, value := range rendered {
			problems = append(problems, notIn(value, other[i], path)...)
		}
		return problems
	default:
		if rendered != stored {
			return []string{fmt.Sprintf("%s: %v is stored as %v", path, rendered, stored)}
		}
		return nil
	}
}

// empties lists the paths of empty values below the value.
func empties(value any, path string) []string {
	var paths []string
	switch value := value.(type) {
	case nil:
		return []string{path}
	case map[string]any:
		if len(value) == 0 {
			return []string{path}
		}
		for key, v := range value {
			paths = append(paths, empties(v, path+"."+key)...)
		}
	case []any:
		if len(value) == 0 {
			return []string{path}
		}
		for _, v := range value {
			paths = append(paths, empties(v, path)...)
		}
	}
	return paths
}

func typedObject(t *testing.T, kind string) runtime.Object {
	t.Helper()
	switch kind {
	case "ServiceAccount":
		return &corev1.ServiceAccount{}
	case "ConfigMap":
		return &corev1.ConfigMap{}
	case "PersistentVolumeClaim":
		return &corev1.PersistentVolumeClaim{}
	case "Service":
		return &corev1.Service{}
	case "Deployment":
		return &appsv1.Deployment{}
	case "NetworkPolicy":
		return &networkingv1.NetworkPolicy{}
	case "PodDisruptionBudget":
		return &policyv1.PodDisruptionBudget{}
	case "HorizontalPodAutoscaler":
		return &autoscalingv2.HorizontalPodAutoscaler{}
	case "Ingress":
		return &networkingv1.Ingress{}
	case "HTTPRoute":
		return &gatewayv1.HTTPRoute{}
	}
	t.Fatalf("no type for kind %q", kind)
	return nil
}

// generic is the value as JSON has it.
func generic(t *testing.T, from any) map[string]any {
	t.Helper()
	var to map[string]any
	convert(t, from, &to)
	return to
}

// convert goes from one type to another by way of JSON.
func convert(t *testing.T, from, to any) {
	t.Helper()
	data, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, to); err != nil {
		t.Fatal(err)
	}
}
