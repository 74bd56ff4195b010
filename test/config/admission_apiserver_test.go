//go:build apiserver

package config_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// notHers is a Secret that no user of these tests may read.
const notHers = "payroll"

// Whoever may not read a Secret cannot hand it to a server, whichever field of a ChannelLink names it. C62
func TestNobodyNamesASecretThatHeMayNotRead(t *testing.T) {
	links := exampleLinks(t)
	namespace := env.Namespace(t)
	alice := aliceWhoMayRead(t, namespace, secretsOf(t, links))
	applyPolicy(t)

	canary := withSecret(t, links, "spec.botBonnie.apiTokenSecretRef", notHers, namespace)
	NewWithT(t).Eventually(func() error { return alice.Create(t.Context(), canary.DeepCopy(), client.DryRunAll) }).
		WithTimeout(patience).Should(MatchError(apierrors.IsForbidden, "forbidden"), "the policy must come into force")

	for _, field := range secretFields(t) {
		t.Run(field, func(t *testing.T) {
			link := withSecret(t, links, field, notHers, namespace)
			err := alice.Create(t.Context(), link.DeepCopy(), client.DryRunAll)
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), field) {
				t.Errorf("she names %s: %v", notHers, err)
			}
			if err := env.Client.Create(t.Context(), link, client.DryRunAll); err != nil {
				t.Errorf("the administrator, who may read all: %v", err)
			}
		})
	}
	for name, link := range links {
		link = inNamespace(link, namespace)
		if err := alice.Create(t.Context(), link, client.DryRunAll); err != nil {
			t.Errorf("%s names only Secrets that she may read: %v", name, err)
		}
	}
}

// A change of the spec needs the right on every Secret that it names, because another image or issuer would get the same
// Secrets. What leaves the spec alone needs none. C62
func TestChangesAskForTheSecretsAgain(t *testing.T) {
	links := exampleLinks(t)
	namespace := env.Namespace(t)
	alice := aliceWhoMayRead(t, namespace, secretsOf(t, links))
	applyPolicy(t)
	hers := inNamespace(links["botbonnie-line"], namespace)
	theirs := withSecret(t, links, "spec.line.channelSecretRef", notHers, namespace)
	NewWithT(t).Eventually(func() error { return alice.Create(t.Context(), theirs.DeepCopy(), client.DryRunAll) }).
		WithTimeout(patience).Should(MatchError(apierrors.IsForbidden, "forbidden"), "the policy must come into force")
	for _, link := range []*unstructured.Unstructured{hers, theirs} {
		if err := env.Client.Create(t.Context(), link); err != nil {
			t.Fatal(err)
		}
	}

	tests := []struct {
		reason  string
		link    *unstructured.Unstructured
		patch   string
		refused bool
	}{
		{"her own Secrets go to another image", hers, `{"spec": {"server": {"image": "registry.example/hers:1"}}}`, false},
		{"their Secrets would go to an image of hers", theirs, `{"spec": {"server": {"image": "registry.example/hers:1"}}}`, true},
		{"their Secrets would go to an issuer of hers", theirs, `{"spec": {"oidc": {"issuerURL": "https://sso.hers.example"}}}`, true},
		{"a label gives nothing away", theirs, `{"metadata": {"labels": {"team": "hr"}}}`, false},
		{"a finalizer neither", theirs, `{"metadata": {"finalizers": ["example.com/hold"]}}`, false},
		{"the operator's own is taken off without a right on Secrets", theirs, `{"metadata": {"finalizers": null}}`, false},
		{"the spec loses the Secret that she may not read", theirs,
			`{"spec": {"line": {"channelSecretRef": {"name": "vision-travel-line"}}}}`, false},
	}
	for _, tt := range tests {
		err := alice.Patch(t.Context(), tt.link.DeepCopy(), client.RawPatch("application/merge-patch+json", []byte(tt.patch)))
		if got := apierrors.IsForbidden(err); got != tt.refused || err != nil && !tt.refused {
			t.Errorf("%s: refused is %t, want %t: %v", tt.reason, got, tt.refused, err)
		}
	}
}

// applyPolicy applies config/admission until the test ends.
func applyPolicy(t *testing.T) {
	t.Helper()
	readAll(t, filepath.Join(manifests, "admission"))
	cmd := exec.CommandContext(t.Context(), env.Kubectl(), "--kubeconfig", env.Kubeconfig(t, env.Config), "apply", "--server-side",
		"--validate=strict", "-k", filepath.Join(manifests, "admission"))
	if out, err := cmd.CombinedOutput(); err != nil || strings.Contains(string(out), "Warning") {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		named := metav1.ObjectMeta{Name: "secretaccess.channellink.dev"}
		for _, object := range []client.Object{
			&admissionregistrationv1.ValidatingAdmissionPolicyBinding{ObjectMeta: named},
			&admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: named},
		} {
			if err := env.Client.Delete(context.WithoutCancel(t.Context()), object); err != nil {
				t.Error(err)
			}
		}
	})
}

