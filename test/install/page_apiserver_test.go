//go:build apiserver

package install_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
)

// section is a part of docs/install.md under one heading.
type section struct {
	heading string
	// commands are its blocks of sh, and manifests its blocks of YAML.
	commands, manifests []string
}

// Every command of docs/install.md works, in the order of the page; and whichever way the operator came, it goes without
// rest, and the ChannelLinks stay until the page says that they go.
func TestInstallationPage(t *testing.T) {
	env := emptyCluster(t)
	finishNamespaces(t, env)
	g := NewWithT(t)
	link := sample(t, "line", "vision-live")
	remove := "" // the last block of "One file" removes what came by kustomize too

	for _, part := range sections(t, "install.md") {
		for i, commands := range part.commands {
			sh(t, env, commands)
			if link.UID == "" {
				// The first block installs; from now on there is something to lose.
				g.Expect(env.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: link.Namespace}})).To(Succeed())
				g.Eventually(func() error { return env.Client.Create(t.Context(), link) }).WithTimeout(patience).Should(Succeed())
			}
			if last := i == len(part.commands)-1; last && part.heading == "One file" {
				remove = commands
			}
		}
		switch part.heading {
		case "Helm", "One file", "Kustomize":
			if part.heading == "Kustomize" {
				sh(t, env, remove)
			}
			expectRemoved(t, env)
			now := &v1alpha1.ChannelLink{}
			if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), now); err != nil || now.UID != link.UID {
				t.Errorf("%s: the ChannelLink is gone: %v", part.heading, err)
			}
		case "Removing everything":
			g.Eventually(func() error { return env.Client.List(t.Context(), &v1alpha1.ChannelLinkList{}) }).
				WithTimeout(patience).ShouldNot(Succeed(), "the definitions must be gone")
		}
		for _, manifest := range part.manifests {
			expectManifestWorks(t, env, manifest)
		}
	}
	if link.UID == "" || remove == "" {
		t.Error("the page has no blocks of sh: the test looks at nothing")
	}
}

// Every command of docs/upgrade.md works in a cluster that has the last release, in the order of the page.
func TestUpgradePage(t *testing.T) {
	env := emptyCluster(t)
	kubectlApply(t, env, "-k", filepath.Join(lastRelease(t), "config", "default"))
	links := []*v1alpha1.ChannelLink{sample(t, "botbonnie-line", "vision"), sample(t, "line", "vision-shop")}
	for _, link := range links {
		if err := env.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: link.Namespace}}); err != nil {
			t.Fatal(err)
		}
		if err := env.Client.Create(t.Context(), link); err != nil {
			t.Fatal(err)
		}
	}
	run := 0
	for _, part := range sections(t, "upgrade.md") {
		for _, commands := range part.commands {
			sh(t, env, commands)
			run++
		}
	}
	if run < 5 {
		t.Errorf("the page has %d blocks of sh: the test looks at too little", run)
	}
	for _, link := range links {
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link); err != nil {
			t.Fatal(err)
		}
		if link.Spec.Suspend == nil || *link.Spec.Suspend {
			t.Errorf("%s was held back, and is to be let go: suspend is %v", link.Name, link.Spec.Suspend)
		}
	}
}

// expectRemoved fails if anything of the operator is there beside the definitions.
func expectRemoved(t *testing.T, env *testenv.Environment) {
	t.Helper()
	ours := client.MatchingLabels{"app.kubernetes.io/name": operator}
	for _, list := range []client.ObjectList{
		&appsv1.DeploymentList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{}, &corev1.NamespaceList{}, &rbacv1.RoleList{},
		&rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{}, &schedulingv1.PriorityClassList{},
	} {
		if err := env.Client.List(t.Context(), list, ours); err != nil {
			t.Fatal(err)
		}
		if n := meta.LenList(list); n > 0 {
			t.Errorf("%d objects of a %T are left", n, list)
		}
	}
}

