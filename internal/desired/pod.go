package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/config"
)

const (
	// nonRoot is user and group of the server's process and group of its files; the image declares the same.
	nonRoot = 65532
	// gracePeriodSeconds covers the drain: drainSeconds, then the longest request, an unlink of 15 s.
	gracePeriodSeconds = 30
)

// Names of the pod's volumes.
const (
	volumeSettings   = "settings"
	volumeReferences = "references"
	volumeData       = "data"
	volumeTmp        = "tmp"
)

// podSpec is the server's pod. It satisfies the Pod Security profile *restricted* and holds no credential of the cluster.
func podSpec(in Input, settingsHash string) (*coreac.PodSpecApplyConfiguration, error) {
	link, spec := in.Link, server(in.Link)
	container, err := container(in, settingsHash)
	if err != nil {
		return nil, err
	}
	pod := coreac.PodSpec().
		WithServiceAccountName(names.Base(link)).
		WithAutomountServiceAccountToken(false).
		WithEnableServiceLinks(false).
		WithTerminationGracePeriodSeconds(gracePeriodSeconds).
		WithSecurityContext(coreac.PodSecurityContext().
			WithRunAsNonRoot(true).
			WithRunAsUser(nonRoot).
			WithRunAsGroup(nonRoot).
			WithFSGroup(nonRoot).
			WithFSGroupChangePolicy(corev1.FSGroupChangeOnRootMismatch).
			WithSeccompProfile(coreac.SeccompProfile().WithType(corev1.SeccompProfileTypeRuntimeDefault))).
		WithContainers(container).
		WithVolumes(volumes(link)...).
		WithNodeSelector(plainMap(spec.NodeSelector))
	for _, secret := range spec.ImagePullSecrets {
		pod.WithImagePullSecrets(coreac.LocalObjectReference().WithName(string(secret.Name)))
	}
	if spec.PriorityClassName != "" {
		pod.WithPriorityClassName(string(spec.PriorityClassName))
	}
	return pod, schedule(pod, link)
}

// schedule says on which nodes the pod may and should run.
func schedule(pod *coreac.PodSpecApplyConfiguration, link *v1alpha1.ChannelLink) error {
	spec := server(link)
	tolerations, err := configurationsOf[coreac.TolerationApplyConfiguration](spec.Tolerations)
	if err != nil {
		return err
	}
	pod.WithTolerations(tolerations...)
	if spec.Affinity != nil {
		affinity, err := configurationOf[coreac.AffinityApplyConfiguration](spec.Affinity)
		if err != nil {
			return err
		}
		pod.WithAffinity(affinity)
	}
	if spec.TopologySpreadConstraints == nil {
		pod.WithTopologySpreadConstraints(spread(link, corev1.LabelHostname), spread(link, corev1.LabelTopologyZone))
		return nil
	}
	constraints, err := configurationsOf[coreac.TopologySpreadConstraintApplyConfiguration](spec.TopologySpreadConstraints)
	if err != nil {
		return err
	}
	pod.WithTopologySpreadConstraints(constraints...)
	return nil
}

// spread asks for the pods of one revision to be spread over a topology, and accepts that they cannot be: a cluster with
// one node or one zone is no reason not to serve.
func spread(link *v1alpha1.ChannelLink, topology string) *coreac.TopologySpreadConstraintApplyConfiguration {
	return coreac.TopologySpreadConstraint().
		WithMaxSkew(1).
		WithTopologyKey(topology).
		WithWhenUnsatisfiable(corev1.ScheduleAnyway).
		WithLabelSelector(metaac.LabelSelector().WithMatchLabels(names.Selector(link))).
		WithMatchLabelKeys("pod-template-hash")
}

// volumes are what the container mounts.
func volumes(link *v1alpha1.ChannelLink) []*coreac.VolumeApplyConfiguration {
	list := []*coreac.VolumeApplyConfiguration{
		coreac.Volume().WithName(volumeSettings).
			WithConfigMap(coreac.ConfigMapVolumeSource().WithName(names.Base(link)).WithDefaultMode(fileMode)),
		coreac.Volume().WithName(volumeReferences).
			WithProjected(referencesVolume(&link.Spec)),
		coreac.Volume().WithName(volumeTmp).
			WithEmptyDir(coreac.EmptyDirVolumeSource().WithSizeLimit(resource.MustParse("64Mi"))),
	}
	switch {
	case postgres(link):
		return list
	case ephemeral(link):
		return append(list, coreac.Volume().WithName(volumeData).
			WithEmptyDir(coreac.EmptyDirVolumeSource().WithSizeLimit(storeSize(link))))
	default:
		return append(list, coreac.Volume().WithName(volumeData).
			WithPersistentVolumeClaim(coreac.PersistentVolumeClaimVolumeSource().WithClaimName(names.Volume(link))))
	}
}

// mounts are where. A whole directory each, never a subPath, which the kubelet does not keep up to date.
func mounts(link *v1alpha1.ChannelLink) []*coreac.VolumeMountApplyConfiguration {
	list := []*coreac.VolumeMountApplyConfiguration{
		coreac.VolumeMount().WithName(volumeSettings).WithMountPath(config.SettingsDir).WithReadOnly(true),
		coreac.VolumeMount().WithName(volumeReferences).WithMountPath(config.ReferencesDir).WithReadOnly(true),
		coreac.VolumeMount().WithName(volumeTmp).WithMountPath("/tmp"),
	}
	if postgres(link) {
		return list
	}
	return append(list, coreac.VolumeMount().WithName(volumeData).WithMountPath(config.DataDir))
}
