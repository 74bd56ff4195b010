package status

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"channellink.dev/operator/api/v1alpha1"
)

const noPods = "The Deployment has no pods yet"

// available tells whether the Deployment has the pods it needs. It speaks of the Deployment alone, so that it stays true
// while the server itself lacks something and says so in another condition only if a pod is ready all the same.
func available(seen Observed) verdict {
	const kind = v1alpha1.ConditionAvailable
	if p := seen.Problem; p != nil && p.Condition == kind {
		return no(kind, p.Reason, p.Message)
	}
	d := seen.Deployment
	switch {
	case d == nil && seen.Applied:
		// It has just been made and is not in the cache yet.
		return no(kind, v1alpha1.ReasonPodsNotCreated, noPods)
	case d == nil:
		return no(kind, v1alpha1.ReasonDeploymentMissing, "The Deployment does not exist")
	case wantedReplicas(d) == 0:
		return no(kind, v1alpha1.ReasonScaledToZero, "server.replicas is 0: nobody is served")
	case deploymentCondition(d, appsv1.DeploymentAvailable) == corev1.ConditionTrue && d.Status.AvailableReplicas > 0:
		return yes(kind, v1alpha1.ReasonAvailable, "The Deployment has the pods it needs")
	case deploymentCondition(d, appsv1.DeploymentReplicaFailure) == corev1.ConditionTrue:
		return no(kind, v1alpha1.ReasonPodsNotCreated, fmt.Sprintf("The cluster refuses the pods of Deployment %q: see its condition ReplicaFailure (quota, admission)", d.Name))
	case d.Status.Replicas == 0:
		return no(kind, v1alpha1.ReasonPodsNotCreated, noPods)
	default:
		return no(kind, v1alpha1.ReasonPodsNotReady, fmt.Sprintf("The pods of Deployment %q are not ready", d.Name))
	}
}

// rollingOut is the same judgement as `kubectl rollout status`.
func rollingOut(d *appsv1.Deployment) bool {
	if d == nil {
		return true
	}
	return d.Status.ObservedGeneration < d.Generation ||
		d.Status.UpdatedReplicas < wantedReplicas(d) ||
		d.Status.Replicas > d.Status.UpdatedReplicas ||
		d.Status.AvailableReplicas < d.Status.UpdatedReplicas
}

func wantedReplicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

func deploymentCondition(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) corev1.ConditionStatus {
	for _, c := range d.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}
