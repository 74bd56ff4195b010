//go:build apiserver

package controllers_test

import (
	"sync"
	"testing"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// curtain hides from an operator's cache what happens to objects of a kind after it was drawn.
type curtain struct {
	kind  client.Object
	drawn sync.RWMutex
}

func (c *curtain) draw(t *testing.T) {
	t.Helper()
	c.drawn.Lock()
	t.Cleanup(c.drawn.Unlock) // before the operator is stopped, which waits for its cache
}

// pass is a transformation of the cache.
func (c *curtain) pass(object any) (any, error) {
	c.drawn.RLock()
	defer c.drawn.RUnlock()
	return object, nil
}

// appears waits until the API server has the object.
func appears(t *testing.T, key client.ObjectKey, object client.Object) {
	t.Helper()
	NewWithT(t).Eventually(func() error { return env.Client.Get(t.Context(), key, object) }).Should(Succeed())
}

// A ChannelLink is deleted before the cache shows the server that was just made: its users are unlinked all the same, and
// nothing is left that nobody would ever remove.
func TestDeletedBeforeTheCacheShowsTheServer(t *testing.T) {
	o := newOperator(t)
	o.curtain = &curtain{kind: &appsv1.Deployment{}}
	o.start()
	o.ready(t, create(t, "line", env.Namespace(t), ofVision("before"))) // by now it watches
	o.curtain.draw(t)
	link := create(t, "line", env.Namespace(t), unlinkAll)
	appears(t, childOf(link), &appsv1.Deployment{})
	o.goesUnlinked(t, link)
}

// What is switched on and off again before the cache shows it goes, and is looked for past the cache once and not at each pass
// from then on. C75
func TestSwitchedOffBeforeTheCacheShowsIt(t *testing.T) {
	o := newOperator(t)
	o.curtain = &curtain{kind: &networkingv1.Ingress{}}
	o.start()
	link := create(t, "line", env.Namespace(t))
	o.ready(t, link)
	o.curtain.draw(t)
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) {
		spec.Exposure = &v1alpha1.Exposure{Ingress: &v1alpha1.IngressExposure{ClassName: "nginx"}}
	})
	ingress := &networkingv1.Ingress{}
	appears(t, childOf(link), ingress)
	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Exposure = nil })
	NewWithT(t).Eventually(func() error { return env.Client.Get(t.Context(), childOf(link), ingress) }).Should(Satisfy(apierrors.IsNotFound))
	o.ready(t, link)
	o.settle(0, 1)

	recording := env.Record(t)
	passed := passes(t)
	touch(t, link, "again")
	o.settle(passed, 1)
	expectOnlyWatches(t, recording)
}