// aliceWhoMayRead is a user who may manage the namespace's ChannelLinks and read these Secrets of it.
func aliceWhoMayRead(t *testing.T, namespace string, secrets []string) client.Client {
	t.Helper()
	alice, err := client.New(env.User(t, "alice"), client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	env.Grant(t, "alice", namespace,
		rbacv1.PolicyRule{APIGroups: []string{"channellink.dev"}, Resources: []string{"channellinks"}, Verbs: []string{"create", "get", "list", "patch", "update"}},
		rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}, ResourceNames: secrets})
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("channellink.dev/v1alpha1")
	list.SetKind("ChannelLinkList")
	NewWithT(t).Eventually(func() error { return alice.List(t.Context(), list, client.InNamespace(namespace)) }).
		WithTimeout(patience).Should(Succeed(), "the authorizer must learn of the role")
	return alice
}

// exampleLinks are the ChannelLinks of config/samples and one that has what these lack, by name.
func exampleLinks(t *testing.T) map[string]*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(manifests, "samples", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]*unstructured.Unstructured{}
	for _, file := range append(files, filepath.Join("testdata", "every-secret-line.yaml"), filepath.Join("testdata", "every-secret-messenger.yaml")) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(data, &object.Object); err != nil {
			t.Fatal(err)
		}
		if object.GetKind() == "ChannelLink" {
			links[strings.TrimSuffix(filepath.Base(file), ".yaml")] = object
		}
	}
	return links
}

func inNamespace(link *unstructured.Unstructured, namespace string) *unstructured.Unstructured {
	link = link.DeepCopy()
	link.SetNamespace(namespace)
	return link
}

// withSecret is an example that has the field, with another Secret in it.
func withSecret(t *testing.T, links map[string]*unstructured.Unstructured, field, secret, namespace string) *unstructured.Unstructured {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(links)) {
		link := inNamespace(links[name], namespace)
		if replaceSecret(link.Object, steps(field), secret) != "" {
			return link
		}
	}
	t.Fatalf("no example has %s: add it to testdata", field)
	return nil
}

// steps splits a path such as spec.server.imagePullSecrets[0].
func steps(field string) []string {
	return strings.FieldsFunc(field, func(r rune) bool { return strings.ContainsRune(".[]", r) })
}

// replaceSecret sets the name of the Secret at the path, where there is one, and returns what it was.
func replaceSecret(object map[string]any, path []string, secret string) string {
	value, ok := object[path[0]]
	if !ok {
		return ""
	}
	switch value := value.(type) {
	case string:
		object[path[0]] = secret
		return value
	case []any:
		i, err := strconv.Atoi(path[1])
		if err != nil || i >= len(value) {
			return ""
		}
		return replaceSecret(value[i].(map[string]any), []string{"name"}, secret)
	case map[string]any:
		if len(path) == 1 {
			return replaceSecret(value, []string{"name"}, secret)
		}
		return replaceSecret(value, path[1:], secret)
	default:
		return ""
	}
}

// secretsOf are the names of all Secrets in the examples.
func secretsOf(t *testing.T, links map[string]*unstructured.Unstructured) []string {
	t.Helper()
	found := map[string]bool{}
	for _, field := range secretFields(t) {
		for _, link := range links {
			if name := replaceSecret(link.DeepCopy().Object, steps(field), notHers); name != "" {
				found[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// secretFields are the paths of a ChannelLink's spec that name a Secret, from the schema, so that a new field that the
// policy does not know fails.
func secretFields(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(manifests, "crd", "channellink.dev_channellinks.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(data, crd); err != nil {
		t.Fatal(err)
	}
	var fields []string
	var walk func(path string, schema apiextensionsv1.JSONSchemaProps)
	walk = func(path string, schema apiextensionsv1.JSONSchemaProps) {
		for name, property := range schema.Properties {
			field := path + "." + name
			switch lower := strings.ToLower(name); {
			case property.Type == "array" && strings.Contains(lower, "secret"):
				for i := range *property.MaxItems {
					fields = append(fields, fmt.Sprintf("%s[%d]", field, i))
				}
			case strings.Contains(lower, "secretref"), strings.Contains(lower, "secretname"):
				fields = append(fields, field)
			default:
				walk(field, property)
			}
		}
	}
	walk("spec", crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"])
	if len(fields) < 24 {
		t.Fatalf("the schema has %d fields that name a Secret: %v", len(fields), fields)
	}
	slices.Sort(fields)
	return fields
}
