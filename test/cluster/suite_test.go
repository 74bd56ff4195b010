//go:build cluster

// Package cluster proves the operator on a real Kubernetes with a kubelet: pods start, probes and Services answer, the
// garbage collector collects. `make deploy` and dex must be there; `make test-cluster` sees to both.
package cluster

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
)

const (
	operatorNamespace = "channellink-system"
	operatorName      = "channellink-operator"

	// soon bounds what the cluster does by itself: scheduling, starting pods, collecting garbage, and the kubelet's
	// round through mounted Secrets.
	soon = 90 * time.Second
	poll = 250 * time.Millisecond
)

var (
	cluster    client.Client
	restConfig *rest.Config
	port       = envOr("CLUSTER_PORT", "8080")
	tlsPort    = envOr("CLUSTER_TLS_PORT", "8443")
)

//go:embed testdata/link.yaml
var linkTemplate string

func TestMain(m *testing.M) {
	if err := connect(); err != nil {
		fmt.Fprintln(os.Stderr, "test/cluster:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func connect() error {
	var err error
	if restConfig, err = ctrl.GetConfig(); err != nil {
		return fmt.Errorf("no cluster: run `make up` and set KUBECONFIG: %w", err)
	}
	for _, add := range []func() error{
		func() error { return v1alpha1.AddToScheme(clientgoscheme.Scheme) },
		func() error { return gatewayv1.Install(clientgoscheme.Scheme) },
	} {
		if err := add(); err != nil {
			return err
		}
	}
	if cluster, err = client.New(restConfig, client.Options{Scheme: clientgoscheme.Scheme}); err != nil {
		return err
	}
	pods := &corev1.PodList{}
	err = cluster.List(context.Background(), pods, client.InNamespace(operatorNamespace), client.MatchingLabels{"app.kubernetes.io/name": operatorName})
	if err == nil && len(pods.Items) == 0 {
		err = fmt.Errorf("no pod of %s in namespace %s: run `make deploy`", operatorName, operatorNamespace)
	}
	return err
}

// namespace makes a namespace that enforces Pod Security restricted, with the Secrets that the ChannelLink of testdata
// refers to. A test that fails prints what a person would ask for.
func namespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "e2e-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	if err := cluster.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			explain(t, ns.Name)
		}
		hasToldNothing(t, ns)
		if err := client.IgnoreNotFound(cluster.Delete(context.Background(), ns)); err != nil {
			t.Errorf("deleting namespace %s: %v", ns.Name, err)
		}
	})
	createSecret(t, ns.Name, "vision-botbonnie", map[string]string{"apiToken": "t0ken", "apiSecret": "s3cret"})
	createSecret(t, ns.Name, "vision-sso", map[string]string{"clientSecret": "chatbot-secret"})
	return ns.Name
}

func createSecret(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: data}
	if err := cluster.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
}

// newLink is the ChannelLink of testdata under its own host, with the given changes.
func newLink(t *testing.T, namespace, name string, changes ...func(*v1alpha1.ChannelLink)) *v1alpha1.ChannelLink {
	t.Helper()
	text := strings.NewReplacer(
		"@NAMESPACE@", namespace, "@NAME@", name, "@PORT@", port,
		"@PAGE@", namespace+"."+name, "@HOST@", name+"-"+namespace+".localhost",
	).Replace(linkTemplate)
	link := &v1alpha1.ChannelLink{}
	if err := yaml.UnmarshalStrict([]byte(text), link); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		change(link)
	}
	return link
}

func create(t *testing.T, object client.Object) {
	t.Helper()
	if err := cluster.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// condition reads one condition of the ChannelLink; the zero condition when it has none.
func condition(ctx context.Context, link *v1alpha1.ChannelLink, kind string) (metav1.Condition, error) {
	if err := cluster.Get(ctx, client.ObjectKeyFromObject(link), link); err != nil {
		return metav1.Condition{}, err
	}
	found := meta.FindStatusCondition(link.Status.Conditions, kind)
	if found == nil || found.ObservedGeneration != link.Generation {
		return metav1.Condition{}, nil
	}
	return *found, nil
}

// awaitReady waits until the ChannelLink is ready for its present generation.
func awaitReady(t *testing.T, links ...*v1alpha1.ChannelLink) {
	t.Helper()
	for _, link := range links {
		awaitCondition(t, link, v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	}
}

func awaitCondition(t *testing.T, link *v1alpha1.ChannelLink, kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
	t.Helper()
	var last metav1.Condition
	NewWithT(t).Eventually(func(g Gomega) {
		var err error
		last, err = condition(t.Context(), link, kind)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(last.Status).To(Equal(status), "%s/%s: %+v", link.Namespace, link.Name, last)
		g.Expect(last.Reason).To(Equal(reason), "%s/%s: %+v", link.Namespace, link.Name, last)
	}).WithTimeout(soon).WithPolling(poll).Should(Succeed())
	return last
}

// explain prints conditions, pods, events and logs of the namespace, and the operator's log.
func explain(t *testing.T, namespace string) {
	t.Helper()
	for _, args := range [][]string{
		{"-n", namespace, "get", "channellinks", "-o", "yaml"},
		{"-n", namespace, "get", "all,persistentvolumeclaims,ingresses", "-o", "wide"},
		{"-n", namespace, "get", "events", "--sort-by=.lastTimestamp"},
		{"-n", namespace, "logs", "-l", "app.kubernetes.io/component=server", "--prefix", "--tail=40"},
		{"-n", operatorNamespace, "logs", "-l", "app.kubernetes.io/name=" + operatorName, "--prefix", "--tail=60"},
	} {
		out, err := kubectl(context.Background(), args...)
		t.Logf("kubectl %s (%v)\n%s", strings.Join(args, " "), err, out)
	}
}

// kubectl runs the cluster's own kubectl, or that of the path.
func kubectl(ctx context.Context, args ...string) (string, error) {
	program := envOr("KUBECTL", "kubectl")
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	return string(out), err
}

func envOr(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
