//go:build apiserver

package controllers_test

import (
	"testing"

	. "github.com/onsi/gomega"
	networkingv1 "k8s.io/api/networking/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// giveAddress plays the ingress controller.
func giveAddress(t *testing.T, link *v1alpha1.ChannelLink) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		ingress := &networkingv1.Ingress{}
		g.Expect(env.Client.Get(t.Context(), childOf(link), ingress)).To(Succeed())
		ingress.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
		g.Expect(env.Client.Status().Update(t.Context(), ingress)).To(Succeed())
	}).Should(Succeed())
}
