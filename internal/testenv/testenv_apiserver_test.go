//go:build apiserver

package testenv_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
)

// orphanVariable makes this test binary start an Environment and wait to be killed; see TestProgramsEndWithTheTest.
const orphanVariable = "TESTENV_ORPHAN_TMPDIR"

var env *testenv.Environment

func TestMain(m *testing.M) {
	if dir := os.Getenv(orphanVariable); dir != "" {
		os.Exit(beOrphaned(dir))
	}
	os.Exit(testenv.Run(m, &env, testenv.WithAudit()))
}

func TestNamespaceIsEmptiedWhenTheTestEnds(t *testing.T) {
	var key client.ObjectKey
	t.Run("a test", func(t *testing.T) {
		key = client.ObjectKey{Namespace: env.Namespace(t), Name: "held"}
		held := &v1alpha1.AccountUnlink{
			ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Finalizers: []string{"example.com/held"}},
			Spec: v1alpha1.AccountUnlinkSpec{
				ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: "vision-hr"},
				User:           v1alpha1.UnlinkUser{UserID: "U206d25c2ea6bd87c17655609a1c37cb8"},
			},
		}
		if err := env.Client.Create(t.Context(), held); err != nil {
			t.Fatal(err)
		}
	})
	if err := env.Client.Get(t.Context(), key, &v1alpha1.AccountUnlink{}); !apierrors.IsNotFound(err) {
		t.Errorf("the object outlived its test: %v", err)
	}
	var ns corev1.Namespace
	if err := env.Client.Get(t.Context(), client.ObjectKey{Name: key.Namespace}, &ns); err != nil {
		t.Fatal(err)
	}
	if ns.DeletionTimestamp == nil {
		t.Error("the namespace is not being deleted")
	}
}

func TestUserMayDoWhatIsGranted(t *testing.T) {
	namespace := env.Namespace(t)
	config := env.User(t, "alice", "company:hr")
	alice, err := client.New(config, client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	list := func() error { return alice.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(namespace)) }
	if err := list(); !apierrors.IsForbidden(err) {
		t.Fatalf("before the grant: %v", err)
	}
	env.Grant(t, "alice", namespace, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}})
	gomega.NewWithT(t).Eventually(list).Should(gomega.Succeed()) // the authorizer learns of the role by a watch
	if err := alice.List(t.Context(), &corev1.ConfigMapList{}); !apierrors.IsForbidden(err) {
		t.Errorf("outside the namespace: %v", err)
	}

	t.Run("kubeconfig", func(t *testing.T) {
		out, err := exec.Command(env.Kubectl(), "--kubeconfig", env.Kubeconfig(t, config), "auth", "whoami",
			"-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups[0]}").CombinedOutput()
		if got := string(out); err != nil || got != "alice company:hr" {
			t.Errorf("kubectl is %q: %v", got, err)
		}
	})
}

func TestRecordCountsRequests(t *testing.T) {
	namespace := env.Namespace(t)
	bob, err := client.NewWithWatch(env.User(t, "bob", "system:masters"), client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKey{Namespace: namespace, Name: "counted"}
	if err := bob.Get(t.Context(), key, &corev1.Secret{}); !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}

	recording := env.Record(t)
	if err := bob.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "counted"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := bob.Get(t.Context(), key, &corev1.ConfigMap{}); err != nil {
			t.Fatal(err)
		}
	}
	watch, err := bob.Watch(t.Context(), &v1alpha1.ChannelLinkList{}, client.InNamespace(namespace))
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Stop()

	events := testenv.ByUser(recording.Events(t), "bob")
	want := map[string]int{"create configmaps": 1, "get configmaps": 2, "watch channellinks.channellink.dev": 1}
	got := testenv.Tally(events)
	for request := range got {
		if strings.HasPrefix(request, "get /") {
			delete(got, request) // discovery
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what was asked before the recording must be missing, all else counted (-want +got):\n%s", diff)
	}
	if writes := testenv.Writes(events); len(writes) != 1 {
		t.Errorf("got %d writes, want 1", len(writes))
	}
}

func TestInstallCRDsForOneTest(t *testing.T) {
	gateways := func() error {
		c, err := client.New(env.Config, client.Options{Scheme: env.Scheme})
		if err != nil {
			return err
		}
		return c.List(t.Context(), &gatewayv1.HTTPRouteList{})
	}
	if err := gateways(); !meta.IsNoMatchError(err) {
		t.Fatalf("before: %v", err)
	}
	remove := env.InstallCRDs(t, testenv.GatewayAPICRDs(t))
	if err := gateways(); err != nil {
		t.Fatalf("installed: %v", err)
	}
	remove()
	gomega.NewWithT(t).Eventually(func() bool { return meta.IsNoMatchError(gateways()) }, "30s").Should(gomega.BeTrue())
}

func TestOptionsReachTheAPIServer(t *testing.T) {
	_, err := testenv.Start(testenv.WithAPIServerFlag("no-such-flag", "1"))
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("the error must show what the API server wrote: %v", err)
	}
}

// A test binary that is killed leaves no API server, no etcd and no files behind.
func TestProgramsEndWithTheTest(t *testing.T) {
	g := gomega.NewWithT(t)
	dir := t.TempDir()
	orphan := exec.Command(os.Args[0])
	orphan.Env = append(os.Environ(), orphanVariable+"="+dir, "TMPDIR="+dir)
	out, err := orphan.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	var pids [2]int
	if _, err := fmt.Fscanln(out, &pids[0], &pids[1]); err != nil {
		t.Fatalf("start: %v", err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); err != nil {
			t.Fatalf("process %d does not run: %v", pid, err)
		}
	}
	if err := orphan.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = orphan.Wait() // it was killed
	for _, pid := range pids {
		g.Eventually(func() error { return syscall.Kill(pid, 0) }, "30s").Should(gomega.MatchError(syscall.ESRCH))
	}
	g.Eventually(func() ([]string, error) { return filepath.Glob(filepath.Join(dir, "channellink-testenv-*")) }, "30s").Should(gomega.BeEmpty())
}

// beOrphaned starts an Environment, prints the process ids of its programs and waits for its end.
func beOrphaned(dir string) int {
	if _, err := testenv.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, program := range []string{"kube-apiserver", "etcd"} {
		found, err := filepath.Glob(filepath.Join(dir, "channellink-testenv-*", program+".pid"))
		if err != nil || len(found) != 1 {
			fmt.Fprintln(os.Stderr, "no process id of", program, err)
			return 1
		}
		pid, err := os.ReadFile(found[0])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Fprint(os.Stdout, strings.TrimSpace(string(pid)), " ")
	}
	fmt.Fprintln(os.Stdout)
	select {}
}
