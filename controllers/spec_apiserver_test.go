//go:build apiserver

package controllers_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
	"channellink.dev/operator/webhookserver/config"
)

// While a ChannelLink is suspended its objects stay as they are, whatever happens to the spec or to them; its server goes
// on, and its state is told as before.
func TestSuspend(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t))
	o.ready(t, link)
	o.settle(0, 1)

	recording := env.Record(t)
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) {
		spec.Suspend = new(true)
		spec.DisplayName = "Another"
	})
	change(t, childOf(link), &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].Image = "registry.example/pinned" })
	eventually(t, link, condition{v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonSuspended})
	o.servers.change(link, func(s *fakeServer) { s.status.Store.State = "Failed" })
	eventually(t, link, condition{v1alpha1.ConditionStoreReady, metav1.ConditionFalse, v1alpha1.ReasonStoreUnavailable})
	o.servers.change(link, func(s *fakeServer) { s.status.Store.State = "Open" })
	eventually(t, link, condition{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady})
	for request := range tally(t, recording, link.Namespace) {
		if request != "patch channellinks.channellink.dev/status" && request != "create events.events.k8s.io" {
			t.Errorf("written while suspended: %s", request)
		}
	}

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Suspend = nil })
	o.ready(t, link)
	deployment := &appsv1.Deployment{}
	if err := env.Client.Get(t.Context(), childOf(link), deployment); err != nil {
		t.Fatal(err)
	}
	if got := deployment.Spec.Template.Spec.Containers[0].Image; got != o.options.Operator.ServerImage {
		t.Errorf("resumed, the image is still %s", got)
	}
}

// siblingsOf reads the siblings from the settings that the server gets.
func siblingsOf(t *testing.T, link *v1alpha1.ChannelLink) []string {
	t.Helper()
	configMap := &corev1.ConfigMap{}
	if err := env.Client.Get(t.Context(), childOf(link), configMap); err != nil {
		return []string{err.Error()}
	}
	var settings config.Settings
	if err := json.Unmarshal([]byte(configMap.Data[config.SettingsFile]), &settings); err != nil {
		t.Fatal(err)
	}
	return settings.Channels[0].Messenger.Siblings
}

