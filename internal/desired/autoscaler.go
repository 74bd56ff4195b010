package desired

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	autoscalingac "k8s.io/client-go/applyconfigurations/autoscaling/v2"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// autoscaler scales the Deployment by its CPU use; nil where the number of replicas is fixed.
func autoscaler(link *v1alpha1.ChannelLink) *autoscalingac.HorizontalPodAutoscalerApplyConfiguration {
	scaling := server(link).Autoscaling
	if scaling == nil {
		return nil
	}
	return child(link, autoscalingac.HorizontalPodAutoscaler(names.Base(link), link.Namespace)).
		WithSpec(autoscalingac.HorizontalPodAutoscalerSpec().
			WithScaleTargetRef(autoscalingac.CrossVersionObjectReference().
				WithAPIVersion("apps/v1").
				WithKind("Deployment").
				WithName(names.Base(link))).
			WithMinReplicas(leastReplicas(scaling)).
			WithMaxReplicas(scaling.MaxReplicas).
			WithMetrics(autoscalingac.MetricSpec().
				WithType(autoscalingv2.ResourceMetricSourceType).
				WithResource(autoscalingac.ResourceMetricSource().
					WithName(corev1.ResourceCPU).
					WithTarget(autoscalingac.MetricTarget().
						WithType(autoscalingv2.UtilizationMetricType).
						WithAverageUtilization(or(scaling.TargetCPUUtilizationPercentage, 80))))))
}
