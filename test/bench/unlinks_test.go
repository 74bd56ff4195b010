//go:build bench

package bench

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/controllers"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/testenv"
)

// What a run of AccountUnlinks is.
const (
	unlinkCount    = 1000
	unlinkChannels = 100
	unlinkLatency  = 100 * time.Millisecond
	unlinkCouriers = 10                    // so few that two cores can write down what they bring
	unlinkBusy     = 10 * time.Millisecond // of the one channel that is asked a thousand times
)

// unlinkRun is one measurement of the operator, or, with no more than took, serverCPU and others, of the bare client.
type unlinkRun struct {
	asked     int           // AccountUnlinks
	took      time.Duration // from the first request or call to the last status write
	cpu       time.Duration
	serverCPU time.Duration // of API server and etcd
	others    float64
	resident  int64
	peak      int64
	anonymous int64
	requests  int // of the operator, reads and watches among them
	calls     int // of servers, and the most for one request
	mostCalls int
	mostBusy  int     // calls to one server at once
	rate      float64 // calls a second
	status    int     // status writes, and the most for one request
	mostOf    int
	other     int // writes of anything but a status and an Event
	refused   int
}

// unlinkBench is an API server with all that the measurements need.
type unlinkBench struct {
	env     *testenv.Environment
	makers  client.Client
	servers *unlinkServers
	made    int
}

func newUnlinkBench(t *testing.T) *unlinkBench {
	t.Helper()
	env, err := testenv.Start(testenv.WithAPIServerFlag("service-cluster-ip-range", "10.96.0.0/12"), testenv.WithAudit())
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
	makers, err := client.New(env.User(t, userCreator, "system:masters"), client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return &unlinkBench{env: env, makers: makers, servers: startUnlinkServers(t)}
}

// create makes n AccountUnlinks, one channel after the other, by as many clients at once as the flag says, and does with each
// what then says.
func (b *unlinkBench) create(t *testing.T, n, channels int, then func(context.Context, *v1alpha1.AccountUnlink) error) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(*creators)
	for i := range n {
		unlink := &v1alpha1.AccountUnlink{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("leaver-%05d", b.made+i)},
			Spec: v1alpha1.AccountUnlinkSpec{
				ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: v1alpha1.ObjectName(channelLink(i % channels).Name)},
				User:           v1alpha1.UnlinkUser{UserID: "U206d25c2ea6bd87c17655609a1c37cb8"},
			},
		}
		group.Go(func() error {
			if err := b.makers.Create(ctx, unlink); err != nil {
				return err
			}
			return then(ctx, unlink)
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatalf("create AccountUnlinks: %v", err)
	}
	b.made += n
}

// redirectedPackage is the operator with all servers at one address.
const redirectedPackage = "channellink.dev/operator/test/bench/redirected"

// launcher returns what starts that operator, of the folder bin, with so many couriers.
func (b *unlinkBench) launcher(t *testing.T, bin string) func(couriers int) *process {
	t.Helper()
	kubeconfig := "KUBECONFIG=" + b.env.Kubeconfig(t, b.env.User(t, userOperator, "system:masters"))
	return func(couriers int) *process {
		return start(t, []string{kubeconfig}, filepath.Join(bin, "redirected"),
			"--metrics-bind-address=0", "--namespace="+namespace, "--servers="+b.servers.address, fmt.Sprint("--couriers=", couriers))
	}
}

func andLeave(context.Context, *v1alpha1.AccountUnlink) error { return nil }

// bare measures a client that makes the AccountUnlinks and writes the status of each once.
func (b *unlinkBench) bare(t *testing.T) unlinkRun {
	t.Helper()
	recording, before := b.env.Record(t), look(t)
	b.create(t, unlinkCount, unlinkChannels, func(ctx context.Context, unlink *v1alpha1.AccountUnlink) error {
		status := fmt.Appendf(nil, `{"apiVersion":%q,"kind":"AccountUnlink","status":{"observedGeneration":1,"summary":"1/1 unlinked"}}`, v1alpha1.SchemeGroupVersion)
		return b.makers.Status().Patch(ctx, unlink, client.RawPatch(types.ApplyPatchType, status), client.FieldOwner("bare"), client.ForceOwnership)
	})
	after := look(t)
	events := recording.Events(t)
	return unlinkRun{
		took:      lastStatus(events, userCreator).Sub(first(t, events, userCreator)),
		serverCPU: after.since(before).server,
		others:    after.since(before).others(after.at.Sub(before.at)),
	}
}

