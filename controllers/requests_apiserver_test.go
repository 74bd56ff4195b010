//go:build apiserver

package controllers_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	testingclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/controllers"
	"channellink.dev/operator/webhookserver/adminapi"
)

// desk reconciles AccountUnlinks one pass at a time, at a time that the test sets. There is no manager: the ChannelLinks are
// as the test says.
type desk struct {
	t         *testing.T
	namespace string
	clock     *testingclock.FakeClock
	servers   *servers
	events    *events.FakeRecorder
	client    client.Client
	unlinker  controllers.Unlinker

	reconciler *controllers.AccountUnlinkReconciler
	stop       func()
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	servers := newServers()
	d := &desk{
		t: t, namespace: env.Namespace(t), servers: servers, client: env.Client, unlinker: servers,
		clock: testingclock.NewFakeClock(time.Now().Truncate(time.Second)), events: events.NewFakeRecorder(1000), stop: func() {},
	}
	d.restart()
	t.Cleanup(func() { d.stop() })
	return d
}

// restart forgets all that a process knows.
func (d *desk) restart() {
	d.stop()
	noKey := func(context.Context, types.NamespacedName) (*adminapi.Signer, error) { return nil, nil }
	courier := controllers.NewCourier(d.unlinker, noKey, func() bool { return true })
	courier.Clock = d.clock
	d.reconciler = &controllers.AccountUnlinkReconciler{
		Client: d.client, Courier: courier, Clock: d.clock, Wake: func(types.NamespacedName) {},
		Statuses: &controllers.UnlinkStatusWriter{Client: d.client, Recorder: d.events},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- courier.Start(ctx) }()
	d.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Error(err)
		}
		d.stop = func() {}
	}
}

// pass is one pass over the AccountUnlink.
func (d *desk) pass(unlink *v1alpha1.AccountUnlink) (ctrl.Result, error) {
	return d.reconciler.Reconcile(d.t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(unlink)})
}

// settle makes passes until no answer is to come, and gives what the last said.
func (d *desk) settle(unlink *v1alpha1.AccountUnlink) ctrl.Result {
	d.t.Helper()
	var result ctrl.Result
	NewWithT(d.t).Eventually(func(g Gomega) {
		var err error
		result, err = d.pass(unlink)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(d.reconciler.Courier.Open(unlink.UID)).To(BeFalse())
		// The answer may have come after the pass.
		result, err = d.pass(unlink)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(d.reconciler.Courier.Open(unlink.UID)).To(BeFalse())
	}).Should(Succeed())
	return result
}

// expect settles the AccountUnlink and compares its reason.
func (d *desk) expect(unlink *v1alpha1.AccountUnlink, reason string) ctrl.Result {
	d.t.Helper()
	result := d.settle(unlink)
	ready, err := reads(d.t.Context(), unlink, v1alpha1.ConditionReady)
	if err != nil {
		d.t.Fatal(err)
	}
	if ready.Reason != reason || ready.ObservedGeneration != unlink.Generation {
		d.t.Fatalf("%s (%s), about generation %d of %d; want %s", ready.Reason, ready.Message, ready.ObservedGeneration, unlink.Generation, reason)
	}
	return result
}

// unchanged settles the AccountUnlink and sees that nothing is written.
func (d *desk) unchanged(unlink *v1alpha1.AccountUnlink, why string) ctrl.Result {
	d.t.Helper()
	before := unlink.ResourceVersion
	result := d.settle(unlink)
	if _, err := reads(d.t.Context(), unlink, v1alpha1.ConditionReady); err != nil {
		d.t.Fatal(err)
	}
	if unlink.ResourceVersion != before {
		d.t.Errorf("%s, and the status was written: %+v", why, unlink.Status)
	}
	return result
}

// channel makes the ChannelLink of a fixture whose server can be asked.
func (d *desk) channel(fixture string, changes ...func(*v1alpha1.ChannelLink)) *v1alpha1.ChannelLink {
	d.t.Helper()
	link := create(d.t, fixture, d.namespace, changes...)
	d.servers.change(link, func(*fakeServer) {})
	d.serve(link, metav1.ConditionTrue)
	return link
}

// serve has the ChannelLink's status say whether its server can be asked.
func (d *desk) serve(link *v1alpha1.ChannelLink, open metav1.ConditionStatus) {
	d.t.Helper()
	meta.SetStatusCondition(&link.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionStoreReady, Status: open, Reason: v1alpha1.ReasonStoreOpen})
	link.Status.ObservedGeneration = link.Generation
	if err := env.Client.Status().Update(d.t.Context(), link); err != nil {
		d.t.Fatal(err)
	}
}

// told are the Events so far, in order.
func (d *desk) told() []string {
	var all []string
	for {
		select {
		case event := <-d.events.Events:
			all = append(all, event)
		default:
			return all
		}
	}
}