// Pages of one Facebook app in one namespace know each other's Services: from when there is one, to when it goes. One that
// is refused has none, and would fail every webhook call of the app.
func TestSiblings(t *testing.T) {
	startOperator(t)
	namespace := env.Namespace(t)
	page := func(name, page string) *v1alpha1.ChannelLink {
		return create(t, "messenger", namespace, at(name, page, "https://facebook.vision.example/"+name))
	}
	url := func(name string) string { return fmt.Sprintf("http://%s.%s.svc/%s", name, namespace, name) }
	expect := func(link *v1alpha1.ChannelLink, names ...string) {
		t.Helper()
		want := []string(nil)
		for _, name := range names {
			want = append(want, url(name))
		}
		NewWithT(t).Eventually(func() []string { return siblingsOf(t, link) }).Should(Equal(want), link.Name)
	}

	a, b := page("a", "1"), page("b", "2")
	waitASecond(t, b)
	expect(a, "b")
	expect(b, "a")
	c := page("c", "3")
	for _, link := range []*v1alpha1.ChannelLink{a, b, c} {
		others := map[string][]string{"a": {"b", "c"}, "b": {"a", "c"}, "c": {"a", "b"}}
		expect(link, others[link.Name]...)
	}

	t.Run("at rest", func(t *testing.T) {
		replicas := func(n int32) func(*v1alpha1.ChannelLinkSpec) {
			return func(spec *v1alpha1.ChannelLinkSpec) { spec.Server = &v1alpha1.Server{Replicas: &n} }
		}
		edit(t, c, replicas(0))
		expect(a, "b")
		expect(c, "a", "b")
		edit(t, c, replicas(1))
		expect(a, "b", "c")
	})
	t.Run("refused", func(t *testing.T) {
		squatter := page("d", "1")
		expectConflict(t, squatter)
		expect(a, "b", "c")
	})
	t.Run("elsewhere", func(t *testing.T) {
		other := create(t, "messenger", env.Namespace(t), at("e", "5", "https://other.vision.example/e"))
		NewWithT(t).Eventually(func() []string { return siblingsOf(t, other) }).Should(BeNil())
		expect(a, "b", "c")
	})
	t.Run("another secret", func(t *testing.T) {
		edit(t, c, func(spec *v1alpha1.ChannelLinkSpec) { spec.Messenger.AppSecretRef.Key = "otherApp" })
		expect(a, "b")
		expect(c)
	})
	t.Run("deleted", func(t *testing.T) {
		if err := env.Client.Delete(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		expect(a)
	})
}

// What counts for siblings is where a page's server is, not where its spec would have it: an edit that is refused, or suspended,
// takes no webhook away from it.
func TestSiblingsFollowWhatIsServed(t *testing.T) {
	o := startOperator(t)
	namespace := env.Namespace(t)
	a := create(t, "messenger", namespace, at("a", "1", "https://a.vision.example"))
	b := create(t, "messenger", namespace, at("b", "2", "https://b.vision.example/b"))
	o.ready(t, create(t, "line", namespace, at("x", "x", "https://b.vision.example/x")))
	expect := func(path string) {
		t.Helper()
		want := []string{fmt.Sprintf("http://b.%s.svc/%s", namespace, path)}
		NewWithT(t).Eventually(func() []string { return siblingsOf(t, a) }).Should(Equal(want))
	}
	moves := func(publicURL v1alpha1.URL, suspend bool) {
		t.Helper()
		edit(t, b, func(spec *v1alpha1.ChannelLinkSpec) { spec.PublicURL, spec.Suspend = publicURL, &suspend })
	}
	stay := func() {
		t.Helper()
		before := passes(t)
		touch(t, a, string(b.Spec.PublicURL))
		o.settle(before, 1)
		expect("b")
	}
	expect("b")
	moves("https://b.vision.example/x/b", false)
	expectConflict(t, b)
	stay()
	moves("https://b.vision.example/elsewhere", true)
	eventually(t, b, condition{v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonSuspended})
	stay()
	moves("https://b.vision.example/elsewhere", false)
	expect("elsewhere")
}

// With --watch-namespaces the operator sees and touches nothing else.
func TestWatchNamespaces(t *testing.T) {
	o := newOperator(t)
	watched, other := env.Namespace(t), env.Namespace(t)
	o.watch = []string{watched}
	recording := env.Record(t)
	o.start()
	// The other comes first: if it were seen, it would have been before the watched one is ready.
	create(t, "line", other, at("other", "other", "https://other.vision.example"))
	link := create(t, "line", watched)
	o.ready(t, link)
	for _, event := range testenv.ByUser(recording.Events(t), operatorUser) {
		if ref := event.ObjectRef; ref != nil && ref.Namespace != watched && ref.Namespace != o.namespace &&
			ref.Resource != "customresourcedefinitions" && ref.Resource != "" {
			t.Errorf("%s %s", event.Verb, event.RequestURI)
		}
	}
}

// What the API server refuses is told in the status, and mends when its cause goes: a spec that makes an invalid object
// waits for a person, a quota is tried again.
func TestWhatTheClusterRefuses(t *testing.T) {
	o := startOperator(t)
	t.Run("invalid", func(t *testing.T) {
		link := create(t, "line", env.Namespace(t), func(link *v1alpha1.ChannelLink) {
			link.Spec.Server = &v1alpha1.Server{Resources: &corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Gi")},
			}}
		})
		got := eventually(t, link, condition{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed})
		NewWithT(t).Expect(got.Message).To(SatisfyAll(ContainSubstring("Invalid"), ContainSubstring(`Deployment "vision-hr"`), ContainSubstring("resources")))
		eventually(t, link, condition{v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonApplyFailed})
		edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Server.Resources = nil })
		o.ready(t, link)
	})
	t.Run("quota", func(t *testing.T) {
		namespace := env.Namespace(t)
		quota := &corev1.ResourceQuota{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "none"},
			Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/deployments.apps": resource.MustParse("0")}},
		}
		if err := env.Client.Create(t.Context(), quota); err != nil {
			t.Fatal(err)
		}
		// The quota controller would copy it; admission counts against the status.
		quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{"count/deployments.apps": resource.MustParse("0")}}
		if err := env.Client.Status().Update(t.Context(), quota); err != nil {
			t.Fatal(err)
		}
		link := create(t, "line", namespace)
		got := eventually(t, link, condition{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonApplyFailed})
		NewWithT(t).Expect(got.Message).To(SatisfyAll(ContainSubstring("Forbidden"), ContainSubstring(`"vision-hr"`)))
		eventually(t, link, condition{v1alpha1.ConditionStalled, metav1.ConditionFalse, v1alpha1.ReasonReady})
		eventually(t, link, condition{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonApplyFailed})
		if err := env.Client.Delete(t.Context(), quota); err != nil {
			t.Fatal(err)
		}
		o.ready(t, link)
	})
	t.Run("namespace being deleted", func(t *testing.T) {
		o.stop()
		namespace := env.Namespace(t)
		link := create(t, "line", namespace)
		if err := env.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil {
			t.Fatal(err)
		}
		before := passes(t)
		o.start()
		o.settle(before, 1)
		if ended := passes(t) - before; ended > 3 {
			t.Errorf("%v passes over a ChannelLink whose namespace is going", ended)
		}
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link); err != nil {
			t.Fatal(err)
		}
		eventually(t, link, condition{v1alpha1.ConditionAvailable, metav1.ConditionFalse, v1alpha1.ReasonDeleting})
	})
}