// serve makes so many ChannelLinks, has a pod for each, and waits until the operator can ask their servers.
func (b *unlinkBench) serve(t *testing.T, channels int) {
	t.Helper()
	create(t, b.makers, 0, channels)
	var links v1alpha1.ChannelLinkList
	err := wait.PollUntilContextTimeout(t.Context(), 250*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		var deployments appsv1.DeploymentList
		if err := b.env.Client.List(ctx, &deployments, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		if err := b.env.Client.List(ctx, &links, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		for _, d := range deployments.Items {
			if d.Status.Replicas > 0 {
				continue
			}
			b.servers.settle(string(metav1.GetControllerOf(&d).UID), d.Spec.Template.Annotations[names.AnnotationSettingsHash])
			d.Status = appsv1.DeploymentStatus{
				ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
				Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicas"}},
			}
			if err := b.env.Client.Status().Update(ctx, &d); err != nil {
				return false, err
			}
		}
		return !slices.ContainsFunc(links.Items, func(link v1alpha1.ChannelLink) bool {
			return !meta.IsStatusConditionTrue(link.Status.Conditions, v1alpha1.ConditionStoreReady)
		}), nil
	})
	if err != nil {
		t.Fatalf("the servers are not there: %v; the first ChannelLink has %+v", err, links.Items[0].Status.Conditions)
	}
}

// over waits until none of so many AccountUnlinks is left to do. It does not look before all have been asked for: a look costs
// the API server as much as some hundred status writes.
func (b *unlinkBench) over(t *testing.T, asked int) {
	t.Helper()
	err := wait.PollUntilContextTimeout(t.Context(), 200*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		if b.servers.asked() < asked {
			return false, nil
		}
		var list v1alpha1.AccountUnlinkList
		if err := b.env.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			return false, err
		}
		return !slices.ContainsFunc(list.Items, func(u v1alpha1.AccountUnlink) bool { return u.Status.CompletionTime == nil }), nil
	})
	if err != nil {
		t.Fatalf("not every AccountUnlink is over: %v", err)
	}
}

// observe measures what do brings about, which is to have that many AccountUnlinks carried out.
func (b *unlinkBench) observe(t *testing.T, asked int, latency time.Duration, operator func() *process, do func()) unlinkRun {
	t.Helper()
	b.servers.reset(latency)
	var cpu time.Duration
	if program := operator(); !program.stopped {
		cpu = program.cpu(t)
	}
	recording, before := b.env.Record(t), look(t)
	do()
	b.over(t, asked)
	program := operator()
	after := look(t)
	events, pace := recording.Events(t), b.servers.sinceReset()
	r := tallyUnlinks(events)
	r.asked, r.requests = asked, len(testenv.ByUser(events, userOperator))
	r.serverCPU = after.since(before).server
	r.others = after.since(before).others(after.at.Sub(before.at))
	r.cpu = program.cpu(t) - cpu
	r.resident, r.peak = program.memory(t)
	r.anonymous = program.anonymous(t)
	for _, n := range pace.calls {
		r.calls += n
		r.mostCalls = max(r.mostCalls, n)
	}
	r.mostBusy = slices.Max(slices.Collect(maps.Values(pace.most)))
	r.rate = float64(r.calls) / pace.last.Sub(pace.first).Seconds()
	r.took = lastStatus(events, userOperator).Sub(pace.first)
	return r
}

// lastStatus is when the user's last status write of an AccountUnlink was answered.
func lastStatus(events []auditv1.Event, user string) time.Time {
	var at time.Time
	for _, event := range testenv.ByUser(events, user) {
		if writesUnlinkStatus(event) && event.StageTimestamp.After(at) {
			at = event.StageTimestamp.Time
		}
	}
	return at
}

func writesUnlinkStatus(event auditv1.Event) bool {
	return event.Verb == "patch" && event.ObjectRef != nil && event.ObjectRef.Resource == "accountunlinks" && event.ObjectRef.Subresource == "status"
}

// tallyUnlinks counts the operator's writes.
func tallyUnlinks(events []auditv1.Event) unlinkRun {
	var r unlinkRun
	written := map[string]int{}
	for _, event := range testenv.Writes(testenv.ByUser(events, userOperator)) {
		switch ref := event.ObjectRef; {
		case ref == nil || ref.Resource == "events" || ref.Resource == "leases":
		case event.ResponseStatus.Code >= 400:
			r.refused++
		case writesUnlinkStatus(event):
			r.status++
			written[ref.Name]++
			r.mostOf = max(r.mostOf, written[ref.Name])
		default:
			r.other++
		}
	}
	return r
}

// TestAccountUnlinks measures how fast AccountUnlinks are carried out, beside a client that makes them and writes the status
// of each once; how well the couriers are used when each call takes its time; and what a thousand requests for one channel
// cost.
func TestAccountUnlinks(t *testing.T) {
	bin := compile(t, redirectedPackage)
	var bare, live, paced, one []unlinkRun
	for round := range *rounds {
		ok := t.Run(fmt.Sprintf("round %d", round+1), func(t *testing.T) {
			bare = append(bare, newUnlinkBench(t).bare(t))
			b := newUnlinkBench(t)
			launch := b.launcher(t, bin)
			program := launch(controllers.DefaultCouriers)
			running := func() *process { return program }
			b.serve(t, unlinkChannels)
			live = append(live, b.observe(t, unlinkCount, 0, running, func() { b.create(t, unlinkCount, unlinkChannels, andLeave) }))
			one = append(one, b.observe(t, unlinkCount, unlinkBusy, running, func() { b.create(t, unlinkCount, 1, andLeave) }))
			program.stop(t)
			b.create(t, unlinkCount, unlinkChannels, andLeave)
			paced = append(paced, b.observe(t, unlinkCount, unlinkLatency, running, func() { program = launch(unlinkCouriers) }))
			program.stop(t)
		})
		if !ok {
			t.FailNow()
		}
	}
	reportUnlinks(t, bare, live, paced, one)
}

// wanted is the pace of couriers that never wait for anything but the platform, in calls a second.
const wanted = float64(unlinkCouriers) * float64(time.Second) / float64(unlinkLatency)
