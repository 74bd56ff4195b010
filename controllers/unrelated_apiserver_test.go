//go:build apiserver

package controllers_test

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
)

// What is in the cluster beside ChannelLinks costs the operator no memory: it watches no Secret, and of every other kind
// only the objects that it made. C64
func TestUnrelatedObjectsCostNoMemory(t *testing.T) {
	const (
		secrets, configMaps = 300, 500
		size                = 32 << 10
		mostGrowth          = 10 << 10 // KiB; whoever caches them has all 25 MiB, and more decoded
	)
	o := newOperator(t)
	link := create(t, "line", env.Namespace(t))
	o.servers.change(link, func(*fakeServer) {})

	// A process that has asked a server has filled its caches.
	measure := func() int {
		p := startProcess(t, o)
		o.rollOut(t, link)
		p.awaitCall(t, patience)
		kib := residentKiB(t, p.command.Process.Pid)
		p.signal(t, syscall.SIGTERM)
		if err := <-p.exited; err != nil {
			t.Fatalf("the process ended: %v", err)
		}
		return kib
	}
	before := measure()

	namespace := env.Namespace(t)
	content := bytes.Repeat([]byte("x"), size)
	for i := range secrets {
		makeUnrelated(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("s-", i)}, Data: map[string][]byte{"a": content}})
	}
	for i := range configMaps {
		makeUnrelated(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("c-", i)}, BinaryData: map[string][]byte{"a": content}})
	}
	recording := env.Record(t)
	after := measure()
	t.Logf("resident: %d KiB, with %d MiB of unrelated objects %d KiB", before, (secrets+configMaps)*size>>20, after)
	if after-before > mostGrowth {
		t.Errorf("grew by %d KiB, want at most %d", after-before, mostGrowth)
	}
	for _, event := range testenv.ByUser(recording.Events(t), operatorUser) {
		if event.Verb != "list" && event.Verb != "watch" {
			continue
		}
		switch ref := event.ObjectRef; {
		case ref.APIGroup == v1alpha1.GroupName, strings.Contains(event.RequestURI, "labelSelector="), strings.Contains(event.RequestURI, "fieldSelector="):
		default:
			t.Errorf("every object of the kind is asked for: %s %s", event.Verb, event.RequestURI)
		}
	}
}

func makeUnrelated(t *testing.T, object client.Object) {
	t.Helper()
	if err := env.Client.Create(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}
