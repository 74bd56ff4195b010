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

// The image is the one of config, whose tag is the release's; the chart's version is that of its operator.
func TestVersionsOfTheChart(t *testing.T) {
	about := values(t, "charts/channellink/Chart.yaml")
	if app := about["appVersion"]; app != "v"+about["version"].(string) {
		t.Errorf("version %v installs the operator %v", about["version"], app)
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
