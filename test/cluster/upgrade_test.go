//go:build cluster && upgrade

package cluster

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/chatsim"
)

// C83 with the images of both releases: from the last one to this one, back, and up again. People log in at each of them, and
// every later one knows them; on PostgreSQL no event is refused meanwhile; no Deployment and no volume is made anew, and who
// goes back gets the pods' template that was there.
func TestUpgrade(t *testing.T) {
	tag := deployedTag(t)
	t.Cleanup(func() { deployAgain(t) })
	tree, released := lastRelease(t)
	up := func() { rollOperator(t, overlay(t, repository(t), tag)) }
	back := func() { rollOperator(t, overlay(t, tree, "v"+released)) }

	back()
	links := []*v1alpha1.ChannelLink{onPostgres(t), onMessenger(t, "shop")}
	ctx, stop := context.WithCancel(t.Context())
	events := &tally{}
	var load sync.WaitGroup
	somebody := enter(t, links[0].Namespace)
	load.Go(func() {
		events.every(ctx, func() error {
			return tryControl(t, http.MethodPost, somebody.path()+"/messages", chatsim.Said{Text: "hello"}, nil)
		})
	})

	first := map[string]string{} // what a ChannelLink had at the first release
	for linked, stage := range []struct {
		name, image string
		install     func()
	}{
		{"the last release", "v" + released, func() {}},
		{"upgraded", tag, up},
		{"rolled back", "v" + released, back},
		{"upgraded again", tag, up},
	} {
		stage.install()
		for _, link := range links {
			was := runs(t, link, stage.image)
			switch had, known := first[link.Namespace]; {
			case !known:
				first[link.Namespace] = was
			case stage.image == "v"+released && was != had:
				t.Errorf("%s: %s was %s, is %s", stage.name, link.Namespace, had, was)
			}
			awaitLinks(t, link, linked)
			logSomebodyIn(t, link.Namespace)
			awaitLinks(t, link, linked+1)
		}
		t.Logf("%s: %d people linked on each channel", stage.name, linked+1)
	}
	stop()
	load.Wait()
	if len(events.failures) > 0 || events.count == 0 {
		t.Errorf("%d of %d events failed: %v", len(events.failures), events.count, events.failures)
	}
	for _, r := range requests(t, links[0].Namespace) {
		if r.Sent && r.Status != http.StatusOK {
			t.Errorf("%s: an event was answered %d: %s", r.At.Format(time.TimeOnly), r.Status, r.Refusal)
		}
	}
	t.Logf("%d events", events.count)
}

// lastRelease is the tree that hack/demo/last-release has unpacked, and its version.
func lastRelease(t *testing.T) (tree, version string) {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(repository(t), "hack", "last-release"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`(?m)^version +(\S+)$`).FindSubmatch(file)
	if named == nil {
		t.Fatalf("hack/last-release names no version:\n%s", file)
	}
	tree = filepath.Join(repository(t), "dist", "test", "last-release")
	if _, err := os.Stat(tree); err != nil {
		t.Fatalf("run `make test-upgrade`: %v", err)
	}
	return tree, string(named[1])
}

// rollOperator applies the manifests of a release, and waits for its operator.
func rollOperator(t *testing.T, folder string) {
	t.Helper()
	do(t, "apply", "--server-side", "--force-conflicts", "-k", folder)
	do(t, "--namespace", operatorNamespace, "rollout", "status", "deployment/"+operatorName, "--timeout=120s")
}

// runs waits until the server runs that image alone, and returns its Deployment's UID and the ReplicaSet of its pods.
func runs(t *testing.T, link *v1alpha1.ChannelLink, tag string) string {
	t.Helper()
	deployment := &appsv1.Deployment{}
	sets := &appsv1.ReplicaSetList{}
	var current string
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(cluster.Get(t.Context(), client.ObjectKeyFromObject(link), deployment)).To(Succeed())
		g.Expect(deployment.Spec.Template.Spec.Containers[0].Image).To(HaveSuffix(":" + tag))
		g.Expect(deployment.Status.ObservedGeneration).To(Equal(deployment.Generation))
		want := *deployment.Spec.Replicas
		g.Expect([]int32{deployment.Status.Replicas, deployment.Status.UpdatedReplicas, deployment.Status.AvailableReplicas}).To(HaveEach(want))
		g.Expect(cluster.List(t.Context(), sets, client.InNamespace(link.Namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))).To(Succeed())
		current = ""
		for _, set := range sets.Items {
			if set.Status.Replicas > 0 {
				current += " " + set.Name
			}
		}
	}).WithTimeout(soon).WithPolling(poll).Should(Succeed(), "%s has no server of %s", link.Namespace, tag)
	awaitReady(t, link)
	return string(deployment.UID) + current
}

// logSomebodyIn has somebody new log in, to the platform's yes.
func logSomebodyIn(t *testing.T, channel string) {
	t.Helper()
	var somebody chatsim.User
	var login chatsim.Login
	control(t, http.MethodPost, "channels/"+channel+"/users", chatsim.User{Name: "Julien Dupont"}, &somebody)
	control(t, http.MethodPost, "channels/"+channel+"/users/"+somebody.ID+"/login", nil, &login)
	newPerson(t).logIn(login.URL)
}

// awaitLinks waits until the server has that many links: BotBonnie apart, a login's is there with the platform's event.
func awaitLinks(t *testing.T, link *v1alpha1.ChannelLink, want int) {
	t.Helper()
	NewWithT(t).Eventually(func() (int, error) {
		out, err := kubectl(t.Context(), "-n", link.Namespace, "exec", "deployment/"+link.Name, "--", "/webhookserver", "links", "list")
		return strings.Count(out, `"confirmed":true`), err
	}).WithTimeout(answerTime).WithPolling(poll).Should(Equal(want), "links of %s", link.Namespace)
}
