package desired

import (
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"
	policyac "k8s.io/client-go/applyconfigurations/policy/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// podDisruptionBudget lets the drain of a node take one pod at a time. Nil for a single replica: to refuse its eviction
// would keep the node from being drained for ever. A pod that is not ready serves nobody and may always go.
func podDisruptionBudget(link *v1alpha1.ChannelLink) *policyac.PodDisruptionBudgetApplyConfiguration {
	if mostReplicas(link) < 2 {
		return nil
	}
	return child(link, policyac.PodDisruptionBudget(names.Base(link), link.Namespace)).
		WithSpec(policyac.PodDisruptionBudgetSpec().
			WithMaxUnavailable(intstr.FromInt32(1)).
			WithUnhealthyPodEvictionPolicy(policyv1.AlwaysAllow).
			WithSelector(metaac.LabelSelector().WithMatchLabels(names.Selector(link))))
}
