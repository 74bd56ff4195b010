package apply

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// listKeys are the keys by which the API server merges lists of objects (the x-kubernetes-list-map-keys of the kinds that
// operators render), by the names of the field and of the one around it: `ports` of a container and of a Service merge by
// different keys, and those of a NetworkPolicy's rule do not merge at all. Elements that others added to such a list are
// theirs; every other list is ours as a whole.
var listKeys = map[string][]string{
	"metadata.ownerReferences":       {"uid"},
	"spec.containers":                {"name"},
	"spec.initContainers":            {"name"},
	"spec.volumes":                   {"name"},
	"spec.imagePullSecrets":          {"name"},
	"spec.topologySpreadConstraints": {"topologyKey", "whenUnsatisfiable"},
	"spec.ports":                     {"port", "protocol"},
	"containers.ports":               {"containerPort", "protocol"},
	"containers.env":                 {"name"},
	"containers.volumeMounts":        {"mountPath"},
}

// includes reports whether every value of want is found in the object. Fields that want does not name (defaults, status,
// what users or other controllers set) do not matter.
func includes(object client.Object, want *unstructured.Unstructured) (bool, error) {
	have, err := generic(object)
	if err != nil {
		return false, err
	}
	// Objects in a typed cache have no kind of their own.
	have["apiVersion"], have["kind"] = want.GetAPIVersion(), want.GetKind()
	return mapIncludes("", have, want.Object), nil
}

// includesMetadata is the same for labels, annotations and owners alone.
func includesMetadata(object *metav1.PartialObjectMetadata, want *unstructured.Unstructured) (bool, error) {
	have, err := generic(object)
	if err != nil {
		return false, err
	}
	return valueIncludes("", "metadata", have["metadata"], want.Object["metadata"]), nil
}

// generic is the object in JSON's own types, as reflection finds them: a third of the cost of writing and parsing it.
func generic(object client.Object) (map[string]any, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, fmt.Errorf("rendering %T %q: %w", object, object.GetName(), err)
	}
	return fields, nil
}

// mapIncludes compares the fields of the object that stands in the field named parent.
func mapIncludes(parent string, have, want map[string]any) bool {
	for field, value := range want {
		if !valueIncludes(parent, field, have[field], value) {
			return false
		}
	}
	return true
}

func valueIncludes(parent, field string, have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		return (ok || len(want) == 0) && mapIncludes(field, have, want)
	case []any:
		have, _ := have.([]any)
		if keys, ok := listKeys[parent+"."+field]; ok {
			return mergedListIncludes(field, have, want, keys)
		}
		return wholeListIncludes(parent, field, have, want)
	default:
		return have == want
	}
}

// mergedListIncludes looks for each wanted element by its key, wherever it stands.
func mergedListIncludes(field string, have, want []any, keys []string) bool {
	byKey := make(map[string]any, len(have))
	for _, element := range have {
		byKey[keyOf(element, keys)] = element
	}
	for _, element := range want {
		if !valueIncludes("", field, byKey[keyOf(element, keys)], element) {
			return false
		}
	}
	return true
}

// wholeListIncludes wants the same number of elements in the same order, each of which may have defaulted fields more.
func wholeListIncludes(parent, field string, have, want []any) bool {
	if len(have) != len(want) {
		return false
	}
	for i := range want {
		if !valueIncludes(parent, field, have[i], want[i]) {
			return false
		}
	}
	return true
}

func keyOf(element any, keys []string) string {
	object, _ := element.(map[string]any)
	values := make([]any, len(keys))
	for i, key := range keys {
		values[i] = object[key]
	}
	return fmt.Sprint(values)
}
