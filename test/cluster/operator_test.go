//go:build cluster

package cluster

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// TestOperatorKilledInMidRollout kills every pod of the operator, without grace, between two changes of one ChannelLink.
func TestOperatorKilledInMidRollout(t *testing.T) {
	ns := namespace(t)
	link := newLink(t, ns, "hr")
	create(t, link)
	awaitReady(t, link)

	for round := range 3 {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(link), link); err != nil {
			t.Fatal(err)
		}
		changed := link.DeepCopy()
		changed.Spec.DisplayName = fmt.Sprintf("Vision HR %d", round)
		if err := cluster.Patch(t.Context(), changed, client.MergeFrom(link)); err != nil {
			t.Fatal(err)
		}
		err := cluster.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(operatorNamespace),
			client.MatchingLabels{"app.kubernetes.io/name": operatorName}, client.GracePeriodSeconds(0))
		if err != nil {
			t.Fatal(err)
		}
		link = changed
	}
	awaitReady(t, link)

	deployments := &appsv1.DeploymentList{}
	if err := cluster.List(t.Context(), deployments, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	if len(deployments.Items) != 1 {
		t.Errorf("%d Deployments, want exactly one", len(deployments.Items))
	}
	awaitPage(t, link, "Vision HR 2")
}

// C77: the servers need no operator.
func TestServersServeWithoutTheOperator(t *testing.T) {
	ns := namespace(t)
	link := newLink(t, ns, "hr")
	create(t, link)
	awaitReady(t, link)

	operator := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorName}}
	t.Cleanup(func() { scale(context.Background(), t, operator, 2) })
	scale(t.Context(), t, operator, 0)

	// What happens to a Secret reaches the running server, which nobody restarts.
	pod := theirPod(t, link)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "vision-sso"}}
	patch(t, secret, client.ObjectKeyFromObject(secret), `{"data": {"clientSecret": null}}`)
	NewWithT(t).Eventually(func() (string, error) {
		return kubectl(t.Context(), "-n", ns, "logs", pod.Name)
	}).WithTimeout(soon).WithPolling(time.Second).Should(MatchRegexp(`"path":"[^"]*oidc-clientsecretref","state":"Vanished"`))
	awaitPage(t, link, "Vision HR")
}

func scale(ctx context.Context, t *testing.T, deployment *appsv1.Deployment, replicas int) {
	t.Helper()
	key := client.ObjectKeyFromObject(deployment)
	out, err := kubectl(ctx, "-n", key.Namespace, "scale", "deployment", key.Name, fmt.Sprintf("--replicas=%d", replicas))
	if err == nil {
		out, err = kubectl(ctx, "-n", key.Namespace, "rollout", "status", "deployment", key.Name, "--timeout=90s")
	}
	if err != nil {
		t.Errorf("scaling %s: %v\n%s", key, err, out)
	}
}

// restTime is how long nothing may happen. The poller asks each server more than once in it, so that an answer that made a
// difference would show.
const restTime = 75 * time.Second

// lateEvent is how long after a status its Event may be sent: it waits in a queue.
const lateEvent = 5 * time.Second

// nothingIsWritten counts the operator's requests at the API server while the ChannelLinks are at rest (C75). Watches go on
// and end by themselves; the leader renews its lease, alone.
func nothingIsWritten(t *testing.T, links []*v1alpha1.ChannelLink) {
	log := filepath.Join("..", "..", ".cluster", "log", "audit.log")
	info, err := os.Stat(log)
	if err != nil {
		t.Skipf("this cluster's API server keeps no audit log here: %v", err)
	}
	before, begun := versions(t, links), time.Now()
	timer := time.NewTimer(restTime)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
	for i, version := range versions(t, links) {
		if version != before[i] {
			t.Errorf("%s was written at rest", links[i].Name)
		}
	}
	for _, request := range operatorRequests(t, log, info.Size()) {
		// Namespaces of earlier tests may still be going away.
		elsewhere := request.ObjectRef.Namespace != "" && request.ObjectRef.Namespace != links[0].Namespace
		// The Event of the last status follows it.
		late := request.ObjectRef.Resource == "events" && request.Received.Before(begun.Add(lateEvent))
		if request.Verb != "watch" && request.ObjectRef.Resource != "leases" && !elsewhere && !late {
			t.Errorf("at rest the operator asked: %s %s", request.Verb, request.RequestURI)
		}
	}
}

func versions(t *testing.T, links []*v1alpha1.ChannelLink) []string {
	t.Helper()
	out := make([]string, len(links))
	for i, link := range links {
		if err := cluster.Get(t.Context(), client.ObjectKeyFromObject(link), link); err != nil {
			t.Fatal(err)
		}
		out[i] = link.ResourceVersion
	}
	return out
}

// auditEvent is what is read of an audit event (audit.k8s.io/v1).
type auditEvent struct {
	Received   time.Time `json:"requestReceivedTimestamp"`
	Verb       string    `json:"verb"`
	RequestURI string    `json:"requestURI"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource  string `json:"resource"`
		Namespace string `json:"namespace"`
	} `json:"objectRef"`
}

// operatorRequests are those in the audit log after the offset.
func operatorRequests(t *testing.T, log string, offset int64) []auditEvent {
	t.Helper()
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(data)) < offset {
		t.Fatal("the audit log was rotated in the meantime")
	}
	var found []auditEvent
	for line := range strings.Lines(string(data[offset:])) {
		if !strings.HasSuffix(line, "\n") {
			break // still being written
		}
		var event auditEvent
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("reading the audit log: %v", err)
		}
		if event.User.Username == "system:serviceaccount:"+operatorNamespace+":"+operatorName {
			found = append(found, event)
		}
	}
	return found
}

func namesIn(list client.ObjectList) []string {
	var names []string
	_ = meta.EachListItem(list, func(object runtime.Object) error {
		names = append(names, object.(client.Object).GetName())
		return nil
	})
	return names
}