// Whatever ChannelLinks of several namespaces ask for, each object that the operator writes lies in the namespace of its
// ChannelLink; beside them it writes its own key and Events. C61
func TestEveryWriteLiesInTheLinksNamespace(t *testing.T) {
	o := newOperator(t)
	recording := env.Record(t)
	o.start()
	want := map[string]bool{}
	for i, fixture := range []string{"line", "full", "messenger", "full"} {
		namespace := env.Namespace(t)
		want[namespace] = true
		link := create(t, fixture, namespace, at("link", fmt.Sprintf("page-%d", i), fmt.Sprintf("https://ns-%d.vision.example", i)))
		o.rollOut(t, link)
		if fixture == "full" {
			giveAddress(t, link)
		}
		o.ready(t, link)
	}
	written := map[string]bool{}
	for _, event := range testenv.Writes(testenv.ByUser(recording.Events(t), operatorUser)) {
		if event.ObjectRef.Namespace == o.namespace && event.ObjectRef.Resource == "secrets" {
			continue
		}
		written[event.ObjectRef.Namespace] = true
	}
	if diff := cmp.Diff(want, written); diff != "" {
		t.Errorf("namespaces written to (-want +got):\n%s", diff)
	}
}

// The status survives errors on the way: a fault that comes later takes nothing from what is known, and the object that
// was in the way is named until it goes.
func TestTheStatusSurvivesErrors(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t))
	o.ready(t, link)
	endpoints := link.Status.Endpoints
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.OIDC.RequiredClaims = "claims.email ==" })
	eventually(t, link, condition{v1alpha1.ConditionAccepted, metav1.ConditionFalse, v1alpha1.ReasonInvalidExpression})
	eventually(t, link, condition{v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonAvailable})
	eventually(t, link, condition{v1alpha1.ConditionSecretsReady, metav1.ConditionTrue, v1alpha1.ReasonSecretsPresent})
	if diff := cmp.Diff(endpoints, link.Status.Endpoints); diff != "" || link.Status.Replicas != 1 {
		t.Errorf("endpoints (-before +after):\n%s\nreplicas %d", diff, link.Status.Replicas)
	}
	if err := env.Client.Get(t.Context(), childOf(link), &appsv1.Deployment{}); apierrors.IsNotFound(err) {
		t.Error("the running server was taken away")
	}
}
