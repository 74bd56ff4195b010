//go:build bench

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
)

func TestMain(m *testing.M) {
	log.SetLogger(logr.Discard()) // of the clients in here; the programs have their own
	os.Exit(m.Run())
}

// The users of the API server, each with requests of its own in the audit record.
const (
	userCreator  = "creator"
	userOperator = "operator" // the program that is measured, the floor too
)

// namespace of the ChannelLinks, and of the operator.
const namespace = "bench"

// operator is a program to measure.
type operator struct {
	name    string
	program string
	args    []string
}

// run is one measurement: n ChannelLinks made, and the program started again with all of them there.
type run struct {
	took           time.Duration
	cpu            time.Duration
	serverCPU      time.Duration // of API server and etcd
	others         float64       // the share of the machine that others used
	resident, peak int64
	reconciles     int
	requests       requests

	restart restart
}

// restart is what a program does that finds everything as it should be.
type restart struct {
	took, cpu      time.Duration
	resident, peak int64
	requests       requests
}

// measure runs the program against an API server and an etcd of its own, so that no run sees what an earlier one left.
// Without an audit record nothing is counted, and the time ends when the program has come to rest.
func measure(t *testing.T, op operator, n int, audit bool) run {
	t.Helper()
	// The range that envtest sets has room for 254 Services.
	options := []testenv.Option{testenv.WithAPIServerFlag("service-cluster-ip-range", "10.96.0.0/12")}
	if audit {
		options = append(options, testenv.WithAudit())
	}
	env, err := testenv.Start(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := env.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
		t.Fatal(err)
	}
	kubeconfig := "KUBECONFIG=" + env.Kubeconfig(t, env.User(t, userOperator, "system:masters"))
	makers, err := client.New(env.User(t, userCreator, "system:masters"), client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	launch := func() (*process, string) {
		address := freeAddress(t)
		args := append([]string{"--metrics-bind-address=" + address}, op.args...)
		return start(t, []string{kubeconfig}, op.program, args...), address
	}
	record := func() (events func() requests, begun func() time.Time) {
		if !audit {
			now := time.Now()
			return func() requests { return requests{} }, func() time.Time { return now }
		}
		recording := env.Record(t)
		return func() requests { return tally(recording.Events(t), userOperator) },
			func() time.Time { return first(t, recording.Events(t), userCreator) }
	}

	var r run
	program, metrics := launch()
	// The first ChannelLink brings what is done once: caches, connections, the operator's key.
	create(t, makers, 0, 1)
	warm, _ := settled(t, metrics, 1)

	made, begun := record()
	before, cpu := look(t), program.cpu(t)
	create(t, makers, 1, n)
	done, idle := settled(t, metrics, warm+n)
	r.cpu = program.cpu(t) - cpu
	after := look(t)
	r.serverCPU, r.others = after.since(before).server, after.since(before).others(after.at.Sub(before.at))
	r.resident, r.peak = program.memory(t)
	r.reconciles = done - warm
	r.requests = made()
	if audit {
		idle = r.requests.last
	}
	r.took = idle.Sub(begun())
	program.stop(t)

	found, _ := record()
	program, metrics = launch()
	_, idle = settled(t, metrics, n+1)
	r.restart.took = idle.Sub(program.started)
	r.restart.cpu = program.cpu(t)
	r.restart.resident, r.restart.peak = program.memory(t)
	r.restart.requests = found()
	program.stop(t)
	return r
}

// create makes n ChannelLinks, numbered from the first on, by as many clients at once as the flag says.
func create(t *testing.T, c client.Client, first, n int) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(*creators)
	for i := first; i < first+n; i++ {
		group.Go(func() error { return c.Create(ctx, channelLink(i)) })
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("create ChannelLinks: %v", err)
	}
}

// channelLink is a channel on LINE with a volume and every default. Its name is in all that must be its own, and appears
// nowhere else, because the floor replaces it.
func channelLink(i int) *v1alpha1.ChannelLink {
	name := fmt.Sprintf("link-%05d", i)
	url := "https://" + name + ".bench.example"
	if *oneHost {
		url = "https://chat.bench.example/" + name
	}
	return &v1alpha1.ChannelLink{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ChannelLinkSpec{
			Platform:  v1alpha1.PlatformLINE,
			PageID:    name,
			PublicURL: v1alpha1.URL(url),
			LINE:      &v1alpha1.LINE{ChannelSecretRef: &v1alpha1.SecretKeyReference{Name: "line", Key: "channelSecret"}},
			OIDC:      v1alpha1.OIDC{IssuerURL: "https://sso.bench.example", ClientID: "chatbot"},
		},
	}
}

// children of each such ChannelLink: ServiceAccount, ConfigMap, PersistentVolumeClaim, NetworkPolicy, two Services and the
// Deployment.
const children = 7

func TestOperatorAtScale(t *testing.T) {
	if *count < 1 || *count > largeCount || *creators < 1 || *rounds < 1 {
		t.Fatalf("-channellinks must be 1 to %d, -creators and -rounds at least 1", largeCount)
	}
	bin := compile(t, "channellink.dev/operator/cmd/manager", "channellink.dev/operator/test/bench/floor")
	floor := operator{name: "floor", program: filepath.Join(bin, "floor")}
	ours := operator{name: "operator", program: filepath.Join(bin, "manager"), args: []string{
		"--namespace=" + namespace, "--health-probe-bind-address=0",
	}}
	if *program != "" {
		ours.program = *program
	}

	runs := map[string][]run{}
	for round := range *rounds {
		order := []operator{floor, ours}
		if round%2 == 1 {
			order = []operator{ours, floor} // whoever comes second may find the machine warmer, or busier
		}
		for _, op := range order {
			name := fmt.Sprintf("round %d, %s", round+1, op.name)
			if !t.Run(name, func(t *testing.T) { runs[op.name] = append(runs[op.name], measure(t, op, *count, true)) }) {
				t.FailNow()
			}
		}
	}
	report(t, runs[floor.name], runs[ours.name])

	if *large {
		t.Run("large", func(t *testing.T) { reportLarge(t, measure(t, ours, largeCount, false)) })
	}
}
