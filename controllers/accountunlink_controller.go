package controllers

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/status"
)

// +kubebuilder:rbac:groups=channellink.dev,resources=accountunlinks,verbs=list;watch;delete
// +kubebuilder:rbac:groups=channellink.dev,resources=accountunlinks/status,verbs=patch

// AccountUnlinkReconciler has the servers of ChannelLinks carry out AccountUnlinks and tells in their status what came of
// it. A pass has these steps:
//
//  1. retire: what is over is left alone, and removed when its time to live is over, unless it is armed anew
//  2. resolve: which ChannelLinks is it about, and how far has it come in each?
//  3. ask: send the servers what is due; the last answer brings the next pass, and until then there is nothing to tell
//  4. tell: write the status, if it changed
type AccountUnlinkReconciler struct {
	Client   client.Client
	Courier  *Courier
	Statuses *UnlinkStatusWriter
	Clock    clock.PassiveClock
	// Wake has the AccountUnlink reconciled once more.
	Wake func(types.NamespacedName)
}

// Reconcile is one pass over one AccountUnlink.
func (r *AccountUnlinkReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	unlink := &v1alpha1.AccountUnlink{}
	err := r.Client.Get(ctx, req.NamespacedName, unlink)
	if err != nil || unlink.DeletionTimestamp != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	unlink = r.Statuses.Latest(unlink)
	if over(unlink) && !armedAnew(unlink) {
		return r.retire(ctx, unlink)
	}

	work, err := r.resolve(ctx, unlink)
	if err != nil {
		return ctrl.Result{}, err
	}
	if r.ask(work) {
		return ctrl.Result{}, r.forgetIfGone(ctx, unlink)
	}
	seen := work.seen()
	told := status.OfUnlink(unlink, seen, work.now)
	if asked := retryRequest(unlink); told.CompletionTime != nil && asked != "" {
		told.LastHandledRetryAt = asked // it came while there was nothing to arm
	}
	if err := r.Statuses.Write(ctx, unlink, told); err != nil {
		return ctrl.Result{}, err
	}
	if unlink.Status = told; over(unlink) {
		return r.retire(ctx, unlink)
	}
	return ctrl.Result{RequeueAfter: work.pause(seen)}, nil
}

// forgetIfGone forgets what was asked for a request that was deleted meanwhile: what the deletion had to forget may not have
// been there yet.
func (r *AccountUnlinkReconciler) forgetIfGone(ctx context.Context, unlink *v1alpha1.AccountUnlink) error {
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(unlink), &v1alpha1.AccountUnlink{})
	if apierrors.IsNotFound(err) {
		r.Courier.forget(unlink.UID)
		return nil
	}
	return err
}

// over tells whether the request has ended. An ending is told once and for all; nothing that could be observed later says
// it again.
func over(unlink *v1alpha1.AccountUnlink) bool { return unlink.Status.CompletionTime != nil }

// epoch is the value of the annotation that arms a failed request anew, as far as it is acted upon.
func epoch(unlink *v1alpha1.AccountUnlink) string {
	if armedAnew(unlink) {
		return retryRequest(unlink)
	}
	return unlink.Status.LastHandledRetryAt
}

// maxEpoch is the longest value that the status has room for.
const maxEpoch = 64

// retryRequest is the value of the annotation; empty when there is none, or one that is too long.
func retryRequest(unlink *v1alpha1.AccountUnlink) string {
	if asked := unlink.Annotations[names.RetryRequestedAt]; len(asked) <= maxEpoch {
		return asked
	}
	return ""
}

// armedAnew tells whether the request has failed and the annotation asks for another try that was not made yet. A value that
// came before it failed arms nothing, or it would be tried again whenever the operator starts.
func armedAnew(unlink *v1alpha1.AccountUnlink) bool {
	asked := retryRequest(unlink)
	return asked != "" && asked != unlink.Status.LastHandledRetryAt && over(unlink) &&
		meta.IsStatusConditionTrue(unlink.Status.Conditions, v1alpha1.ConditionFailed)
}

// retire leaves a request alone that is over, until it is to be removed.
func (r *AccountUnlinkReconciler) retire(ctx context.Context, unlink *v1alpha1.AccountUnlink) (ctrl.Result, error) {
	r.Courier.forget(unlink.UID)
	var left time.Duration
	if ttl := unlink.Spec.TTLSecondsAfterFinished; ttl != nil {
		end := unlink.Status.CompletionTime.Add(time.Duration(*ttl) * time.Second)
		if left = end.Sub(r.Clock.Now()); left <= 0 {
			return r.remove(ctx, unlink)
		}
	}
	return ctrl.Result{RequeueAfter: left}, r.Statuses.Write(ctx, unlink, status.Acknowledge(unlink))
}

// remove deletes the very object that was looked at: one that was edited since may want to stay, or to be tried again.
func (r *AccountUnlinkReconciler) remove(ctx context.Context, unlink *v1alpha1.AccountUnlink) (ctrl.Result, error) {
	err := r.Client.Delete(ctx, unlink, client.Preconditions{UID: &unlink.UID, ResourceVersion: &unlink.ResourceVersion})
	switch {
	case apierrors.IsConflict(err):
		return ctrl.Result{RequeueAfter: shortestPause}, nil
	case err == nil:
		log.FromContext(ctx).Info("Removed an AccountUnlink whose time to live is over")
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}
