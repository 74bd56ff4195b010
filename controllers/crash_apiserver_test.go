//go:build apiserver

package controllers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/controllers"
	"channellink.dev/operator/webhookserver/adminapi"
)

// fate lets a process live for so many points, of which each of its steps has two: one before the step, and one after it and
// before the process knows of it. From then on nothing that the process does has an effect.
type fate struct {
	mu    sync.Mutex
	left  int
	ended bool
}

// immortal is more points than any process here comes to.
const immortal = 1 << 30

var errEnded = errors.New("the process has ended")

func (f *fate) passes() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = f.ended || f.left == 0
	f.left--
	return !f.ended
}

func (f *fate) hasEnded() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

func (f *fate) step(do func() error) error {
	if !f.passes() {
		return errEnded
	}
	if err := do(); err != nil {
		return err
	}
	if !f.passes() {
		return errEnded
	}
	return nil
}

// mortalClient is the API server as the process has it.
type mortalClient struct {
	client.Client
	*fate
}

// Delete implements client.Client.
func (m mortalClient) Delete(ctx context.Context, object client.Object, options ...client.DeleteOption) error {
	return m.step(func() error { return m.Client.Delete(ctx, object, options...) })
}

// Status implements client.Client.
func (m mortalClient) Status() client.SubResourceWriter {
	return mortalStatus{m.Client.Status(), m.fate}
}

type mortalStatus struct {
	client.SubResourceWriter
	*fate
}

// Apply implements client.SubResourceWriter.
func (m mortalStatus) Apply(ctx context.Context, config runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
	return m.step(func() error { return m.SubResourceWriter.Apply(ctx, config, options...) })
}

// mortalUnlinker is the servers as the process has them.
type mortalUnlinker struct {
	controllers.Unlinker
	*fate
}

// Unlink implements controllers.Unlinker.
func (m mortalUnlinker) Unlink(ctx context.Context, target adminapi.Target, signer *adminapi.Signer, id string, request adminapi.Unlink) (result adminapi.UnlinkResult, err error) {
	err = m.step(func() error {
		result, err = m.Unlinker.Unlink(ctx, target, signer, id, request)
		return err
	})
	if err != nil {
		return adminapi.UnlinkResult{}, err
	}
	return result, nil
}

// reincarnate starts a process that lives for so many points.
func (d *desk) reincarnate(points int) *fate {
	f := &fate{left: points}
	d.client, d.unlinker = mortalClient{env.Client, f}, mortalUnlinker{d.servers, f}
	d.restart()
	return f
}

// liveAndDie carries the AccountUnlink through until its time to live is over, in processes that live for so many points, and
// one more that lives on. It gives the last status, and whether all of the processes have ended early.
func (d *desk) liveAndDie(unlink *v1alpha1.AccountUnlink, lives ...int) (last v1alpha1.AccountUnlinkStatus, allDied bool) {
	d.t.Helper()
	lives = append(lives, immortal)
	for i, points := range lives {
		f := d.reincarnate(points)
		for !f.hasEnded() {
			result, err := d.pass(unlink)
			if err != nil && !errors.Is(err, errEnded) {
				d.t.Fatal(err)
			}
			NewWithT(d.t).Eventually(func() bool { return f.hasEnded() || !d.reconciler.Courier.Open(unlink.UID) }).Should(BeTrue())
			if !exists(d.t, unlink) {
				return last, i == len(lives)-1
			}
			if _, err := reads(d.t.Context(), unlink, v1alpha1.ConditionReady); err != nil {
				d.t.Fatal(err)
			}
			last = unlink.Status
			d.clock.Step(result.RequeueAfter)
		}
	}
	d.t.Fatal("the last process has ended")
	return last, false
}

// The operator ends at each point of each step in turn: before and after a question to a server, a status write, the removal.
// The next process brings the same end about, with the same calls of the platforms. C71
func TestTheOperatorEndsAtAnyStep(t *testing.T) {
	type script = func(adminapi.Unlink, int) (adminapi.UnlinkResult, error)
	for name, scenario := range map[string]struct {
		second script
		reason string
		calls  int // of the second channel's platform
	}{
		"both at once":       {nil, v1alpha1.ReasonUnlinked, 1},
		"the second fails":   {failing(2, adminapi.UnlinkUpstreamFailed, 0), v1alpha1.ReasonUnlinked, 3},
		"the second refuses": {always(adminapi.UnlinkFailed, adminapi.UnlinkRejected), v1alpha1.ReasonRejected, 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			first, second := d.channel("line", ofVision("hr")), d.channel("line", ofVision("it"))
			d.servers.platform(second, scenario.second)
			for _, link := range []*v1alpha1.ChannelLink{first, second} {
				d.servers.change(link, func(f *fakeServer) { f.unlinks.now = d.clock.Now })
			}
			// end is what must be the same.
			type end struct {
				Reason        string
				Status        v1alpha1.AccountUnlinkStatus
				First, Second int
			}
			runs := 0
			run := func(lives ...int) (end, bool) {
				runs++
				unlink := ask(t, fmt.Sprint("leaver-", runs), d.namespace, "", leaver, func(u *v1alpha1.AccountUnlink) {
					u.Spec.TTLSecondsAfterFinished, u.Spec.LinkedBefore = new(int32(60)), new(metav1.NewTime(time.Now()))
				})
				last, allDied := d.liveAndDie(unlink, lives...)
				return end{
					last.Conditions[0].Reason, last, d.servers.entryOf(first, unlink).calls, d.servers.entryOf(second, unlink).calls,
				}, allDied
			}
			whenever := cmp.Options{
				cmpopts.IgnoreTypes(metav1.Time{}),
				cmpopts.IgnoreFields(v1alpha1.AccountUnlinkStatus{}, "StartTime", "LastAttemptTime", "CompletionTime"),
			}
			want, _ := run()
			if want.Reason != scenario.reason || want.First != 1 || want.Second != scenario.calls {
				t.Fatalf("without an accident: %+v", want)
			}
			for point, died := 0, true; died; point++ {
				var got end
				got, died = run(point)
				if diff := cmp.Diff(want, got, whenever); diff != "" {
					t.Errorf("ended at point %d (-want +got):\n%s", point, diff)
				}
			}
			for point := range 8 {
				got, _ := run(point, 7-point, 2)
				if diff := cmp.Diff(want, got, whenever); diff != "" {
					t.Errorf("ended at point %d and twice more (-want +got):\n%s", point, diff)
				}
			}
		})
	}
}
