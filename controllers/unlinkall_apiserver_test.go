//go:build apiserver

package controllers_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/testenv"
	"channellink.dev/operator/webhookserver/adminapi"
)

func unlinkAll(link *v1alpha1.ChannelLink) {
	link.Spec.DeletionPolicy = v1alpha1.DeletionPolicyUnlinkAll
}

// remove deletes the object.
func remove(t *testing.T, object client.Object) {
	t.Helper()
	if err := env.Client.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// goes waits until the ChannelLink is gone.
func goes(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	NewWithT(t).Eventually(func() error {
		return env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), &v1alpha1.ChannelLink{})
	}).Should(Satisfy(apierrors.IsNotFound))
}

// stays looks whether the ChannelLink is still there, whatever the reason to ask.
func stays(t *testing.T, link *v1alpha1.ChannelLink) bool {
	t.Helper()
	err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return err == nil
}

// left names the kinds of the operator's objects in the namespace that nobody has deleted.
func left(t *testing.T, namespace string) []string {
	t.Helper()
	var kinds []string
	for _, object := range children(t, namespace) {
		if object.GetDeletionTimestamp() == nil {
			kinds = append(kinds, fmt.Sprintf("%T", object))
		}
	}
	return kinds
}

// notes are the Events of the ChannelLink's deletion.
func notes(t *testing.T, link *v1alpha1.ChannelLink) map[string]string {
	t.Helper()
	list := &eventsv1.EventList{}
	if err := env.Client.List(t.Context(), list, client.InNamespace(link.Namespace)); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, event := range list.Items {
		if event.Regarding.UID == link.UID && event.Action == "UnlinkAll" {
			found[event.Reason] = event.Note
		}
	}
	return found
}

// progress is a server that has got so far with all users.
func progress(waiting, done, failed int32) func(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
	return func(_ adminapi.Unlink, n int) (adminapi.UnlinkResult, error) {
		return adminapi.UnlinkResult{
			Attempts: int32(n), More: waiting > 0,
			Counts: adminapi.UnlinkCounts{Waiting: waiting, Unlinked: done, Failed: failed},
		}, nil
	}
}

// The policy puts the finalizer on and takes the owner off the objects, and back again, whenever it changes.
func TestThePolicyHoldsTheChannelLink(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t), unlinkAll)
	o.ready(t, link)
	expect := func(held bool) {
		t.Helper()
		if got := controllerutil.ContainsFinalizer(link, names.UnlinkAllFinalizer); got != held {
			t.Errorf("the finalizer is there: %t, want %t", got, held)
		}
		for _, object := range children(t, link.Namespace) {
			if _, isVolume := object.(*corev1.PersistentVolumeClaim); isVolume {
				continue
			}
			if owned := metav1.IsControlledBy(object, link); owned == held {
				t.Errorf("%T %s is owned: %t", object, object.GetName(), owned)
			}
		}
	}
	expect(true)
	o.settle(0, 1)
	recording := env.Record(t)
	before := passes(t)
	touch(t, link, "again")
	o.settle(before, 1)
	expectOnlyWatches(t, recording)

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain })
	o.ready(t, link)
	NewWithT(t).Eventually(func() bool {
		return stays(t, link) && controllerutil.ContainsFinalizer(link, names.UnlinkAllFinalizer)
	}).Should(BeFalse())
	expect(false)
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.DeletionPolicy = v1alpha1.DeletionPolicyUnlinkAll })
	o.ready(t, link)
	expect(true)
}

