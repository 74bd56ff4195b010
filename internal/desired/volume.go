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
	if !keepsVolume(in) {
		return nil
	}
	spec := coreac.PersistentVolumeClaimSpec().
		WithAccessModes(corev1.ReadWriteOnce).
		WithResources(coreac.VolumeResourceRequirements().
			WithRequests(corev1.ResourceList{corev1.ResourceStorage: storage(in)}))
	spec.StorageClassName = storageClass(in)
	return coreac.PersistentVolumeClaim(names.Volume(in.Link), in.Link.Namespace).
		WithLabels(names.VolumeLabels(in.Link)).
		WithSpec(spec)
}

// keepsVolume says whether the links are in a file that outlives the pod.
func keepsVolume(in Input) bool { return !postgres(in.Link) && !ephemeral(in.Link) }

// storage is the size asked for: the spec's, or that of the claim that is there when it is larger.
func storage(in Input) resource.Quantity {
	size := storeSize(in.Link)
	if there := in.ObservedStorage; there != nil && there.Cmp(size) > 0 {
		return there.DeepCopy()
	}
	return size
}

// grows says whether the size asked for is more than the claim that is there has.
func grows(in Input) bool {
	size := storage(in)
	return keepsVolume(in) && in.ObservedStorage != nil && size.Cmp(*in.ObservedStorage) > 0
}

// storageClass is that of the claim that is there, even the empty one of a volume that was bound by hand, or else the
// spec's; nil for the cluster's default.
func storageClass(in Input) *string {
	if in.ObservedStorageClass != nil {
		return in.ObservedStorageClass
	}
	if class := string(sqlite(in.Link).StorageClassName); class != "" {
		return &class
	}
	return nil
}