// expectManifestWorks applies a manifest of the page without keeping it; an overlay, and a chart with values, is built and looked
// at instead.
func expectManifestWorks(t *testing.T, env *testenv.Environment, manifest string) {
	t.Helper()
	folder := t.TempDir()
	name := "manifest.yaml"
	if strings.Contains(manifest, "kind: Kustomization") {
		base, err := filepath.Rel(folder, filepath.Join(root, "config", "default"))
		if err != nil {
			t.Fatal(err)
		}
		name, manifest = "kustomization.yaml", strings.ReplaceAll(manifest, "../config/default", base)
	}
	if err := os.WriteFile(filepath.Join(folder, name), []byte(manifest), 0o600); err != nil {
		t.Fatal(err)
	}
	var deployment map[string]any
	switch key := "Deployment " + operatorNamespace + "/" + operator; {
	case strings.HasPrefix(manifest, "# values.yaml"):
		deployment = byName(t, chart(t, "--values", filepath.Join(folder, name)))[key]
	case name == "kustomization.yaml":
		deployment = byName(t, kustomize(t, folder))[key]
	default:
		sh(t, env, "kubectl apply --server-side --dry-run=server --validate=strict -f "+filepath.Join(folder, name))
		return
	}
	pod, _, _ := unstructured.NestedMap(deployment, "spec", "template", "spec")
	containers, _ := pod["containers"].([]any)
	built := fmt.Sprint(containers, pod["imagePullSecrets"])
	tag := values(t, "charts/channellink/Chart.yaml")["appVersion"].(string)
	for _, want := range []string{
		"image:registry.vision.example/channellink/manager:" + tag + " ", "--server-image=registry.vision.example/channellink/webhookserver:" + tag + "]",
		"[map[name:vision-registry]]",
	} {
		if !strings.Contains(built, want) {
			t.Errorf("%s\ndoes not give %s:\n%s", manifest, want, built)
		}
	}
}

// sh runs commands of a page in the repository's root, with kubectl and helm that talk to the API server.
func sh(t *testing.T, env *testenv.Environment, commands string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
	cmd.Dir = root
	path := filepath.Dir(tool(t, "helm")) + ":" + filepath.Dir(env.Kubectl()) + ":" + os.Getenv("PATH")
	cmd.Env = append(os.Environ(), "PATH="+path, "KUBECONFIG="+env.Kubeconfig(t, env.Config))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s\n%v\n%s", commands, err, out)
	}
}

var (
	heading = regexp.MustCompile(`(?m)^## (.+)$`)
	// block stands further in below an item of a list.
	block = regexp.MustCompile("(?s)\n( *)```(sh|yaml)\n(.*?)\n *```")
)

// sections reads a page of docs.
func sections(t *testing.T, page string) []section {
	t.Helper()
	note(t, filepath.Join(root, "charts"))
	note(t, filepath.Join(root, "config"))
	content, err := os.ReadFile(filepath.Join(root, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	var parts []section
	for _, at := range heading.FindAllStringSubmatchIndex(text, -1) {
		part := section{heading: text[at[2]:at[3]]}
		rest := text[at[1]:]
		if next := heading.FindStringIndex(rest); next != nil {
			rest = rest[:next[0]]
		}
		for _, match := range block.FindAllStringSubmatch(rest, -1) {
			text := strings.TrimPrefix(strings.ReplaceAll("\n"+match[3], "\n"+match[1], "\n"), "\n")
			if match[2] == "sh" {
				part.commands = append(part.commands, text)
			} else {
				part.manifests = append(part.manifests, text+"\n")
			}
		}
		parts = append(parts, part)
	}
	return parts
}

// finishNamespaces does until the test ends what the cluster's controller manager would do: it empties namespaces that are
// being deleted, and lets them go.
func finishNamespaces(t *testing.T, env *testenv.Environment) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			var namespaces corev1.NamespaceList
			if err := env.Client.List(ctx, &namespaces); err != nil {
				return false, client.IgnoreNotFound(err)
			}
			for _, namespace := range namespaces.Items {
				if namespace.DeletionTimestamp == nil {
					continue
				}
				if err := finish(ctx, env, &namespace); err != nil {
					return false, err
				}
			}
			return false, nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("finishing namespaces: %v", err)
		}
	})
}

func finish(ctx context.Context, env *testenv.Environment, namespace *corev1.Namespace) error {
	for _, object := range []client.Object{
		&appsv1.Deployment{}, &corev1.Service{}, &corev1.ServiceAccount{}, &corev1.Secret{}, &corev1.ConfigMap{}, &rbacv1.Role{}, &rbacv1.RoleBinding{},
	} {
		if err := env.Client.DeleteAllOf(ctx, object, client.InNamespace(namespace.Name)); err != nil {
			return err
		}
	}
	namespace.Spec.Finalizers = nil
	return client.IgnoreNotFound(env.Client.SubResource("finalize").Update(ctx, namespace))
}
