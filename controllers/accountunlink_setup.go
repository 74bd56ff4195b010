package controllers

import (
	"context"
	"fmt"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// UnlinkWorkers is the number of AccountUnlinks reconciled at once. A pass looks at the cache and writes a status; calls to
// servers are the courier's.
const UnlinkWorkers = 10

// setupUnlinks adds everything that reconciles AccountUnlinks to the manager.
func setupUnlinks(ctx context.Context, mgr manager.Manager, courier *Courier) error {
	err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.AccountUnlink{}, indexUnlinked, unlinkedChannels)
	if err != nil {
		return fmt.Errorf("indexing AccountUnlinks: %w", err)
	}
	wake := &wakeUp{}
	reconciler := &AccountUnlinkReconciler{
		Client:   mgr.GetClient(),
		Courier:  courier,
		Statuses: &UnlinkStatusWriter{Client: mgr.GetClient(), Recorder: mgr.GetEventRecorder(names.FieldOwner)},
		Clock:    clock.RealClock{},
		Wake:     wake.one,
	}
	// What a status write of its own brings is no event for it.
	noEcho := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, retryRequested))
	err = ctrl.NewControllerManagedBy(mgr).
		Named("accountunlink").
		For(&v1alpha1.AccountUnlink{}, noEcho).
		Watches(&v1alpha1.AccountUnlink{}, reconciler.memory()).
		Watches(&v1alpha1.ChannelLink{}, waitingUnlinks{mgr.GetClient()}).
		WatchesRawSource(wake).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: UnlinkWorkers,
			ReconciliationTimeout:   passTimeout,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(reconciler)
	if err != nil {
		return fmt.Errorf("setting up the AccountUnlink controller: %w", err)
	}
	return nil
}