// A deletion with UnlinkAll: the server is asked until nobody is left, which the status tells meanwhile; then every object
// goes, the volume too, and the ChannelLink last.
func TestUnlinkAll(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t), unlinkAll)
	o.ready(t, link)
	o.servers.platform(link, progress(7, 3, 0))
	remove(t, link)
	message := "The ChannelLink is being deleted: 3 of 10 users are unlinked"
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(stays(t, link)).To(BeTrue())
		reconciling := meta.FindStatusCondition(link.Status.Conditions, v1alpha1.ConditionReconciling)
		g.Expect(condition{reconciling.Type, reconciling.Status, reconciling.Reason}).To(Equal(condition{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonDeleting}))
		g.Expect(reconciling.Message).To(Equal(message))
	}).Should(Succeed())
	asked := o.servers.entryOf(link, link)
	want := adminapi.Unlink{
		All: true, Requester: "ChannelLink " + link.Namespace + "/" + link.Name, Reason: "deletionPolicy UnlinkAll",
		LinkedBefore: link.DeletionTimestamp.Add(time.Second - time.Microsecond),
	}
	if diff := cmp.Diff(want, asked.last); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	if kinds := left(t, link.Namespace); len(kinds) != 7 {
		t.Errorf("while it works, left are only %v", kinds)
	}
	t.Run("AccountUnlinks wait meanwhile", func(t *testing.T) {
		becomes(t, ask(t, "leaver", link.Namespace, link.Name), v1alpha1.ReasonWaitingForChannelLink)
	})

	o.servers.platform(link, progress(0, 10, 0))
	goes(t, link)
	if kinds := left(t, link.Namespace); len(kinds) > 0 {
		t.Errorf("left are %v", kinds)
	}
	NewWithT(t).Eventually(func() map[string]string { return notes(t, link) }).
		Should(HaveKeyWithValue(v1alpha1.ReasonUnlinked, "All users are unlinked (10)"))
}

// The operator that starts anew in between goes on.
func TestUnlinkAllAfterARestart(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t), unlinkAll)
	o.ready(t, link)
	o.servers.platform(link, progress(1, 0, 0))
	remove(t, link)
	NewWithT(t).Eventually(func() int { return o.servers.entryOf(link, link).calls }).Should(Equal(1))
	o.stop()
	o.servers.platform(link, progress(0, 0, 1))
	o.start()
	goes(t, link)
	NewWithT(t).Eventually(func() map[string]string { return notes(t, link) }).
		Should(HaveKeyWithValue(v1alpha1.ReasonUnlinked, ContainSubstring("refuses to unlink 1 of 1 users")))
	if kinds := left(t, link.Namespace); len(kinds) > 0 {
		t.Errorf("left are %v", kinds)
	}
}

// When the time is over, everything goes but the volume, and an Event counts who is left. C69
func TestUnlinkAllGivesUp(t *testing.T) {
	for name, tc := range map[string]struct {
		says func(*fakeServer)
		note string
	}{
		"some are left":       {func(f *fakeServer) { f.unlinks.script = progress(4, 5, 1) }, "the platform still shows 5 of 10 users as linked"},
		"no answer ever came": {func(f *fakeServer) { f.unlinks.script = silent }, "nobody was unlinked at the platform"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOperator(t)
			t.Parallel() // for most of the time, each waits
			namespace := env.Namespace(t)
			o.watch = []string{namespace}
			o.start()
			link := create(t, "line", namespace, unlinkAll, func(link *v1alpha1.ChannelLink) {
				link.Spec.UnlinkAllTimeoutSeconds = new(int32(10))
			})
			o.ready(t, link)
			o.servers.change(link, tc.says)
			recording := env.Record(t)
			remove(t, link)
			goes(t, link)
			if diff := cmp.Diff([]string{"*v1.PersistentVolumeClaim"}, left(t, link.Namespace)); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
			NewWithT(t).Eventually(func() map[string]string { return notes(t, link) }).
				Should(HaveKeyWithValue(v1alpha1.ReasonDeadlineExceeded, ContainSubstring(tc.note)))
			if n := statusWrites(t, recording, namespace); n > 3 {
				t.Errorf("%d status writes in ten seconds", n)
			}
		})
	}
}

