//go:build apiserver

package install_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/internal/testenv"
)

// chartValues has every option of the chart set.
var chartValues = filepath.Join("test", "install", "testdata", "every-value.yaml")

// manifests are all that the project hands out, and what the operator makes of ChannelLinks, by where they come from.
func manifests(t *testing.T) map[string][]*unstructured.Unstructured {
	t.Helper()
	all := map[string][]*unstructured.Unstructured{
		"the chart":                   chart(t),
		"the chart with every option": chart(t, "--values", chartValues),
	}
	for _, folder := range []string{"config/default", "config/demo", "config/admission", "config/monitoring", "config/samples", "config/gitops/argocd"} {
		all[folder] = kustomize(t, folder)
	}
	files, err := filepath.Glob(filepath.Join(root, "internal", "desired", "testdata", "*", "out.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rendered servers: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all["server "+filepath.Base(filepath.Dir(file))] = parse(t, string(content))
	}
	return all
}

// C66: every pod satisfies the Pod Security profile restricted.
func TestPodSecurity(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
	pods := 0
	for source, objects := range manifests(t) {
		for _, object := range objects {
			if object.GetKind() != "Deployment" {
				continue
			}
			pods++
			deployment := &appsv1.Deployment{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, deployment); err != nil {
				t.Fatal(err)
			}
			template := deployment.Spec.Template
			for _, result := range evaluator.EvaluatePod(restricted, &template.ObjectMeta, &template.Spec) {
				if !result.Allowed {
					t.Errorf("%s: Deployment %s: %s: %s", source, deployment.Name, result.ForbiddenReason, result.ForbiddenDetail)
				}
			}
		}
	}
	if pods < 10 {
		t.Errorf("%d Deployments were judged: the test looks at too little", pods)
	}
}

// Every object has only fields that its kind knows, of the right type.
func TestKubeconform(t *testing.T) {
	env.InstallCRDs(t, filepath.Join(testenv.GatewayAPICRDs(t), "gateway.networking.k8s.io_httproutes.yaml"))
	for _, kind := range []string{"podmonitors", "servicemonitors", "prometheusrules"} {
		env.InstallCRDs(t, filepath.Join(testenv.PrometheusOperatorCRDs(t), "monitoring.coreos.com_"+kind+".yaml"))
	}
	schemas := writeSchemas(t)
	all := manifests(t)
	all["misspelt"] = parse(t, "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: misspelt}\nspec: {replicaz: 1, selector: {}, template: {}}\n")
	files := writeManifests(t, all)
	args := append([]string{"-strict", "-output=json", "-verbose",
		"-schema-location", filepath.Join(schemas, "{{.ResourceKind}}{{.KindSuffix}}.json")}, files...)
	out, err := exec.CommandContext(t.Context(), tool(t, "kubeconform"), args...).Output()
	var report struct {
		Resources []struct {
			Filename, Kind, Name, Status, Msg string
		} `json:"resources"`
	}
	if jsonErr := json.Unmarshal(out, &report); jsonErr != nil {
		t.Fatalf("kubeconform: %v, %v\n%s", err, jsonErr, out)
	}
	if len(report.Resources) < 100 {
		t.Errorf("kubeconform judged %d objects: the test looks at too little", len(report.Resources))
	}
	for _, r := range report.Resources {
		if want := r.Name != "misspelt"; want != (r.Status == "statusValid") {
			t.Errorf("%s: %s %s: %s: %s", filepath.Base(r.Filename), r.Kind, r.Name, r.Status, r.Msg)
		}
	}
}

// exceptions are the checks of kube-score that do not pass, each with its reason and for whom.
var exceptions = map[string]struct {
	servers, operator bool
	reason            string
}{
	"container-image-pull-policy":                                  {true, true, "a tag is a release and does not move; a node that has the image starts without the registry"},
	"container-ephemeral-storage-request-and-limit":                {true, true, "the root is read-only and /tmp bounded; what is left are logs, which the kubelet rotates"},
	"pod-networkpolicy":                                            {true, true, "policies are for ingress alone: issuers, platforms and the company's services are anywhere"},
	"deployment-strategy":                                          {true, false, "on SQLite two servers must never hold the file, so that the first ends before the second begins"},
	"deployment-replicas":                                          {true, false, "on SQLite there is one server"},
	"deployment-has-host-podantiaffinity":                          {true, false, "topologySpreadConstraints spread the servers, which kube-score does not know"},
	"deployment-targeted-by-hpa-does-not-have-replicas-configured": {true, false, "the operator renders the number that the autoscaler has set"},
}

// What kube-score finds critical or doubtful, an exception above explains.
func TestKubeScore(t *testing.T) {
	used := map[string]bool{}
	for source, objects := range manifests(t) {
		files := writeManifests(t, map[string][]*unstructured.Unstructured{source: objects})
		// No CPU limit: throttling makes a server slow that has idle cores beside it.
		args := append([]string{"score", "--kubernetes-version=v1.36", "--output-format=json", "--ignore-container-cpu-limit"}, files...)
		out, err := exec.CommandContext(t.Context(), tool(t, "kube-score"), args...).Output()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		var report []struct {
			ObjectName string `json:"object_name"`
			Checks     []struct {
				Check struct {
					ID string `json:"id"`
				} `json:"check"`
				Grade    int  `json:"grade"`
				Skipped  bool `json:"skipped"`
				Comments []struct {
					Summary string `json:"summary"`
				} `json:"comments"`
			} `json:"checks"`
		}
		if err := json.Unmarshal(out, &report); err != nil {
			t.Fatalf("%s: %v\n%s", source, err, out)
		}
		for _, object := range report {
			for _, check := range object.Checks {
				const allOK = 10
				if check.Skipped || check.Grade >= allOK {
					continue
				}
				exception, ok := exceptions[check.Check.ID]
				if server := strings.HasPrefix(source, "server "); !ok || server && !exception.servers || !server && !exception.operator {
					t.Errorf("%s: %s: %s: %v", source, object.ObjectName, check.Check.ID, check.Comments)
				}
				used[check.Check.ID] = true
			}
		}
	}
	for id := range exceptions {
		if !used[id] {
			t.Errorf("the exception for %s is not needed any more", id)
		}
	}
}

// writeManifests writes each source into a file of its own and returns their paths.
func writeManifests(t *testing.T, all map[string][]*unstructured.Unstructured) []string {
	t.Helper()
	folder := t.TempDir()
	var files []string
	for source, objects := range all {
		var content strings.Builder
		for _, object := range objects {
			data, err := yaml.Marshal(object.Object)
			if err != nil {
				t.Fatal(err)
			}
			content.WriteString("---\n" + string(data))
		}
		file := filepath.Join(folder, strings.NewReplacer("/", "-", " ", "-").Replace(source)+".yaml")
		if err := os.WriteFile(file, []byte(content.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}
