//go:build apiserver

package install_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Values, schema and the test's own values name the same things.
func TestSchemaKnowsEveryValue(t *testing.T) {
	want := slices.Sorted(maps.Keys(values(t, "charts/channellink/values.yaml")))
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(values(t, chartValues)))); diff != "" {
		t.Errorf("%s (-values +test):\n%s", chartValues, diff)
	}
	content, err := os.ReadFile(filepath.Join(root, "charts", "channellink", "values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(content, &schema); err != nil {
		t.Fatal(err)
	}
	delete(schema.Properties, "global") // Helm's own
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(schema.Properties))); diff != "" {
		t.Errorf("values.schema.json (-values +schema):\n%s", diff)
	}
}

// Every value makes a difference to what is rendered. Those that only switch objects off have a test of their own.
func TestEveryValueMakesADifference(t *testing.T) {
	switches := []string{"crds", "podDisruptionBudget", "userRoles"}
	asIs := byName(t, chart(t))
	for key, value := range values(t, chartValues) {
		if slices.Contains(switches, key) {
			continue
		}
		content, err := yaml.Marshal(map[string]any{key: value})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(asIs, byName(t, chart(t, "--values", file))) {
			t.Errorf("the chart does not look at %s", key)
		}
	}
}

// The schema refuses what would silently do nothing, or nothing good.
func TestSchemaRefuses(t *testing.T) {
	tests := []struct{ reason, set string }{
		{"a misspelt value", "replica=3"},
		{"a misspelt value within", "crds.instal=true"},
		{"a namespace that cannot be", "watchNamespaces={Vision_HR}"},
		{"one namespace twice", "watchNamespaces={a,a}"},
		{"a level that there is not", "logLevel=trace"},
		{"a URL in place of a host", "allowEndpointHosts={https://chatsim.example}"},
		{"a limit that Go does not read", "goMemLimit=460Mi"},
		{"an argument without dashes", "extraArgs={shared-hosts}"},
		{"a URL with a space in it", "otlpEndpoint=http://collector:4318/a: b"},
		{"a URL with a comment behind it", "otlpEndpoint=http://collector:4318/ #traces"},
		{"a URL that ends with its line", "otlpEndpoint=http://collector:4318\n- --shared-hosts"},
		{"two images", "serverImage=mirror.vision.example/webhookserver:v1 mirror.vision.example/webhookserver:v2"},
		{"a space before an image", "image.repository= mirror.vision.example/manager"},
		{"a space behind a tag", "image.tag=v1 "},
		{"a priority class that cannot be", "priorityClass.name=Business Class"},
	}
	for _, tt := range tests {
		cmd := exec.CommandContext(t.Context(), tool(t, "helm"), "template", "channellink", "charts/channellink", "--kube-version", kubeVersion, "--set", tt.set)
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "schema") {
			t.Errorf("%s (%s) must be refused by the schema: %v", tt.reason, tt.set, err)
		}
	}
}

// What the schema lets pass stays the text that it is, whatever it would mean in YAML.
func TestTextStaysText(t *testing.T) {
	content, err := yaml.Marshal(map[string]any{
		"image":           map[string]any{"repository": "mirror:5000/manager", "tag": "1:", "pullPolicy": "Always"},
		"serverImage":     "mirror:5000/webhookserver:",
		"otlpEndpoint":    `http://collector:4318/"a":`,
		"priorityClass":   map[string]any{"create": true, "name": "1"},
		"watchNamespaces": []string{"2026", "null"},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	objects := byName(t, chart(t, "--values", file, "--namespace", "007"))
	for _, name := range []string{
		"PriorityClass 1", "Deployment 007/channellink-operator", "Service 007/channellink-operator-metrics", "NetworkPolicy 007/channellink-operator",
		"PodDisruptionBudget 007/channellink-operator", "ServiceAccount 007/channellink-operator", "RoleBinding 007/channellink-operator",
		"Role 2026/channellink-operator-watch", "RoleBinding 2026/channellink-operator-watch", "Role null/channellink-operator-watch",
	} {
		if objects[name] == nil {
			t.Errorf("there is no %s among %v", name, slices.Sorted(maps.Keys(objects)))
		}
	}
	pod, _, _ := unstructured.NestedMap(objects["Deployment 007/channellink-operator"], "spec", "template", "spec")
	container := pod["containers"].([]any)[0].(map[string]any)
	if pod["priorityClassName"] != "1" || container["image"] != "mirror:5000/manager:1:" {
		t.Errorf("the pod is of priority class %v and image %v", pod["priorityClassName"], container["image"])
	}
	for _, want := range []string{`--otlp-endpoint=http://collector:4318/"a":`, "--server-image=mirror:5000/webhookserver:", "--watch-namespaces=2026,null"} {
		if !slices.Contains(container["args"].([]any), any(want)) {
			t.Errorf("%s is not among the arguments %v", want, container["args"])
		}
	}
}

func values(t *testing.T, file string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(content, &values); err != nil {
		t.Fatal(err)
	}
	return values
}
