//go:build apiserver

// Package config_test checks the manifests in config: what the operator may do, how
// its pods run, and that a real API server takes every object.
package config_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/testenv"
)

const (
	operator          = "channellink-operator"
	operatorNamespace = "channellink-system"
	// patience bounds the wait for what the API server learns by a watch: roles and policies.
	patience = 30 * time.Second
)

// manifests is the folder of the overlays.
var manifests = filepath.Join("..", "..", "config")

var env *testenv.Environment

func TestMain(m *testing.M) { os.Exit(testenv.Run(m, &env)) }

// C63: the operator's roles hold no more than it needs. That every granted verb is
// used is for the tests that watch it work.
func TestRolesOfTheOperator(t *testing.T) {
	objects := kustomize(t, "default")
	for _, role := range ofKind[rbacv1.ClusterRole](t, objects, "ClusterRole") {
		for _, rule := range role.Rules {
			checkRule(t, "ClusterRole "+role.Name, rule)
			if slices.Contains(rule.Resources, "secrets") {
				t.Errorf("ClusterRole %s: %v on secrets: the operator can read no user's Secret", role.Name, rule.Verbs)
			}
		}
	}

	roles := ofKind[rbacv1.Role](t, objects, "Role")
	if len(roles) != 1 || roles[0].Namespace != operatorNamespace {
		t.Fatalf("want one Role, in %s, got %v", operatorNamespace, roles)
	}
	for _, rule := range roles[0].Rules {
		checkRule(t, "Role "+roles[0].Name, rule)
		if !slices.Contains(rule.Resources, "secrets") || slices.Equal(rule.Verbs, []string{"create"}) {
			continue
		}
		if !slices.Equal(rule.ResourceNames, []string{names.KeySecret}) || !slices.Equal(rule.Verbs, []string{"get", "update"}) {
			t.Errorf("Role %s: %v on Secrets %v: want get and update on %s alone", roles[0].Name, rule.Verbs, rule.ResourceNames, names.KeySecret)
		}
	}

	for _, binding := range ofKind[rbacv1.ClusterRoleBinding](t, objects, "ClusterRoleBinding") {
		if binding.RoleRef.Name != operator {
			t.Errorf("ClusterRoleBinding %s binds %s: the operator has one cluster-wide role", binding.Name, binding.RoleRef.Name)
		}
		for _, subject := range binding.Subjects {
			if subject.Kind != rbacv1.ServiceAccountKind || subject.Name != operator || subject.Namespace != operatorNamespace {
				t.Errorf("ClusterRoleBinding %s: subject %+v is not the operator", binding.Name, subject)
			}
		}
	}
}

// checkRule refuses what no role of this project may hold.
func checkRule(t *testing.T, where string, rule rbacv1.PolicyRule) {
	t.Helper()
	for _, list := range [][]string{rule.Verbs, rule.Resources, rule.APIGroups, rule.NonResourceURLs} {
		if slices.ContainsFunc(list, func(s string) bool { return strings.Contains(s, "*") }) {
			t.Errorf("%s: wildcard in %+v", where, rule)
		}
	}
	for _, verb := range []string{"escalate", "bind", "impersonate"} {
		if slices.Contains(rule.Verbs, verb) {
			t.Errorf("%s: verb %s", where, verb)
		}
	}
	for _, resource := range []string{"pods/exec", "pods/attach", "serviceaccounts/token", "clusterroles", "clusterrolebindings", "roles", "rolebindings"} {
		if slices.Contains(rule.Resources, resource) {
			t.Errorf("%s: resource %s", where, resource)
		}
	}
}

