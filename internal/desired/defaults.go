package desired

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"channellink.dev/operator/api/v1alpha1"
)

// The API server fills in the schema's defaults. Those that a builder cannot do without are repeated beside it, so that
// an object that was stored before a default existed is no special case.

// or is what p points to, or the fallback.
func or[T any](p *T, fallback T) T {
	if p == nil {
		return fallback
	}
	return *p
}

// orEmpty is p, or a pointer to the zero value: an absent part of a spec is one with every field absent.
func orEmpty[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

// server are the settings of the Deployment.
func server(link *v1alpha1.ChannelLink) *v1alpha1.Server { return orEmpty(link.Spec.Server) }

// postgres says whether links are in a database that several replicas share; otherwise they are in a SQLite file.
func postgres(link *v1alpha1.ChannelLink) bool { return orEmpty(link.Spec.Store).Postgres != nil }

// sqlite are the settings of the SQLite store.
func sqlite(link *v1alpha1.ChannelLink) *v1alpha1.SQLiteStore {
	return orEmpty(orEmpty(link.Spec.Store).SQLite)
}

// ephemeral says whether the SQLite file lives and dies with the pod.
func ephemeral(link *v1alpha1.ChannelLink) bool { return or(sqlite(link).Ephemeral, false) }

// storeSize is the size of the SQLite file's volume, in whole bytes.
func storeSize(link *v1alpha1.ChannelLink) resource.Quantity {
	size := or(sqlite(link).Size, resource.MustParse("1Gi")).DeepCopy()
	size.RoundUp(0)
	return size
}

// rounded is the list as the API server keeps it, which knows no less than a thousandth: what is smaller would differ from
// it for ever.
func rounded(list corev1.ResourceList) corev1.ResourceList {
	list = list.DeepCopy()
	for name, quantity := range list {
		quantity.RoundUp(resource.Milli)
		list[name] = quantity
	}
	return list
}

// mostReplicas is the greatest number of replicas that the spec provides for.
func mostReplicas(link *v1alpha1.ChannelLink) int32 {
	if scaling := server(link).Autoscaling; scaling != nil {
		return scaling.MaxReplicas
	}
	return or(server(link).Replicas, 1)
}

// plain turns a list of named strings into plain ones; nil stays nil.
func plain[S ~string](list []S) []string {
	if list == nil {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, s := range list {
		out = append(out, string(s))
	}
	return out
}

// plainMap turns a map of named strings into one of plain ones; nil stays nil.
func plainMap[S ~string](values map[string]S) map[string]string {
	if values == nil {
		return nil
	}
	out := make(map[string]string, len(values))
	for key, value := range values {
		out[key] = string(value)
	}
	return out
}

// configurationOf turns a part of the spec that has a Kubernetes type into its apply configuration, which has the same
// JSON.
func configurationOf[T any](part any) (*T, error) {
	data, err := json.Marshal(part)
	if err != nil {
		return nil, fmt.Errorf("rendering %T: %w", part, err)
	}
	configuration := new(T)
	if err := json.Unmarshal(data, configuration); err != nil {
		return nil, fmt.Errorf("rendering %T: %w", part, err)
	}
	return configuration, nil
}

// configurationsOf does the same to a list.
func configurationsOf[T, P any](parts []P) ([]*T, error) {
	list := make([]*T, 0, len(parts))
	for _, part := range parts {
		configuration, err := configurationOf[T](part)
		if err != nil {
			return nil, err
		}
		list = append(list, configuration)
	}
	return list, nil
}
