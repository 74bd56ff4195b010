package desired

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"channellink.dev/operator/internal/names"
)

// volume is the claim for the SQLite file; nil where there is no such file or it may go with the pod. It has no owner and
// does not bear the ChannelLink's UID, because the links in it outlive the ChannelLink.
func volume(in Input) *coreac.PersistentVolumeClaimApplyConfiguration {
	if postgres(in.Link) || ephemeral(in.Link) {
		return nil
	}
	spec := coreac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(coreac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: storage(in)}))
	if class := sqlite(in.Link).StorageClassName; class != "" {
		spec.WithStorageClassName(string(class))
	}
	return coreac.PersistentVolumeClaim(names.Volume(in.Link), in.Link.Namespace).
		WithLabels(names.VolumeLabels(in.Link)).
		WithSpec(spec)
}

// storage is the size asked for: the spec's, or that of the claim that is there when it is larger.
func storage(in Input) resource.Quantity {
	size := storeSize(in.Link)
	if there := in.ObservedStorage; there != nil && there.Cmp(size) > 0 {
		return there.DeepCopy()
	}
	return size
}
