//go:build apiserver

package install_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
)

// patience bounds the wait for what must happen: an operator's start on a busy machine, and a reconciliation.
const patience = time.Minute

// A release that looks at some namespaces works there with the rights that it gets there, and needs in the whole cluster
// but the definition of HTTPRoute. C61 C63
func TestNamespacedInstallation(t *testing.T) {
	own, watched, other := env.Namespace(t), env.Namespace(t), env.Namespace(t)
	installed := helm(t, env, "install", "channellink", "charts/channellink", "--namespace", own,
		"--set", "watchNamespaces={"+watched+"}", "--set", "crds.install=false")
	t.Cleanup(func() { helm(t, env, "uninstall", "channellink", "--namespace", own) })
	for _, object := range parse(t, installed) {
		if object.GetKind() == "ClusterRole" && object.GetName() == operator+"-"+own {
			rules, _, _ := unstructured.NestedSlice(object.Object, "rules")
			if len(rules) != 1 {
				t.Errorf("in the whole cluster: %v", rules)
			}
		}
	}

	user := serviceAccount(own)
	awaitRights(t, env, user, watched)
	recording := env.Record(t)
	startOperator(t, env, buildOperator(t, root), user, own, argsOf(t, parse(t, installed)))
	// The other comes first: if it were seen, it would have been before the watched one is carried out.
	ignored, seen := sample(t, "line", other), sample(t, "messenger", watched)
	for _, link := range []*v1alpha1.ChannelLink{ignored, seen} {
		if err := env.Client.Create(t.Context(), link); err != nil {
			t.Fatal(err)
		}
	}
	NewWithT(t).Eventually(func() error {
		return env.Client.Get(t.Context(), client.ObjectKeyFromObject(seen), &appsv1.Deployment{})
	}).WithTimeout(patience).Should(Succeed())

	err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(ignored), &appsv1.Deployment{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("a Deployment in the namespace that is not watched: %v", err)
	}
	for _, event := range testenv.ByUser(recording.Events(t), user) {
		if event.ResponseStatus != nil && event.ResponseStatus.Code == 403 {
			t.Errorf("refused: %s %s", event.Verb, event.RequestURI)
		}
		if ref := event.ObjectRef; ref != nil && !slices.Contains([]string{own, watched, ""}, ref.Namespace) {
			t.Errorf("%s %s touches another namespace", event.Verb, event.RequestURI)
		}
	}
}

// serviceAccount is who the operator is in the namespace.
func serviceAccount(namespace string) string {
	return "system:serviceaccount:" + namespace + ":" + operator
}

// awaitRights waits until the API server's authorizer, which learns of roles by a watch, knows those of the operator.
func awaitRights(t *testing.T, env *testenv.Environment, user, namespace string) {
	t.Helper()
	c, err := client.New(env.User(t, user), client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	NewWithT(t).Eventually(func() error { return c.List(t.Context(), &v1alpha1.ChannelLinkList{}, client.InNamespace(namespace)) }).
		WithTimeout(patience).Should(Succeed())
}

// helm runs helm against the API server and returns the release's manifest after it, if there still is one.
func helm(t *testing.T, env *testenv.Environment, args ...string) string {
	t.Helper()
	note(t, filepath.Join(root, "charts"))
	kubeconfig := env.Kubeconfig(t, env.Config)
	run := func(args ...string) string {
		return output(t, tool(t, "helm"), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	}
	run(args...)
	if args[0] == "uninstall" {
		return ""
	}
	namespace := args[slices.Index(args, "--namespace")+1]
	return run("get", "manifest", args[1], "--namespace", namespace)
}

// buildOperator compiles the operator of the tree in this folder.
func buildOperator(t *testing.T, tree string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "manager")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", program, "./cmd/manager")
	cmd.Dir = tree
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compiling the operator: %v\n%s", err, out)
	}
	return program
}

// argsOf are the arguments of the operator in the manifests.
func argsOf(t *testing.T, objects []*unstructured.Unstructured) []string {
	t.Helper()
	for _, object := range objects {
		if object.GetKind() == "Deployment" {
			deployment := &appsv1.Deployment{}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, deployment); err != nil {
				t.Fatal(err)
			}
			return deployment.Spec.Template.Spec.Containers[0].Args
		}
	}
	t.Fatal("no Deployment")
	return nil
}

// startOperator runs the operator as this user until stop is called or the test ends. Its ports are free ones.
func startOperator(t *testing.T, env *testenv.Environment, program, user, namespace string, args []string) (stop func()) {
	t.Helper()
	var log bytes.Buffer
	args = append(slices.Clone(args), "--metrics-bind-address=0", "--health-probe-bind-address=127.0.0.1:0")
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...) // stop ends it
	cmd.Env = append(os.Environ(), "POD_NAMESPACE="+namespace, "KUBECONFIG="+env.Kubeconfig(t, env.User(t, user)))
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself, which Wait tells
		if err := cmd.Wait(); err != nil {
			t.Errorf("the operator ended: %v", err)
		}
		if t.Failed() {
			t.Logf("the operator's log:\n%s", log.String())
		}
	})
	t.Cleanup(stop)
	return stop
}

// sample is the ChannelLink of config/samples with this name, in the namespace.
func sample(t *testing.T, name, namespace string) *v1alpha1.ChannelLink {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "config", "samples", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	link := &v1alpha1.ChannelLink{}
	if err := yaml.UnmarshalStrict(content, link); err != nil {
		t.Fatal(err)
	}
	link.ObjectMeta = metav1.ObjectMeta{Name: link.Name, Namespace: namespace, Labels: link.Labels}
	return link
}