// statusWrites counts those of the namespace's ChannelLinks.
func statusWrites(t *testing.T, recording *testenv.Recording, namespace string) int {
	t.Helper()
	n := 0
	for _, event := range testenv.Writes(testenv.ByUser(recording.Events(t), operatorUser)) {
		if ref := event.ObjectRef; ref != nil && ref.Namespace == namespace && ref.Resource == "channellinks" && ref.Subresource == "status" {
			n++
		}
	}
	return n
}

func silent(adminapi.Unlink, int) (adminapi.UnlinkResult, error) {
	return adminapi.UnlinkResult{}, adminapi.ErrUnreachable
}

// What needs no unlinking, or cannot have it, goes at once. C69
func TestWhatIsReleasedAtOnce(t *testing.T) {
	t.Run("a ChannelLink in conflict", func(t *testing.T) {
		o := startOperator(t)
		first := create(t, "line", env.Namespace(t))
		o.ready(t, first)
		second := create(t, "line", env.Namespace(t), unlinkAll)
		eventually(t, second, condition{v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonConflict})
		remove(t, second)
		goes(t, second)
	})
	t.Run("one that is not valid", func(t *testing.T) {
		startOperator(t)
		link := create(t, "line", env.Namespace(t), unlinkAll, func(link *v1alpha1.ChannelLink) {
			link.Spec.OIDC.RequiredClaims = "claims.email =="
		})
		eventually(t, link, condition{v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidExpression})
		remove(t, link)
		goes(t, link)
	})
	t.Run("one whose name is taken", func(t *testing.T) {
		startOperator(t)
		namespace := env.Namespace(t)
		foreign := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "vision-hr"}}
		if err := env.Client.Create(t.Context(), foreign); err != nil {
			t.Fatal(err)
		}
		link := create(t, "line", namespace, unlinkAll)
		eventually(t, link, condition{v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonNameConflict})
		remove(t, link)
		goes(t, link)
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(foreign), foreign); err != nil || foreign.DeletionTimestamp != nil {
			t.Errorf("somebody else's object: %v, deleted at %v", err, foreign.DeletionTimestamp)
		}
	})
	t.Run("the namespace goes", func(t *testing.T) {
		o := startOperator(t)
		link := create(t, "line", env.Namespace(t), unlinkAll)
		o.ready(t, link)
		o.servers.change(link, func(f *fakeServer) { f.unlinks.script = silent })
		remove(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: link.Namespace}})
		remove(t, link)
		goes(t, link)
		if got := o.servers.entryOf(link, link); got.asked > 0 {
			t.Errorf("the server was asked %d times", got.asked)
		}
	})
	t.Run("the policy is Retain by now", func(t *testing.T) {
		o := startOperator(t)
		link := create(t, "line", env.Namespace(t), unlinkAll)
		o.ready(t, link)
		o.servers.change(link, func(f *fakeServer) { f.unlinks.script = silent })
		remove(t, link)
		NewWithT(t).Eventually(func() int { return o.servers.entryOf(link, link).asked }).Should(BeNumerically(">", 0))
		edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain })
		goes(t, link)
		if diff := cmp.Diff([]string{"*v1.PersistentVolumeClaim"}, left(t, link.Namespace)); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
	})
}

// Somebody else's finalizer stays, and nothing is asked twice for it.
func TestUnlinkAllBesideAnotherFinalizer(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t), unlinkAll, func(link *v1alpha1.ChannelLink) {
		link.Finalizers = []string{"example.com/held"}
	})
	o.ready(t, link)
	remove(t, link)
	NewWithT(t).Eventually(func() []string {
		stays(t, link)
		return link.Finalizers
	}).Should(Equal([]string{"example.com/held"}))
	o.settle(0, 1)
	if got := o.servers.entryOf(link, link); got.calls != 1 {
		t.Errorf("%d calls", got.calls)
	}
	if strings.Contains(o.log.String(), "ERROR") {
		t.Errorf("the log:\n%s", o.log.Tail())
	}
}