// C66: the operator's pods satisfy the Pod Security profile restricted, and its
// namespace enforces it.
func TestPodsAreRestricted(t *testing.T) {
	for _, overlay := range []string{"default", "demo"} {
		t.Run(overlay, func(t *testing.T) {
			objects := kustomize(t, overlay)
			evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
			if err != nil {
				t.Fatal(err)
			}
			restricted := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
			deployments := ofKind[appsv1.Deployment](t, objects, "Deployment")
			if len(deployments) == 0 {
				t.Fatal("no Deployment")
			}
			for _, d := range deployments {
				for _, result := range evaluator.EvaluatePod(restricted, &d.Spec.Template.ObjectMeta, &d.Spec.Template.Spec) {
					if !result.Allowed {
						t.Errorf("Deployment %s: %s: %s", d.Name, result.ForbiddenReason, result.ForbiddenDetail)
					}
				}
				for _, c := range d.Spec.Template.Spec.Containers {
					if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
						t.Errorf("Deployment %s: container %s can write to its image", d.Name, c.Name)
					}
				}
			}
			for _, ns := range ofKind[corev1.Namespace](t, objects, "Namespace") {
				if got := ns.Labels[psapi.EnforceLevelLabel]; got != string(psapi.LevelRestricted) {
					t.Errorf("Namespace %s enforces %q, want restricted", ns.Name, got)
				}
			}
		})
	}
}

// Whoever selects the operator's pods must find them: the Service, the NetworkPolicy,
// the PodDisruptionBudget and, by the default of --pod-labels, the servers' own
// NetworkPolicies.
func TestSelectorsFindThePods(t *testing.T) {
	objects := kustomize(t, "default")
	pods := ofKind[appsv1.Deployment](t, objects, "Deployment")[0].Spec.Template.Labels
	if pods[names.LabelName] != operator {
		t.Errorf("pods are labelled %v, want %s=%s", pods, names.LabelName, operator)
	}
	for kind, path := range map[string][]string{
		"Service":             {"spec", "selector"},
		"NetworkPolicy":       {"spec", "podSelector", "matchLabels"},
		"PodDisruptionBudget": {"spec", "selector", "matchLabels"},
	} {
		for _, object := range objects {
			if object.GetKind() != kind {
				continue
			}
			selector, found, err := unstructured.NestedStringMap(object.Object, path...)
			if err != nil || !found {
				t.Errorf("%s %s has no selector: %v", kind, object.GetName(), err)
			}
			for key, value := range selector {
				if pods[key] != value {
					t.Errorf("%s %s selects %s=%s, pods are labelled %v", kind, object.GetName(), key, value, pods)
				}
			}
		}
	}
}

func TestAPIServerTakesEveryObject(t *testing.T) {
	readAll(t, manifests)
	kubeconfig := env.Kubeconfig(t, env.Config)
	for _, overlay := range []string{"default", "demo"} {
		t.Run(overlay, func(t *testing.T) {
			// Twice: what was applied once must be taken again, with nothing to change.
			for range 2 {
				cmd := exec.CommandContext(t.Context(), env.Kubectl(), "--kubeconfig", kubeconfig, "apply", "--server-side",
					"--force-conflicts", "--validate=strict", "-k", filepath.Join(manifests, overlay))
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("kubectl apply: %v\n%s", err, out)
				}
				if strings.Contains(string(out), "Warning") {
					t.Errorf("kubectl apply warns:\n%s", out)
				}
			}
		})
	}
}

// kustomize builds a folder of config.
func kustomize(t *testing.T, overlay string) []*unstructured.Unstructured {
	t.Helper()
	readAll(t, manifests)
	cmd := exec.CommandContext(t.Context(), env.Kubectl(), "kustomize", filepath.Join(manifests, overlay))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubectl kustomize config/%s: %v\n%s", overlay, err, stderr.String())
	}
	var objects []*unstructured.Unstructured
	documents := bytes.SplitSeq(out, []byte("\n---\n"))
	for document := range documents {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &object.Object); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, object)
	}
	return objects
}

// readAll reads every file below the folder. The go command repeats a test only when
// a file that the test itself has opened changed, and kubectl is another process.
func readAll(t *testing.T, folder string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			_, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ofKind converts the objects of one kind.
func ofKind[T any](t *testing.T, objects []*unstructured.Unstructured, kind string) []T {
	t.Helper()
	var list []T
	for _, object := range objects {
		if object.GetKind() != kind {
			continue
		}
		var typed T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &typed); err != nil {
			t.Fatalf("%s %s: %v", kind, object.GetName(), err)
		}
		list = append(list, typed)
	}
	if len(list) == 0 {
		t.Fatalf("no %s", kind)
	}
	return list
}
