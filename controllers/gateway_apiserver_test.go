//go:build apiserver

package controllers_test

import (
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
)

func installHTTPRoutes(t *testing.T) (remove func()) {
	t.Helper()
	return env.InstallCRDs(t, filepath.Join(testenv.GatewayAPICRDs(t), "gateway.networking.k8s.io_httproutes.yaml"))
}

// answerRoute plays the Gateway's controller.
func answerRoute(t *testing.T, link *v1alpha1.ChannelLink, accepted, resolved metav1.ConditionStatus) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		route := &gatewayv1.HTTPRoute{}
		g.Expect(env.Client.Get(t.Context(), childOf(link), route)).To(Succeed())
		verdict := func(kind gatewayv1.RouteConditionType, status metav1.ConditionStatus, reason string) metav1.Condition {
			return metav1.Condition{
				Type: string(kind), Status: status, Reason: reason, ObservedGeneration: route.Generation, LastTransitionTime: metav1.Now(),
			}
		}
		route.Status.Parents = []gatewayv1.RouteParentStatus{{
			ParentRef: gatewayv1.ParentReference{Name: "public"}, ControllerName: "example.com/gateway",
			Conditions: []metav1.Condition{
				verdict(gatewayv1.RouteConditionAccepted, accepted, "NotAllowedByListeners"),
				verdict(gatewayv1.RouteConditionResolvedRefs, resolved, "BackendNotFound"),
			},
		}}
		g.Expect(env.Client.Status().Update(t.Context(), route)).To(Succeed())
	}).Should(Succeed())
}

// The Gateway API may be absent when the operator starts, come, go and come again: the operator neither fails nor needs a
// restart, other ChannelLinks do not notice, and the condition tells. C92
func TestTheGatewayAPIComesAndGoes(t *testing.T) {
	o := startOperator(t)
	namespace := env.Namespace(t)
	link := create(t, "gateway", namespace)
	bystander := create(t, "line", namespace)
	o.ready(t, bystander)
	o.rollOut(t, link)
	missing := condition{v1alpha1.ConditionExposed, metav1.ConditionFalse, v1alpha1.ReasonGatewayAPIMissing}
	eventually(t, link, missing)
	eventually(t, link, condition{v1alpha1.ConditionAvailable, metav1.ConditionTrue, v1alpha1.ReasonAvailable})

	for _, round := range []string{"appears", "returns"} {
		t.Run(round, func(t *testing.T) {
			remove := installHTTPRoutes(t)
			eventually(t, link, condition{v1alpha1.ConditionExposed, metav1.ConditionFalse, v1alpha1.ReasonExposurePending})
			answerRoute(t, link, metav1.ConditionTrue, metav1.ConditionTrue)
			o.ready(t, link)

			recording := env.Record(t)
			before := passes(t)
			touch(t, link, round)
			o.settle(before, 1)
			if writes := tally(t, recording, namespace); len(writes) > 0 {
				t.Errorf("at rest with an HTTPRoute: %v", writes)
			}

			remove()
			eventually(t, link, missing)
			before = passes(t)
			touch(t, bystander, round)
			o.settle(before, 1)
			eventually(t, bystander, condition{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady})
		})
	}
}

// What a Gateway says of the HTTPRoute is told; drift is put back, and the route goes when it is switched off.
func TestHTTPRoute(t *testing.T) {
	installHTTPRoutes(t)
	o := startOperator(t)
	link := create(t, "gateway", env.Namespace(t))
	o.rollOut(t, link)
	for _, tc := range []struct {
		name               string
		accepted, resolved metav1.ConditionStatus
		reason             string
	}{
		{"refused", metav1.ConditionFalse, metav1.ConditionTrue, "NotAllowedByListeners"},
		{"unresolved", metav1.ConditionTrue, metav1.ConditionFalse, "BackendNotFound"},
	} {
		answerRoute(t, link, tc.accepted, tc.resolved)
		NewWithT(t).Eventually(func() string {
			return eventually(t, link, condition{v1alpha1.ConditionExposed, metav1.ConditionFalse, v1alpha1.ReasonRouteNotAccepted}).Message
		}).Should(ContainSubstring(tc.reason), tc.name)
	}
	answerRoute(t, link, metav1.ConditionTrue, metav1.ConditionTrue)
	o.ready(t, link)

	route := &gatewayv1.HTTPRoute{}
	change(t, childOf(link), route, func(r *gatewayv1.HTTPRoute) { r.Spec.Hostnames = []gatewayv1.Hostname{"elsewhere.example"} })
	NewWithT(t).Eventually(func() ([]gatewayv1.Hostname, error) {
		err := env.Client.Get(t.Context(), childOf(link), route)
		return route.Spec.Hostnames, err
	}).Should(Equal([]gatewayv1.Hostname{"gateway.vision.example"}))

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Exposure = nil })
	NewWithT(t).Eventually(func() error { return env.Client.Get(t.Context(), childOf(link), route) }).Should(Satisfy(apierrors.IsNotFound))
	o.ready(t, link)
}
