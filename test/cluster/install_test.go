//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// flags are the demo's: the provider of these tests is on this machine.
var flags = []string{"--allow-local-addresses", "--allow-endpoint-hosts=chatsim.localhost"}

// way is one of the ways of docs/install.md. Tag is that of an image which the cluster has.
type way struct {
	name    string
	install func(t *testing.T, tag string)
	remove  func(t *testing.T)
}

var ways = []way{
	{"Helm", func(t *testing.T, tag string) {
		// The definitions are there, and not Helm's.
		helm(t, "upgrade", "channellink", "charts/channellink", "--install", "--take-ownership", "--namespace", operatorNamespace, "--create-namespace",
			"--set", "image.tag="+tag, "--set", "extraArgs={"+strings.Join(flags, ",")+"}")
	}, func(t *testing.T) {
		helm(t, "uninstall", "channellink", "--namespace", operatorNamespace)
		do(t, "delete", "namespace", operatorNamespace)
	}},
	{"one file", func(t *testing.T, tag string) { do(t, "apply", "--server-side", "-f", oneFile(t, tag)) }, removeManifests},
	{"kustomize", func(t *testing.T, tag string) { do(t, "apply", "--server-side", "-k", overlay(t, repository(t), tag)) }, removeManifests},
}

func removeManifests(t *testing.T) {
	t.Helper()
	do(t, "delete", "namespace", operatorNamespace)
	do(t, "delete", "clusterroles,clusterrolebindings,priorityclasses", "-l", "app.kubernetes.io/name="+operatorName)
}

// Installed in each of the three ways the operator works. Removed, it leaves nothing but the definitions, and with them the
// ChannelLinks; their servers go on, and the next operator takes them up without restarting a pod. At last everything goes,
// but not from a cluster where somebody else has ChannelLinks. C77 C83
func TestInstallation(t *testing.T) {
	tag := deployedTag(t)
	t.Cleanup(func() { deployAgain(t) })
	others := &v1alpha1.ChannelLinkList{}
	if err := cluster.List(t.Context(), others); err != nil {
		t.Fatal(err)
	}
	link := newLink(t, namespace(t), "hr")
	create(t, link)
	awaitReady(t, link)
	pod := theirPod(t, link)
	removeManifests(t) // what `make deploy` has brought
	without, err := ours(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	for i, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			way.install(t, tag)
			do(t, "--namespace", operatorNamespace, "rollout", "status", "deployment/"+operatorName, "--timeout=120s")
			// It carries out an edit, after it has heard from the server, which learns the new operator's key.
			patch(t, &v1alpha1.ChannelLink{}, client.ObjectKeyFromObject(link), fmt.Sprintf(`{"spec": {"unlinkAllTimeoutSeconds": %d}}`, 601+i))
			if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(link), link); err != nil {
				t.Fatal(err)
			}
			awaitReady(t, link)
			way.remove(t)
			NewWithT(t).Eventually(func() ([]string, error) { return ours(t.Context()) }).WithTimeout(soon).WithPolling(poll).Should(Equal(without))
			awaitPage(t, link, "Vision HR")
			if now := theirPod(t, link); now.UID != pod.UID || restarts(now) != 0 {
				t.Error("the server's pod was replaced or restarted")
			}
		})
	}
	if len(others.Items) > 0 {
		return
	}
	t.Run("everything", func(t *testing.T) {
		ways[1].install(t, tag)
		do(t, "delete", "accountunlinks,channellinks", "--all", "--all-namespaces")
		do(t, "delete", "persistentvolumeclaims", "--all-namespaces", "-l", "app.kubernetes.io/managed-by=channellink-operator")
		removeManifests(t)
		do(t, "delete", "customresourcedefinitions", "channellinks.channellink.dev", "accountunlinks.channellink.dev")
		// With the definitions their API goes, which is an object too.
		want := slices.DeleteFunc(slices.Clone(without), func(object string) bool { return strings.HasSuffix(object, ".channellink.dev") })
		NewWithT(t).Eventually(func() ([]string, error) { return ours(t.Context()) }).WithTimeout(soon).WithPolling(poll).Should(Equal(want))
		NewWithT(t).Eventually(func() ([]string, error) { return childrenOf(t.Context(), link.Namespace) }).
			WithTimeout(soon).WithPolling(poll).Should(BeEmpty())
	})
}

// deployedTag is the tag of the operator's image in the cluster.
func deployedTag(t *testing.T) string {
	t.Helper()
	deployment := &appsv1.Deployment{}
	if err := cluster.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: operatorName}, deployment); err != nil {
		t.Fatal(err)
	}
	image := deployment.Spec.Template.Spec.Containers[0].Image
	return image[strings.LastIndex(image, ":")+1:]
}

// deployAgain puts the operator back that the other tests need.
func deployAgain(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), filepath.Join(repository(t), "hack", "demo", "deploy"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("deploying the operator again: %v\n%s", err, out)
	}
}

// oneFile is dist/install.yaml as somebody edits it who has an image and flags of his own.
func oneFile(t *testing.T, tag string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(repository(t), "dist", "install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	const flag = "        - --leader-elect\n"
	text := string(content)
	if strings.Count(text, flag) != 1 || strings.Count(text, "/manager:v") != 1 {
		t.Fatal("dist/install.yaml has no such flag, or no such image")
	}
	at := strings.Index(text, "/manager:v")
	end := at + strings.Index(text[at:], "\n")
	text = text[:at] + "/manager:" + tag + text[end:]
	text = strings.Replace(text, flag, flag+"        - "+strings.Join(flags, "\n        - ")+"\n", 1)
	return write(t, "install.yaml", text)
}

// overlay is a folder with a kustomization over config/default of the tree.
func overlay(t *testing.T, tree, tag string) string {
	t.Helper()
	folder := t.TempDir()
	base, err := filepath.Rel(folder, filepath.Join(tree, "config", "default"))
	if err != nil {
		t.Fatal(err)
	}
	var patch strings.Builder
	for _, flag := range flags {
		fmt.Fprintf(&patch, "    - {op: add, path: /spec/template/spec/containers/0/args/-, value: %q}\n", flag)
	}
	text := fmt.Sprintf(`apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [%q]
images:
- {name: docker.io/channellink/manager, newTag: %q}
patches:
- target: {kind: Deployment, name: channellink-operator}
  patch: |
%s`, base, tag, patch.String())
	if err := os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// do runs kubectl and ends the test if that fails.
func do(t *testing.T, args ...string) {
	t.Helper()
	if out, err := kubectl(t.Context(), args...); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func helm(t *testing.T, args ...string) {
	t.Helper()
	program := filepath.Join(repository(t), "bin", "helm")
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = repository(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("helm %s (made by `make bin/helm`): %v\n%s", strings.Join(args, " "), err, out)
	}
}

// ours are all objects of every kind that the cluster has whose name, or whose namespace, is the project's.
func ours(ctx context.Context) ([]string, error) {
	config := rest.CopyConfig(restConfig)
	config.WarningHandler = rest.NoWarnings{} // kinds that are deprecated are kinds all the same
	finder, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	kinds, err := finder.ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	objects, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, group := range kinds {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, kind := range group.APIResources {
			if kind.Kind == "Event" || !slices.Contains(kind.Verbs, "list") {
				continue
			}
			list, err := objects.Resource(version.WithResource(kind.Name)).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) {
				continue // its definition is going
			}
			if err != nil {
				return nil, err
			}
			for _, object := range list.Items {
				if strings.Contains(object.Name, "channellink") || object.Namespace == operatorNamespace {
					found[kind.Name+"."+version.Group+" "+object.Namespace+"/"+object.Name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}
