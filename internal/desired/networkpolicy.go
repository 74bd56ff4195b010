package desired

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"
	networkingac "k8s.io/client-go/applyconfigurations/networking/v1"

	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/config"
)

// networkPolicy says who may connect to the pods: the public port is for all, or for ingressFrom; the operations port for
// monitoring in any namespace; the admin port for the operator's pods alone. The pods' own connections are left alone:
// where issuer, database and backends are is not ours to know. It is the second wall; the first is that each port
// authenticates its callers (C90). Nil where the spec turns it off.
func networkPolicy(in Input) (*networkingac.NetworkPolicyApplyConfiguration, error) {
	spec := orEmpty(server(in.Link).NetworkPolicy)
	if !or(spec.Enabled, true) {
		return nil, nil
	}
	public := ingressRule(config.PublicPort)
	if len(spec.IngressFrom) > 0 {
		from, err := configurationsOf[networkingac.NetworkPolicyPeerApplyConfiguration](spec.IngressFrom)
		if err != nil {
			return nil, err
		}
		public.WithFrom(from...)
		// Servers for other pages of the same Facebook app hand webhook calls on to each other, whatever stands in front.
		if len(in.Siblings) > 0 {
			public.WithFrom(networkingac.NetworkPolicyPeer().WithPodSelector(
				metaac.LabelSelector().WithMatchLabels(map[string]string{names.LabelName: names.ApplicationName})))
		}
	}
	anyNamespace := networkingac.NetworkPolicyPeer().WithNamespaceSelector(metaac.LabelSelector())
	return child(in.Link, networkingac.NetworkPolicy(names.Base(in.Link), in.Link.Namespace)).
		WithSpec(networkingac.NetworkPolicySpec().
			WithPodSelector(metaac.LabelSelector().WithMatchLabels(names.Selector(in.Link))).
			WithPolicyTypes(networkingv1.PolicyTypeIngress).
			WithIngress(
				public,
				ingressRule(config.OpsPort).WithFrom(anyNamespace),
				ingressRule(config.AdminPort).WithFrom(operatorPods(in.Operator)),
			)), nil
}

// ingressRule opens one port, by number: not every network plugin resolves named ports.
func ingressRule(port int32) *networkingac.NetworkPolicyIngressRuleApplyConfiguration {
	return networkingac.NetworkPolicyIngressRule().WithPorts(
		networkingac.NetworkPolicyPort().WithProtocol(corev1.ProtocolTCP).WithPort(intstr.FromInt32(port)))
}

// operatorPods are the pods with the operator's labels in the operator's namespace.
func operatorPods(operator Operator) *networkingac.NetworkPolicyPeerApplyConfiguration {
	peer := networkingac.NetworkPolicyPeer().WithNamespaceSelector(
		metaac.LabelSelector().WithMatchLabels(map[string]string{corev1.LabelMetadataName: operator.Namespace}))
	if len(operator.PodLabels) == 0 {
		return peer
	}
	return peer.WithPodSelector(metaac.LabelSelector().WithMatchLabels(operator.PodLabels))
}
