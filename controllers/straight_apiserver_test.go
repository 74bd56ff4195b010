//go:build apiserver

package controllers_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
)

// A new ChannelLink becomes its objects, one write for each, and a status, written once when they are there and once when
// the server is ready. Nothing is written twice and nothing conflicts. C75
func TestANewChannelLinkCostsOneWriteForEachObject(t *testing.T) {
	o := startOperator(t)
	for _, tc := range []struct {
		fixture string
		want    map[string]int
	}{
		{"line", map[string]int{
			"patch serviceaccounts": 1, "patch configmaps": 1, "patch persistentvolumeclaims": 1, "patch services": 2,
			"patch deployments.apps": 1, "patch networkpolicies.networking.k8s.io": 1,
		}},
		{"full", map[string]int{
			"patch serviceaccounts": 1, "patch configmaps": 1, "patch services": 2, "patch deployments.apps": 1,
			"patch networkpolicies.networking.k8s.io": 1, "patch ingresses.networking.k8s.io": 1,
			"patch poddisruptionbudgets.policy": 1, "patch horizontalpodautoscalers.autoscaling": 1,
		}},
	} {
		t.Run(tc.fixture, func(t *testing.T) {
			namespace := env.Namespace(t)
			recording := env.Record(t)
			link := create(t, tc.fixture, namespace)
			eventually(t, link, condition{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotCreated})

			writes := tally(t, recording, namespace)
			const status = "patch channellinks.channellink.dev/status"
			if writes[status] != 1 {
				t.Errorf("the status was written %d times, want once", writes[status])
			}
			delete(writes, status)
			if diff := cmp.Diff(tc.want, writes); diff != "" {
				t.Errorf("one write for each object (-want +got):\n%s", diff)
			}

			if tc.fixture == "full" {
				giveAddress(t, link)
			}
			recording = env.Record(t)
			o.ready(t, link)
			writes = tally(t, recording, namespace)
			// The server may have been asked before all its pods were ready.
			NewWithT(t).Expect(writes).To(HaveKeyWithValue(status, BeNumerically("<=", 2)))
			delete(writes, status)
			delete(writes, "create events.events.k8s.io")
			if len(writes) != 0 {
				t.Errorf("to become ready, only the status is written; also written: %v", writes)
			}
		})
	}
}

// tally counts the operator's writes in the namespace since the recording began, and fails for those that did not pass.
func tally(t *testing.T, recording *testenv.Recording, namespace string) map[string]int {
	t.Helper()
	var writes []auditv1.Event
	for _, event := range testenv.Writes(testenv.ByUser(recording.Events(t), operatorUser)) {
		if event.ObjectRef == nil || event.ObjectRef.Namespace != namespace {
			continue
		}
		writes = append(writes, event)
		if status := event.ResponseStatus; status != nil && status.Code >= 400 {
			t.Errorf("%s %s: %d %s", event.Verb, event.RequestURI, status.Code, status.Message)
		}
	}
	return testenv.Tally(writes)
}

// With 20 ChannelLinks at rest the operator writes nothing and reads nothing past its watches, while it runs and when it
// starts anew. C75
func TestAtRestNothingIsWrittenOrRead(t *testing.T) {
	const number = 20
	o := startOperator(t)
	namespace := env.Namespace(t)
	links := make([]*v1alpha1.ChannelLink, number)
	for i := range links {
		fixture := "line"
		if i%2 == 1 {
			fixture = "full"
		}
		links[i] = create(t, fixture, namespace, func(link *v1alpha1.ChannelLink) {
			link.Name = fmt.Sprintf("link-%d", i)
			link.Spec.PageID = fmt.Sprintf("page-%d", i)
			link.Spec.PublicURL = v1alpha1.URL(fmt.Sprintf("https://link-%d.vision.example", i))
		})
	}
	for i, link := range links {
		o.rollOut(t, link)
		if i%2 == 1 {
			giveAddress(t, link)
		}
	}
	for _, link := range links {
		o.ready(t, link)
	}
	o.settle(0, number)

	t.Run("touched", func(t *testing.T) {
		recording := env.Record(t)
		before := passes(t)
		for i, link := range links {
			touch(t, link, fmt.Sprint(i))
		}
		o.settle(before, number)
		expectOnlyWatches(t, recording)
	})
	t.Run("restarted", func(t *testing.T) {
		o.stop()
		recording := env.Record(t)
		before := passes(t)
		asked := make([]int, number)
		for i, link := range links {
			asked[i] = o.servers.asked(link)
		}
		o.start()
		// Once when the operator has started, and once when the server has answered.
		for i, link := range links {
			NewWithT(t).Eventually(func() int { return o.servers.asked(link) }).Should(BeNumerically(">", asked[i]))
		}
		o.settle(before, 2*number)
		expectOnlyWatches(t, recording)
	})
}

// touch changes something on the Deployment that is nobody's business, which makes the operator look.
func touch(t *testing.T, link *v1alpha1.ChannelLink, mark string) {
	t.Helper()
	service := &corev1.Service{}
	if err := env.Client.Get(t.Context(), childOf(link), service); err != nil {
		t.Fatal(err)
	}
	was := service.DeepCopy()
	service.Annotations["example.com/touched"] = mark
	if err := env.Client.Patch(t.Context(), service, client.MergeFrom(was)); err != nil {
		t.Fatal(err)
	}
}

// expectOnlyWatches fails if the operator asked for more than watches, what begins them, discovery, and its own key.
func expectOnlyWatches(t *testing.T, recording *testenv.Recording) {
	t.Helper()
	for _, event := range testenv.ByUser(recording.Events(t), operatorUser) {
		switch {
		case event.Verb == "watch", event.Verb == "list":
		case event.ObjectRef == nil || event.ObjectRef.Resource == "": // discovery
		case event.Verb == "get" && event.ObjectRef.Resource == "secrets": // its signing keys, at the start
		default:
			t.Errorf("%s %s", event.Verb, event.RequestURI)
		}
	}
}
