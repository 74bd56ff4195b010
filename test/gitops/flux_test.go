package gitops_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// A generic tool that knows conditions alone comes to the same verdict as the health checks that know the kind. The one
// word that it lacks is Suspended: it calls a suspended object what it is without that.
func TestGenericStatusAgrees(t *testing.T) {
	each(t, func(t *testing.T, kind string, row health) {
		u := object(t, kind, row)
		result, err := status.Compute(u)
		if err != nil {
			t.Fatal(err)
		}
		want := genericStatus(t, kind, row)
		if u.GetDeletionTimestamp() != nil {
			want = status.TerminatingStatus // a word of its own for one way to be in progress
		}
		if result.Status != want {
			t.Errorf("kstatus says %s (%s), Argo CD's health is %s", result.Status, result.Message, row.HealthStatus.Status)
		}
	})
}

func TestFlux(t *testing.T) {
	checks := fluxChecks(t)
	each(t, func(t *testing.T, kind string, row health) {
		check, ok := checks[kind]
		if !ok {
			t.Fatalf("config/gitops/flux has no check of %s", kind)
		}
		if got, want := check.evaluate(t, object(t, kind, row)), genericStatus(t, kind, row); got != want {
			t.Errorf("Flux says %s, Argo CD's health is %s", got, row.HealthStatus.Status)
		}
	})
}

// docs/gitops.md shows the example whole.
func TestFluxExampleIsOnThePage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "gitops.md"))
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(filepath.Join(root, "config", "gitops", "flux", "chat.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, object, _ := strings.Cut(string(example), "\napiVersion: ")
	if !strings.Contains(string(page), "```yaml\napiVersion: "+object+"```") {
		t.Error("docs/gitops.md shows another Kustomization than config/gitops/flux/chat.yaml")
	}
}

// genericStatus translates Argo CD's health of a row into the words of kstatus, which Flux uses as well.
func genericStatus(t *testing.T, kind string, row health) status.Status {
	t.Helper()
	switch row.HealthStatus.Status {
	case "Healthy":
		return status.CurrentStatus
	case "Degraded":
		return status.FailedStatus
	case "Progressing":
		return status.InProgressStatus
	case "Suspended":
		// Served as before counts as current, never carried out as in progress.
		if isReady(object(t, kind, row)) {
			return status.CurrentStatus
		}
		return status.InProgressStatus
	default:
		t.Fatalf("%s: health %q", row.InputPath, row.HealthStatus.Status)
		return ""
	}
}

func isReady(u *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, item := range conditions {
		if c := item.(map[string]any); c["type"] == "Ready" {
			return c["status"] == "True"
		}
	}
	return false
}

// fluxCheck is one entry of a Flux Kustomization's healthCheckExprs.
type fluxCheck struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	InProgress string `json:"inProgress"`
	Failed     string `json:"failed"`
	Current    string `json:"current"`
}

func fluxChecks(t *testing.T) map[string]fluxCheck {
	t.Helper()
	var kustomization struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       struct {
			Interval         string         `json:"interval"`
			Timeout          string         `json:"timeout"`
			Prune            bool           `json:"prune"`
			Wait             bool           `json:"wait"`
			Path             string         `json:"path"`
			SourceRef        map[string]any `json:"sourceRef"`
			HealthCheckExprs []fluxCheck    `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	parse(t, filepath.Join(root, "config", "gitops", "flux", "chat.yaml"), &kustomization)
	if !kustomization.Spec.Wait {
		t.Error("without spec.wait Flux asks nothing about the health of what it applies")
	}
	checks := map[string]fluxCheck{}
	for _, check := range kustomization.Spec.HealthCheckExprs {
		checks[check.Kind] = check
	}
	return checks
}

// evaluate is RFC 0009 of Flux: a status about another generation is in progress; then the first expression that is true
// decides, in this order; and what none of them knows is in progress.
func (c fluxCheck) evaluate(t *testing.T, u *unstructured.Unstructured) status.Status {
	t.Helper()
	if u.GetAPIVersion() != c.APIVersion {
		t.Fatalf("the check is for %s, the object of %s", c.APIVersion, u.GetAPIVersion())
	}
	observed, found, err := unstructured.NestedInt64(u.Object, "status", "observedGeneration")
	if err != nil {
		t.Fatal(err)
	}
	if found && observed != u.GetGeneration() {
		return status.InProgressStatus
	}
	for _, step := range []struct {
		expression string
		verdict    status.Status
	}{
		{c.InProgress, status.InProgressStatus},
		{c.Failed, status.FailedStatus},
		{c.Current, status.CurrentStatus},
	} {
		if holds(t, step.expression, u.Object) {
			return step.verdict
		}
	}
	return status.InProgressStatus
}

// holds evaluates an expression as Flux does: parsed and not checked, the object's fields being the variables.
func holds(t *testing.T, expression string, object map[string]any) bool {
	t.Helper()
	env, err := cel.NewEnv(cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(), ext.Sets(), ext.Encoders())
	if err != nil {
		t.Fatal(err)
	}
	parsed, issues := env.Parse(expression)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	program, err := env.Program(parsed)
	if err != nil {
		t.Fatal(err)
	}
	value, _, err := program.ContextEval(t.Context(), object)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	is, ok := value.Value().(bool)
	if !ok {
		t.Fatalf("%s gives a %T, want a bool", expression, value.Value())
	}
	return is
}
