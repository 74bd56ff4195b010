//go:build apiserver

package controllers_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// wire leads to the API server and can be cut.
type wire struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

// newWire listens on loopback and gives the configuration that leads through it.
func newWire(t *testing.T, config *rest.Config) (*wire, *rest.Config) {
	t.Helper()
	server, err := url.Parse(config.Host)
	if err != nil || server.Host == "" {
		server = &url.URL{Host: config.Host}
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, server: server.Host, conns: map[net.Conn]bool{}}
	go w.accept()
	t.Cleanup(func() {
		_ = listener.Close() // it only ends the loop
		w.set(true)
	})
	config = rest.CopyConfig(config)
	config.Host = "https://" + listener.Addr().String()
	return w, config
}

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		go w.join(client)
	}
}

// join copies both ways until one side ends or the wire is cut.
func (w *wire) join(client net.Conn) {
	server, err := net.Dial("tcp", w.server)
	if err != nil || !w.keep(client, server) {
		_ = client.Close()
		return
	}
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{client, server}, {server, client}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // how it ended does not matter
			done <- struct{}{}
		}()
	}
	<-done
	_ = client.Close() // one of the two has ended
	_ = server.Close()
}

func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return false
	}
	for _, conn := range conns {
		w.conns[conn] = true
	}
	return true
}

// set cuts the wire, with every connection on it, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if !cut {
		return
	}
	for conn := range w.conns {
		_ = conn.Close() // some have ended
	}
	clear(w.conns)
}

// While the API server cannot be reached the operator waits. When it is back, the operator catches up with all that was
// created, edited, broken and deleted meanwhile. C78
func TestTheOperatorCatchesUpAfterAnOutage(t *testing.T) {
	o := newOperator(t)
	wire, config := newWire(t, o.config)
	o.config = config
	o.start()
	namespace := env.Namespace(t)
	place := func(name string) func(*v1alpha1.ChannelLink) {
		return at(name, "page-"+name, "https://outage.vision.example/"+name)
	}
	edited, broken, deleted := create(t, "line", namespace, place("edited")), create(t, "line", namespace, place("broken")), create(t, "line", namespace, place("deleted"))
	for _, link := range []*v1alpha1.ChannelLink{edited, broken, deleted} {
		o.ready(t, link)
	}

	wire.set(true)
	edit(t, edited, func(spec *v1alpha1.ChannelLinkSpec) { spec.DisplayName = "Edited" })
	created := create(t, "line", namespace, place("created"))
	heir := create(t, "line", namespace, at("heir", "page-heir", string(deleted.Spec.PublicURL)))
	if err := env.Client.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "broken"}}); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Delete(t.Context(), deleted); err != nil {
		t.Fatal(err)
	}
	collectGarbage(t, deleted)
	o.servers.change(broken, func(s *fakeServer) { s.status.Store.State = "Failed" })
	asked := o.servers.asked(broken)
	// Servers are asked all the same, and what they say cannot be told.
	NewWithT(t).Eventually(func() int { return o.servers.asked(broken) }).Should(BeNumerically(">", asked+1))
	o.servers.change(broken, func(s *fakeServer) { s.status.Store.State = "Open" })
	wire.set(false)

	for _, link := range []*v1alpha1.ChannelLink{edited, created, heir, broken} {
		// A watch that broke off is begun anew after up to 30 s, each kind's by itself (client-go's reflector).
		o.readyWithin(t, link, 2*time.Minute)
	}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: "broken"}, &corev1.Service{}); err != nil {
		t.Error(err)
	}
	// The operator may have heard of a child's deletion before it heard of the ChannelLink's, and made the child anew: with
	// an owner that is gone, so that the garbage collector takes it.
	collectGarbage(t, deleted)
	deployments := &appsv1.DeploymentList{}
	if err := env.Client.List(t.Context(), deployments, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	if len(deployments.Items) != 4 {
		t.Errorf("%d Deployments for 4 ChannelLinks", len(deployments.Items))
	}
}
