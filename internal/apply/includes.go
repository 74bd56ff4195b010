package apply

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// listKeys are the keys by which the API server merges lists of objects, by the name of the field (the
// x-kubernetes-list-map-keys of the kinds that operators render). Elements that others added to such a list are theirs;
// every other list is ours as a whole.
var listKeys = map[string][]string{
	"containers":       {"name"},
	"initContainers":   {"name"},
	"volumes":          {"name"},
	"env":              {"name"},
	"imagePullSecrets": {"name"},
	"volumeMounts":     {"mountPath"},
	"ownerReferences":  {"uid"},
}

// portKeys tells the two kinds of port lists apart: a container's merge by containerPort, a Service's by port.
var portKeys = [][]string{{"containerPort", "protocol"}, {"port", "protocol"}}

// includes reports whether every value of want is found in the object. Fields that want does not name (defaults, status,
// what users or other controllers set) do not matter.
func includes(object client.Object, want *unstructured.Unstructured) (bool, error) {
	data, err := json.Marshal(object)
	if err != nil {
		return false, fmt.Errorf("rendering %T %q: %w", object, object.GetName(), err)
	}
	var have map[string]any
	if err := json.Unmarshal(data, &have); err != nil {
		return false, fmt.Errorf("rendering %T %q: %w", object, object.GetName(), err)
	}
	// Objects in a typed cache have no kind of their own.
	have["apiVersion"], have["kind"] = want.GetAPIVersion(), want.GetKind()
	return mapIncludes(have, want.Object), nil
}

func mapIncludes(have, want map[string]any) bool {
	for key, value := range want {
		if !valueIncludes(key, have[key], value) {
			return false
		}
	}
	return true
}

func valueIncludes(field string, have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		return (ok || len(want) == 0) && mapIncludes(have, want)
	case []any:
		have, _ := have.([]any)
		if keys := mergeKeys(field, want); keys != nil {
			return mergedListIncludes(have, want, keys)
		}
		return wholeListIncludes(field, have, want)
	default:
		return have == want
	}
}

func mergeKeys(field string, list []any) []string {
	if field != "ports" {
		return listKeys[field]
	}
	for _, keys := range portKeys {
		if len(list) > 0 && keyOf(list[0], keys[:1]) != "[<nil>]" {
			return keys
		}
	}
	return nil
}

// mergedListIncludes looks for each wanted element by its key, wherever it stands.
func mergedListIncludes(have, want []any, keys []string) bool {
	byKey := make(map[string]any, len(have))
	for _, element := range have {
		byKey[keyOf(element, keys)] = element
	}
	for _, element := range want {
		if !valueIncludes("", byKey[keyOf(element, keys)], element) {
			return false
		}
	}
	return true
}

// wholeListIncludes wants the same number of elements in the same order, each of which may have defaulted fields more.
func wholeListIncludes(field string, have, want []any) bool {
	if len(have) != len(want) {
		return false
	}
	for i := range want {
		if !valueIncludes(field, have[i], want[i]) {
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
