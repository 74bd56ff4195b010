package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/apply"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/status"
)

// storageClassName is where a claim has its class. What is rendered there is mostly what was seen there, so that the class
// that a cluster gives to a claim without one is no reason to write the claim once more.
var storageClassName = apply.Path{"spec", "storageClassName"}

// observeVolume notes what the volume claim that is there keeps.
func (r *ChannelLinkReconciler) observeVolume(ctx context.Context, link *v1alpha1.ChannelLink, input *desired.Input) error {
	claim := &corev1.PersistentVolumeClaim{}
	if err := r.Client.Get(ctx, childKey(link, names.Volume(link)), claim); err != nil {
		return client.IgnoreNotFound(err)
	}
	if size, ok := claim.Spec.Resources.Requests[corev1.ResourceStorage]; ok {
		input.ObservedStorage = &size
	}
	input.ObservedStorageClass = claim.Spec.StorageClassName
	return nil
}

// notGrownError says that the API server refuses to have a volume grow. All else was carried out: people are served on the
// volume as it is.
type notGrownError struct {
	// volume that was asked for.
	volume *coreac.PersistentVolumeClaimApplyConfiguration
	cause  error
}

func (e *notGrownError) Error() string { return fmt.Sprintf("growing the volume: %v", e.cause) }

func (e *notGrownError) Unwrap() error { return e.cause }

// refused tells whether the API server has understood what it was asked for, and will not do it.
func refused(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) }

// problem names the ways out: which reason the API server has, its text alone says.
func (e *notGrownError) problem() *status.Problem {
	size := (*e.volume.Spec.Resources.Requests)[corev1.ResourceStorage]
	return &status.Problem{
		Condition: v1alpha1.ConditionStoreReady, Reason: v1alpha1.ReasonVolumeNotGrown,
		Message: fmt.Sprintf("The volume is used as it is, because it cannot grow to the %s of spec.store.sqlite.size. %s. "+
			"Have its storage class allow expansion or the namespace's quota raised, or set the size back", size.String(), applyMessage(e.cause)),
	}
}

// anotherClass is the problem that the volume was there before, in another storage class than the spec names; nil if there
// is none.
func anotherClass(link *v1alpha1.ChannelLink, volume *coreac.PersistentVolumeClaimApplyConfiguration) error {
	if volume == nil || link.Spec.Store == nil || link.Spec.Store.SQLite == nil {
		return nil
	}
	asked, has := string(link.Spec.Store.SQLite.StorageClassName), volume.Spec.StorageClassName
	if asked == "" || *has == asked {
		return nil
	}
	return &status.Problem{
		Condition: v1alpha1.ConditionStoreReady, Reason: v1alpha1.ReasonVolumeOfAnotherClass,
		Message: fmt.Sprintf("The volume was there before, with the links in it, and stays of storage class %q; spec.store.sqlite.storageClassName %q counts for a new one", *has, asked),
	}
}
