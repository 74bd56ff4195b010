//go:build cluster && soak

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// What a pod may hold more at rest after the soak than one of its kind did before it. A leak shows with each of thousands of
// people; a pool or a measurement does not.
const (
	moreGoroutines  = 20
	moreDescriptors = 20
	moreResident    = 12 << 20
)

var operatorPods = client.MatchingLabels{"app.kubernetes.io/name": operatorName}

// usage is what a process holds, with what kind it is.
type usage struct {
	kind, pod                         string
	age                               time.Duration
	restarts                          int32
	goroutines, descriptors, resident int64
}

// usages are those of all pods.
type usages []usage

func (all usages) String() string {
	var b bytes.Buffer
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "kind\tpod\tprocess is\trestarts\tgoroutines\tdescriptors\tresident") // into memory
	for _, u := range all {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s old\t%d\t%d\t%d\t%.1f MiB\n",
			u.kind, u.pod, u.age.Round(time.Second), u.restarts, u.goroutines, u.descriptors, float64(u.resident)/(1<<20))
	}
	_ = table.Flush()
	return b.String()
}

// judge compares each with the most that one of its kind held before.
func (all usages) judge(t *testing.T, before usages) {
	t.Helper()
	most := map[string]usage{}
	for _, u := range before {
		m := most[u.kind]
		most[u.kind] = usage{
			goroutines: max(m.goroutines, u.goroutines), descriptors: max(m.descriptors, u.descriptors), resident: max(m.resident, u.resident),
		}
	}
	for _, u := range all {
		m := most[u.kind]
		if u.goroutines > m.goroutines+moreGoroutines || u.descriptors > m.descriptors+moreDescriptors || u.resident > m.resident+moreResident {
			t.Errorf("%s of %s has grown: %+v, after at most %+v", u.pod, u.kind, u, m)
		}
	}
}

// rest leaves all alone, and returns what operator and servers hold then.
func (w *soakWorld) rest(t *testing.T) usages {
	t.Helper()
	pause(t.Context(), *quiet)
	core, err := corev1client.NewForConfig(restConfig)
	if err != nil {
		t.Fatal(err)
	}
	first, err := leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all usages
	measure := func(kind, port string, pod corev1.Pod) {
		text, err := core.Pods(pod.Namespace).ProxyGet("http", pod.Name, portOf(pod, port), "metrics", nil).DoRaw(t.Context())
		if err != nil {
			t.Fatalf("the metrics of %s: %v", pod.Name, err)
		}
		figures := unlabelled(text)
		all = append(all, usage{
			kind: kind, pod: pod.Name, restarts: restarts(&pod), age: time.Since(time.Unix(figures["process_start_time_seconds"], 0)),
			goroutines: figures["go_goroutines"], descriptors: figures["process_open_fds"], resident: figures["process_resident_memory_bytes"],
		})
	}
	for _, c := range w.channels {
		for _, pod := range w.pods(t, c.Namespace, labelled(c.Name)) {
			measure("server, "+c.Name, names.PortOps, pod)
		}
	}
	for _, pod := range w.pods(t, operatorNamespace, operatorPods) {
		kind := "operator, waits"
		if pod.Name == first.Name {
			kind = "operator, leads"
		}
		measure(kind, "metrics", pod)
	}
	return all
}

func (w *soakWorld) pods(t *testing.T, namespace string, labels client.MatchingLabels) []corev1.Pod {
	t.Helper()
	pods, err := podsOf(t.Context(), namespace, labels)
	if err != nil {
		t.Fatal(err)
	}
	return pods
}

// podsOf are the running pods with these labels, the oldest first.
func podsOf(ctx context.Context, namespace string, labels client.MatchingLabels) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := cluster.List(ctx, list, client.InNamespace(namespace), labels); err != nil {
		return nil, err
	}
	var running []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning {
			running = append(running, pod)
		}
	}
	if len(running) == 0 {
		return nil, errors.New("no pod runs")
	}
	slices.SortFunc(running, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	return running, nil
}

func portOf(pod corev1.Pod, name string) string {
	for _, port := range pod.Spec.Containers[0].Ports {
		if port.Name == name {
			return strconv.Itoa(int(port.ContainerPort))
		}
	}
	return ""
}

// unlabelled reads the metrics that have no label.
func unlabelled(text []byte) map[string]int64 {
	found := map[string]int64{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, text, ok := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); ok && err == nil {
			found[name] = int64(value)
		}
	}
	return found
}

// restartsAreOurs looks whether a container was restarted that nobody here has killed. A leader that the API server has not
// answered ends by itself, to be restarted: that is so once for each time at the most.
func (w *soakWorld) restartsAreOurs(t *testing.T) {
	t.Helper()
	for _, c := range w.channels {
		for _, pod := range w.pods(t, c.Namespace, labelled(c.Name)) {
			if n := restarts(&pod); n != w.caused[pod.UID] {
				t.Errorf("%s was restarted %d times, of which %d are ours", pod.Name, n, w.caused[pod.UID])
			}
		}
	}
	for _, pod := range w.pods(t, operatorNamespace, operatorPods) {
		if n := restarts(&pod) - w.caused[pod.UID]; n > w.standstills {
			t.Errorf("%s was restarted %d times, and the API server stood still %d times", pod.Name, n, w.standstills)
		}
	}
}

// leader is the operator's pod that holds the lease.
func leader(ctx context.Context) (*corev1.Pod, error) {
	lease := &coordinationv1.Lease{}
	if err := cluster.Get(ctx, types.NamespacedName{Namespace: operatorNamespace, Name: names.LeaderLease}, lease); err != nil {
		return nil, err
	}
	if lease.Spec.HolderIdentity == nil {
		return nil, errors.New("nobody holds the lease")
	}
	holder, _, _ := strings.Cut(*lease.Spec.HolderIdentity, "_")
	pods, err := podsOf(ctx, operatorNamespace, operatorPods)
	if err != nil {
		return nil, err
	}
	for i := range pods {
		if pods[i].Name == holder {
			return &pods[i], nil
		}
	}
	return nil, fmt.Errorf("%s holds the lease, and is not there", holder)
}

// readyNow says why the ChannelLink is not ready for its present generation.
func readyNow(ctx context.Context, link *v1alpha1.ChannelLink) error {
	ready, err := condition(ctx, link.DeepCopy(), v1alpha1.ConditionReady) // a read empties its object first, and others look at this one
	if err == nil && ready.Status != metav1.ConditionTrue {
		err = fmt.Errorf("%s is not ready: %+v", link.Name, ready)
	}
	return err
}

func deploymentOf(namespace, name string) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// wholeDeployment says why not every pod of the Deployment is ready and of its present template.
func wholeDeployment(ctx context.Context, namespace, name string) error {
	d := deploymentOf(namespace, name)
	if err := cluster.Get(ctx, client.ObjectKeyFromObject(d), d); err != nil {
		return err
	}
	s, want := d.Status, *d.Spec.Replicas
	if s.ObservedGeneration != d.Generation || s.ReadyReplicas != want || s.UpdatedReplicas != want || s.Replicas != want {
		return fmt.Errorf("%s: want %d pods: %+v", name, want, s)
	}
	return nil
}
