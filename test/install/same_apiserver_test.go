//go:build apiserver

package install_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// keepPolicy is Helm's own: what carries it stays when the release is uninstalled.
const keepPolicy = "helm.sh/resource-policy"

// Kustomize, the one file and the chart make the same objects. The one difference is the namespace, which Helm makes
// before it reads a chart (--create-namespace).
func TestTheThreeWaysMakeTheSameObjects(t *testing.T) {
	want := byName(t, kustomize(t, "config/default"))

	file, err := os.ReadFile(filepath.Join(root, "dist", "install.yaml"))
	if err != nil {
		t.Fatalf("run `make install.yaml`: %v", err)
	}
	if diff := cmp.Diff(want, byName(t, parse(t, string(file)))); diff != "" {
		t.Errorf("dist/install.yaml; run `make install.yaml` (-config/default +file):\n%s", diff)
	}

	delete(want, "Namespace "+operatorNamespace)
	if diff := cmp.Diff(want, byName(t, chart(t))); diff != "" {
		t.Errorf("the chart (-config/default +chart):\n%s", diff)
	}
}

// What is optional in the chart is what config has for it.
func TestOptionsOfTheChartAreThoseOfConfig(t *testing.T) {
	tests := []struct {
		reason, folder string
		args           []string
	}{
		{"the policy on Secrets", "config/admission", []string{"--set=secretAccessPolicy.enabled=true"}},
		{"monitors, alerts and dashboard", "config/monitoring", []string{"--set=monitoring.enabled=true"}},
	}
	for _, tt := range tests {
		want := byName(t, append(kustomize(t, "config/default"), kustomize(t, tt.folder)...))
		delete(want, "Namespace "+operatorNamespace)
		if diff := cmp.Diff(want, byName(t, chart(t, tt.args...))); diff != "" {
			t.Errorf("%s (-config +chart %v):\n%s", tt.reason, tt.args, diff)
		}
	}
}

// A switch that is off leaves its objects out, and nothing else.
func TestSwitchesOfTheChart(t *testing.T) {
	all := byName(t, chart(t))
	tests := []struct {
		set  string
		gone []string
	}{
		{"crds.install=false", []string{"CustomResourceDefinition accountunlinks.channellink.dev", "CustomResourceDefinition channellinks.channellink.dev"}},
		{"userRoles.create=false", []string{"ClusterRole accountunlink-requester", "ClusterRole accountunlink-viewer", "ClusterRole channellink-editor", "ClusterRole channellink-viewer"}},
		{"podDisruptionBudget.enabled=false", []string{"PodDisruptionBudget channellink-system/channellink-operator"}},
		{"networkPolicy.enabled=false", []string{"NetworkPolicy channellink-system/channellink-operator"}},
		{"priorityClass.create=false", []string{"PriorityClass channellink-operator"}},
	}
	for _, tt := range tests {
		want := maps.Clone(all)
		for _, name := range tt.gone {
			if want[name] == nil {
				t.Fatalf("the chart has no %s", name)
			}
			delete(want, name)
		}
		if diff := cmp.Diff(want, byName(t, chart(t, "--set", tt.set))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.set, diff)
		}
	}
}

// What of the monitoring is switched off is left out; the monitors look where the operator does, and carry what Prometheus
// selects them by.
func TestMonitoringOfTheChart(t *testing.T) {
	const (
		dashboard = "ConfigMap channellink-system/channellink-dashboard"
		pods      = "PodMonitor channellink-system/channellink-servers"
		rules     = "PrometheusRule channellink-system/channellink"
		service   = "ServiceMonitor channellink-system/channellink-operator"
	)
	all := []string{dashboard, pods, rules, service}
	without := byName(t, chart(t))
	for _, tt := range []struct {
		set  string
		want []string
	}{
		{"monitoring.labels.release=x", all},
		{"monitoring.rules.enabled=false", []string{dashboard, pods, service}},
		{"monitoring.dashboard.enabled=false", []string{pods, rules, service}},
	} {
		objects := byName(t, chart(t, "--set=monitoring.enabled=true", "--set", tt.set))
		maps.DeleteFunc(objects, func(name string, _ map[string]any) bool { return without[name] != nil })
		if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(objects))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.set, diff)
		}
		for _, name := range []string{pods, rules, service} {
			release, _, _ := unstructured.NestedString(objects[name], "metadata", "labels", "release")
			if objects[name] != nil && (release == "x") != (tt.set == "monitoring.labels.release=x") {
				t.Errorf("%s: %s has the label release=%q", tt.set, name, release)
			}
		}
	}
	objects := byName(t, chart(t, "--set=monitoring.enabled=true", "--set=watchNamespaces={vision,shop}"))
	namespaces, _, _ := unstructured.NestedMap(objects[pods], "spec", "namespaceSelector")
	if diff := cmp.Diff(map[string]any{"matchNames": []any{"vision", "shop"}}, namespaces); diff != "" {
		t.Errorf("namespaces of the PodMonitor (-want +got):\n%s", diff)
	}
}

// Every definition is kept at `helm uninstall`, unless the values say otherwise; nothing else is.
func TestDefinitionsAreKept(t *testing.T) {
	for _, keep := range []bool{true, false} {
		var args []string
		if !keep {
			args = []string{"--set=crds.keep=false"}
		}
		for _, object := range chart(t, args...) {
			want := keep && object.GetKind() == "CustomResourceDefinition"
			if got := object.GetAnnotations()[keepPolicy] == "keep"; got != want {
				t.Errorf("%s %s is kept: %t, want %t", object.GetKind(), object.GetName(), got, want)
			}
		}
	}
}

// byName maps the objects by kind and name, without Helm's own annotation.
func byName(t *testing.T, objects []*unstructured.Unstructured) map[string]map[string]any {
	t.Helper()
	named := map[string]map[string]any{}
	for _, object := range objects {
		name := object.GetKind() + " " + strings.TrimPrefix(object.GetNamespace()+"/"+object.GetName(), "/")
		if named[name] != nil {
			t.Errorf("%s is there twice", name)
		}
		unstructured.RemoveNestedField(object.Object, "metadata", "annotations", keepPolicy)
		named[name] = object.Object
	}
	return named
}
