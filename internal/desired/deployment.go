package desired

import (
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsac "k8s.io/client-go/applyconfigurations/apps/v1"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

const (
	// revisionHistory is enough to see what changed last; a roll back is a change of the ChannelLink.
	revisionHistory = 3
	// progressDeadlineSeconds is when a rollout that makes no progress is told of. A server is ready within seconds, so
	// this is mostly the time to pull its image.
	progressDeadlineSeconds = 300
)

// deployment runs the server.
func deployment(in Input, settingsHash string) (*appsac.DeploymentApplyConfiguration, error) {
	pod, err := podSpec(in, settingsHash)
	if err != nil {
		return nil, err
	}
	link := in.Link
	// Labels and annotations of ours come last: they win.
	template := coreac.PodTemplateSpec().
		WithLabels(plainMap(server(link).PodLabels)).
		WithLabels(names.Labels(link)).
		WithAnnotations(plainMap(server(link).PodAnnotations)).
		WithAnnotations(map[string]string{names.AnnotationSettingsHash: settingsHash}).
		WithSpec(pod)
	return child(link, appsac.Deployment(names.Base(link), link.Namespace)).
		WithSpec(appsac.DeploymentSpec().
			WithReplicas(replicas(in)).
			WithRevisionHistoryLimit(revisionHistory).
			WithProgressDeadlineSeconds(progressDeadlineSeconds).
			WithStrategy(strategy(link)).
			WithSelector(metaac.LabelSelector().WithMatchLabels(names.Selector(link))).
			WithTemplate(template)), nil
}

// replicas is the spec's number, or the autoscaler's where there is one. That number is rendered, and not left out,
// because the API server would set a field that its owner gives up back to 1.
func replicas(in Input) int32 {
	scaling := server(in.Link).Autoscaling
	if scaling == nil {
		return or(server(in.Link).Replicas, 1)
	}
	return or(in.ObservedReplicas, leastReplicas(scaling))
}

// strategy replaces pods without a gap where two may run at once. One process alone may hold the SQLite file, so there the
// old pod goes first.
func strategy(link *v1alpha1.ChannelLink) *appsac.DeploymentStrategyApplyConfiguration {
	if !postgres(link) {
		return appsac.DeploymentStrategy().WithType(appsv1.RecreateDeploymentStrategyType)
	}
	return appsac.DeploymentStrategy().
		WithType(appsv1.RollingUpdateDeploymentStrategyType).
		WithRollingUpdate(appsac.RollingUpdateDeployment().
			WithMaxUnavailable(intstr.FromInt32(0)).
			WithMaxSurge(intstr.FromString("25%")))
}

// leastReplicas is the autoscaler's lower bound.
func leastReplicas(scaling *v1alpha1.Autoscaling) int32 { return or(scaling.MinReplicas, 2) }
