//go:build apiserver

package controllers_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/testenv"
	"channellink.dev/operator/webhookserver/adminapi"
)

// A whole manager: an AccountUnlink waits for its ChannelLink and for the server of it, with no attempt spent, is carried out
// as soon as the watches tell that both are there, and costs one call of the platform.
func TestAnAccountUnlinkWaitsForItsServer(t *testing.T) {
	o := startOperator(t)
	namespace := env.Namespace(t)
	unlink := ask(t, "leaver", namespace, "vision-hr")
	selected := ask(t, "selected", namespace, "", leaver)
	becomes(t, unlink, v1alpha1.ReasonWaitingForChannelLink)
	becomes(t, selected, v1alpha1.ReasonWaitingForChannelLink)

	link := create(t, "line", namespace)
	becomes(t, unlink, v1alpha1.ReasonWaitingForServer)
	if unlink.Status.Attempts != 0 || unlink.Status.StartTime != nil {
		t.Errorf("waiting spent an attempt: %+v", unlink.Status)
	}
	o.ready(t, link)
	becomes(t, unlink, v1alpha1.ReasonUnlinked)
	if diff := cmp.Diff("1/1 unlinked", unlink.Status.Summary); diff != "" {
		t.Error(diff)
	}
	if got := o.servers.entryOf(link, unlink); got.calls != 1 || got.asked != 1 {
		t.Errorf("%d calls of the platform for %d questions, want one for one", got.calls, got.asked)
	}

	t.Run("a label is enough", func(t *testing.T) {
		was := link.DeepCopy()
		link.Labels = map[string]string{"company": "vision"}
		if err := env.Client.Patch(t.Context(), link, client.MergeFrom(was)); err != nil {
			t.Fatal(err)
		}
		becomes(t, selected, v1alpha1.ReasonUnlinked)
	})
	t.Run("kubectl waits for it", func(t *testing.T) {
		another := ask(t, "another", namespace, link.Name)
		wait := exec.CommandContext(t.Context(), env.Kubectl(), "--kubeconfig="+env.Kubeconfig(t, env.Config), "--namespace="+namespace,
			"wait", "accountunlink/"+another.Name, "--for=condition=Complete", "--timeout=20s")
		if out, err := wait.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("an annotation arms it anew", func(t *testing.T) {
		o.servers.platform(link, always(adminapi.UnlinkFailed, adminapi.UnlinkRejected))
		failed := ask(t, "failed", namespace, link.Name)
		becomes(t, failed, v1alpha1.ReasonRejected)
		o.servers.platform(link, nil)
		amend(t, failed, func(u *v1alpha1.AccountUnlink) { u.Annotations = map[string]string{names.RetryRequestedAt: "now"} })
		becomes(t, failed, v1alpha1.ReasonUnlinked)
	})
	t.Run("the time to live removes it", func(t *testing.T) {
		retireUnlink(t, link)
	})
}

// One that ends in its first attempt costs one status write and one Event, and a restart costs nothing. No page of the
// operator's shows who it was. C65, C75
func TestWhatAnAccountUnlinkCosts(t *testing.T) {
	const number = 20
	o := startOperator(t)
	namespace := env.Namespace(t)
	link := create(t, "line", namespace)
	o.ready(t, link)
	recording := env.Record(t)
	unlinks := make([]*v1alpha1.AccountUnlink, number)
	for i := range unlinks {
		unlinks[i] = ask(t, fmt.Sprintf("leaver-%d", i), namespace, link.Name, func(u *v1alpha1.AccountUnlink) { u.Spec.Reason = "HR-1234" })
	}
	for _, unlink := range unlinks {
		becomes(t, unlink, v1alpha1.ReasonUnlinked)
	}
	events := func() []eventsv1.Event {
		list := &eventsv1.EventList{}
		if err := env.Client.List(t.Context(), list, client.InNamespace(namespace)); err != nil {
			t.Fatal(err)
		}
		var ours []eventsv1.Event
		for _, event := range list.Items {
			if event.Regarding.Kind == "AccountUnlink" {
				ours = append(ours, event)
			}
		}
		return ours
	}
	NewWithT(t).Eventually(events).Should(HaveLen(number))
	want := map[string]int{"patch accountunlinks.channellink.dev/status": number, "create events.events.k8s.io": number}
	if diff := cmp.Diff(want, tally(t, recording, namespace)); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}

	shown, err := json.Marshal([]any{events(), unlinks[0].Status})
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{"the log": o.log.String(), "status and Events": string(shown)} {
		if strings.Contains(text, chatUser) || strings.Contains(text, "HR-1234") {
			t.Errorf("%s: the whole user id, or why: %s", what, text)
		}
	}

	o.stop()
	recording = env.Record(t)
	before := unlinkPasses(t)
	o.start()
	NewWithT(t).Eventually(func() float64 { return unlinkPasses(t) }).Should(BeNumerically(">=", before+number))
	o.settle(0, 0)
	expectOnlyWatches(t, recording)
	if after := unlinkPasses(t) - before; after > number {
		t.Errorf("%v passes for %d that are over", after, number)
	}
	for _, unlink := range unlinks {
		if got := o.servers.entryOf(link, unlink); got.asked != 1 {
			t.Errorf("%d questions about %s", got.asked, unlink.Name)
		}
	}
}

// Waiting costs nothing: no write, no pass and no question while nothing happens. C75
func TestWaitingCostsNothing(t *testing.T) {
	const number = 20
	o := startOperator(t)
	namespace := env.Namespace(t)
	link := create(t, "line", namespace)
	for i := range number {
		becomes(t, ask(t, fmt.Sprintf("leaver-%d", i), namespace, link.Name), v1alpha1.ReasonWaitingForServer)
	}
	o.settle(0, 0)
	recording := env.Record(t)
	before, others := unlinkPasses(t), passes(t)
	touch(t, link, "something else happens")
	o.settle(others, 1)
	expectOnlyWatches(t, recording)
	if after := unlinkPasses(t); after != before {
		t.Errorf("%v passes while nothing happens", after-before)
	}
	if writes := testenv.Tally(testenv.Writes(testenv.ByUser(recording.Events(t), operatorUser))); len(writes) > 0 {
		t.Errorf("written were %v", writes)
	}
}
