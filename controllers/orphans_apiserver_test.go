//go:build apiserver

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// dropFinalizers takes all finalizers off the ChannelLink, as `kubectl replace` does with a manifest, which names none.
func dropFinalizers(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	change(t, client.ObjectKeyFromObject(link), link, func(l *v1alpha1.ChannelLink) { l.Finalizers = nil })
}

// held tells whether the ChannelLink has the finalizer.
func held(t *testing.T, link *v1alpha1.ChannelLink) bool {
	t.Helper()
	return stays(t, link) && controllerutil.ContainsFinalizer(link, names.UnlinkAllFinalizer)
}

// A finalizer that is taken off comes back, though the spec is the same, and though it is refused; so whoever deletes the
// ChannelLink after that has its users unlinked.
func TestALostFinalizerComesBack(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t), unlinkAll)
	o.ready(t, link)
	for _, tc := range []struct {
		name string
		edit func(*v1alpha1.ChannelLinkSpec)
		want condition
	}{
		{"as it is", func(*v1alpha1.ChannelLinkSpec) {}, condition{v1alpha1.ConditionReady, "True", v1alpha1.ReasonReady}},
		{
			"refused", func(spec *v1alpha1.ChannelLinkSpec) { spec.OIDC.RequiredClaims = "claims.email ==" },
			condition{v1alpha1.ConditionAccepted, "False", v1alpha1.ReasonInvalidExpression},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			edit(t, link, tc.edit)
			eventually(t, link, tc.want)
			dropFinalizers(t, link)
			NewWithT(t).Eventually(func() bool { return held(t, link) }).Should(BeTrue())
		})
	}
	o.goesUnlinked(t, link)
}

// goesUnlinked deletes the ChannelLink and waits for its end: the platform was told once, and nothing is left.
func (o *operator) goesUnlinked(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	o.servers.platform(link, progress(0, 10, 0))
	remove(t, link)
	goes(t, link)
	if got := o.servers.entryOf(link, link); got.calls != 1 {
		t.Errorf("%d calls of the platform", got.calls)
	}
	if kinds := left(t, link.Namespace); len(kinds) > 0 {
		t.Errorf("left are %v", kinds)
	}
}

// A ChannelLink that goes without its finalizer leaves objects that have no owner. They are removed, but for the volume; those
// of another ChannelLink stay.
func TestOrphansAreSwept(t *testing.T) {
	for _, tc := range []struct {
		name string
		goes func(*operator, *v1alpha1.ChannelLink)
	}{
		{"somebody would not wait for the end of a deletion", func(o *operator, link *v1alpha1.ChannelLink) {
			o.servers.change(link, func(f *fakeServer) { f.unlinks.script = silent })
			remove(o.t, link)
			NewWithT(o.t).Eventually(func() int { return o.servers.entryOf(link, link).asked }).Should(BeNumerically(">", 0))
			dropFinalizers(o.t, link)
		}},
		{"while no operator runs", func(o *operator, link *v1alpha1.ChannelLink) {
			o.stop()
			dropFinalizers(o.t, link)
			remove(o.t, link)
			o.start()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := startOperator(t)
			gone := create(t, "line", env.Namespace(t), unlinkAll, ofVision("gone"))
			stays := create(t, "line", env.Namespace(t), unlinkAll, ofVision("stays"))
			o.ready(t, gone)
			o.ready(t, stays)
			tc.goes(o, gone)
			goes(t, gone)
			NewWithT(t).Eventually(func() []string { return left(t, gone.Namespace) }).Should(Equal([]string{"*v1.PersistentVolumeClaim"}))
			o.settle(0, 1)
			if kinds := left(t, stays.Namespace); len(kinds) != 7 {
				t.Errorf("of the other, left are only %v", kinds)
			}
		})
	}
}

// An object whose ChannelLink is there is no orphan, though it bears the name of one that is gone.
func TestNoObjectOfALivingChannelLinkIsSwept(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t), unlinkAll)
	o.ready(t, link)
	of := func(owner string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: link.Namespace, Name: "gone", Labels: map[string]string{
			names.LabelManagedBy: names.ManagedBy, names.LabelInstance: "gone", names.LabelOwner: owner,
		}}
	}
	living, orphan := &corev1.ConfigMap{ObjectMeta: of(string(link.UID))}, &corev1.ServiceAccount{ObjectMeta: of("6f9619ff-8b86-4d01-b42d-00cf4fc964ff")}
	for _, object := range []client.Object{living, orphan} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	NewWithT(t).Eventually(func() error { return env.Client.Get(t.Context(), client.ObjectKeyFromObject(orphan), orphan) }).
		Should(Satisfy(apierrors.IsNotFound))
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(living), living); err != nil || living.DeletionTimestamp != nil {
		t.Errorf("the object of a living ChannelLink: %v, deleted at %v", err, living.DeletionTimestamp)
	}
}
