// Package controllers turns ChannelLinks into running servers: it decides order, reads, watches and requeues. What should
// exist is decided in internal/desired, what is written in internal/apply, what is told in internal/status.
package controllers

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/apply"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/status"
)

// +kubebuilder:rbac:groups=channellink.dev,resources=channellinks,verbs=list;watch;patch
// +kubebuilder:rbac:groups=channellink.dev,resources=channellinks/status,verbs=patch
// +kubebuilder:rbac:groups=channellink.dev,resources=channellinks/finalizers,verbs=update
// +kubebuilder:rbac:groups="",resources=serviceaccounts;configmaps;services;persistentvolumeclaims,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apps,resources=deployments,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies;ingresses,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=policy,resources=poddisruptionbudgets,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=gateway.networking.k8s.io,resources=httproutes,verbs=get;list;watch;create;patch;delete
// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,resourceNames=httproutes.gateway.networking.k8s.io,verbs=list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// ChannelLinkReconciler makes the objects of one ChannelLink what its spec says and tells in its status how far that has
// come. A pass has these steps:
//
//  1. claim: does the channel's page and public URL belong to this ChannelLink?
//  2. build: what should exist?
//  3. apply: write what differs, delete what is switched off
//  4. observe: what exists, and what does the server say?
//  5. tell: write the status, if it changed
//
// Before the first of them hold, and after apply letGo, see to the finalizer of deletionPolicy UnlinkAll.
//
// While one is being deleted that has that finalizer, finalize takes the place of all these.
type ChannelLinkReconciler struct {
	Client   client.Client
	Applier  *apply.Applier
	Keys     *Keyring
	Poller   *Poller
	Courier  *Courier
	Statuses *StatusWriter
	Gateway  *GatewayAPI
	Clock    clock.PassiveClock
	Operator desired.Operator
	// SharedHosts lets ChannelLinks of several namespaces share one host.
	SharedHosts bool

	grants grants
}

// Reconcile is one pass over one ChannelLink. What a person has to mend becomes a condition and no error; what the world
// may mend by itself is an error as well, so that it is tried again with growing delays.
func (r *ChannelLinkReconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	link := &v1alpha1.ChannelLink{}
	if err := r.Client.Get(ctx, req.NamespacedName, link); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(req.NamespacedName)
			err = r.sweep(ctx, req.NamespacedName)
		}
		return ctrl.Result{}, err
	}
	link = r.Statuses.Latest(link)
	if link.DeletionTimestamp != nil {
		if controllerutil.ContainsFinalizer(link, names.UnlinkAllFinalizer) {
			result, err := r.finalize(ctx, link)
			if apierrors.IsConflict(err) { // the cache lags behind somebody's edit, or our own
				return ctrl.Result{RequeueAfter: shortestPause}, nil
			}
			return result, err
		}
		// The children go with their owner; there is nothing to do and nothing more to tell.
		r.Poller.Forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}

	failure := r.carryOut(ctx, link)
	if errors.Is(failure, errOutdated) {
		return ctrl.Result{RequeueAfter: shortestPause}, nil
	}
	var problem *status.Problem
	if failure != nil {
		problem, result, err = judge(link, failure)
		if err == nil && refused(failure) {
			log.FromContext(ctx).Error(failure, "The API server refuses an object") // which what is returned would tell
		}
	}
	return result, errors.Join(err, r.tell(ctx, link, problem, nil))
}

// forget drops all that is kept of a ChannelLink that is gone.
func (r *ChannelLinkReconciler) forget(key types.NamespacedName) {
	r.Poller.Forget(key)
	r.Statuses.Forget(key)
	r.grants.forget(key)
}

// carryOut does the steps that come before observing.
func (r *ChannelLinkReconciler) carryOut(ctx context.Context, link *v1alpha1.ChannelLink) error {
	// Before the spec is judged: one that is refused may have a server from before.
	if err := r.hold(ctx, link); err != nil {
		return err
	}
	if err := r.claim(ctx, link); err != nil {
		return err
	}
	objects, err := r.build(ctx, link)
	if err != nil {
		return err
	}
	if suspended(link) {
		return nil
	}
	unfulfilled, err := r.apply(ctx, link, objects)
	if err != nil {
		return err
	}
	if err := r.letGo(ctx, link); err != nil {
		return err
	}
	return unfulfilled
}

// build gathers what the objects depend on beside the spec.
func (r *ChannelLinkReconciler) build(ctx context.Context, link *v1alpha1.ChannelLink) (desired.Objects, error) {
	keys, err := r.Keys.Published(ctx)
	if err != nil {
		return desired.Objects{}, err
	}
	siblings, err := r.siblings(ctx, link)
	if err != nil {
		return desired.Objects{}, err
	}
	input := desired.Input{Link: link, Operator: r.Operator, OperatorKeys: keys, Siblings: siblings}

	if autoscaled(link) {
		if input.ObservedReplicas, err = r.observedReplicas(ctx, link); err != nil {
			return desired.Objects{}, err
		}
	}
	if err := r.observeVolume(ctx, link, &input); err != nil {
		return desired.Objects{}, err
	}
	return desired.Build(input)
}

// observedReplicas is the autoscaler's number; nil where it has none yet. An autoscaler leaves a Deployment of no replicas
// alone, so those of a spec that had put the server to rest are not handed over to it.
func (r *ChannelLinkReconciler) observedReplicas(ctx context.Context, link *v1alpha1.ChannelLink) (*int32, error) {
	deployment := &appsv1.Deployment{}
	key := childKey(link, names.Base(link))
	if err := r.Client.Get(ctx, key, deployment); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	replicas := deployment.Spec.Replicas
	if replicas == nil || *replicas > 0 {
		return replicas, nil
	}
	scaled, err := r.child(ctx, link, key, &autoscalingv2.HorizontalPodAutoscaler{})
	if err != nil || !scaled {
		return nil, err
	}
	return replicas, nil
}

// apply writes what differs and deletes what is switched off. What it says to be unfulfilled is about a volume that was
// there before, and kept nothing else from being written.
func (r *ChannelLinkReconciler) apply(ctx context.Context, link *v1alpha1.ChannelLink, objects desired.Objects) (unfulfilled error, _ error) {
	logger := log.FromContext(ctx)
	unfulfilled = anotherClass(link, objects.Volume)
	if !r.Gateway.Available() {
		objects.HTTPRoute = nil
	}
	for _, config := range objects.InOrder() {
		owned := belongsTo(link)
		var tolerated []apply.Path
		switch any(config) {
		case any(objects.Volume):
			owned = holdsLinksOf(link)
			tolerated = append(tolerated, storageClassName)
		case any(objects.Deployment):
			if autoscaled(link) {
				tolerated = append(tolerated, apply.Path{"spec", "replicas"})
			}
		}
		outcome, err := r.Applier.Apply(ctx, config, owned, tolerated...)
		if any(config) == any(objects.Volume) && objects.VolumeGrows && refused(err) {
			unfulfilled = &notGrownError{volume: objects.Volume, cause: err}
			continue
		}
		if err != nil {
			return nil, err
		}
		if outcome != apply.Unchanged {
			logger.Info("Applied an object", "outcome", outcome, "object", nameOf(config))
		}
	}
	for _, object := range objects.Absent() {
		if !r.Gateway.Available() && isHTTPRoute(object) {
			continue
		}
		deleted, err := r.Applier.Delete(ctx, object, belongsTo(link))
		if err != nil {
			return nil, err
		}
		if deleted {
			logger.Info("Deleted an object that is switched off", "object", kindOf(object)+"/"+object.GetName())
		}
	}
	return unfulfilled, nil
}

// tell observes, writes the status, with the progress of a deletion in it if there is one, and has the server asked again as
// soon as that status calls for. While a server is there that has not been asked yet (the operator has just started), it holds
// its tongue: the first answer brings the next pass.
func (r *ChannelLinkReconciler) tell(ctx context.Context, link *v1alpha1.ChannelLink, problem *status.Problem, progress *status.UnlinkAll) error {
	seen, known, err := r.observe(ctx, link, problem)
	if err != nil {
		return err
	}
	told := link.Status
	if known {
		seen.UnlinkAll = progress
		told = statusOf(link, seen, metav1.NewTime(r.Clock.Now().Truncate(time.Second)))
		err = r.Statuses.Write(ctx, link, told)
	}
	r.Poller.Pace(client.ObjectKeyFromObject(link), meta.IsStatusConditionTrue(told.Conditions, v1alpha1.ConditionReady))
	return err
}

// belongsTo tells whether an object is a child of this very ChannelLink.
func belongsTo(link *v1alpha1.ChannelLink) apply.Owned {
	return func(object metav1.Object) bool {
		if owner := metav1.GetControllerOfNoCopy(object); owner != nil {
			return owner.UID == link.UID
		}
		return object.GetLabels()[names.LabelOwner] == string(link.UID)
	}
}

// holdsLinksOf tells whether a volume holds the links of this channel, whichever ChannelLink made it.
func holdsLinksOf(link *v1alpha1.ChannelLink) apply.Owned {
	want := names.VolumeLabels(link)
	return func(object metav1.Object) bool {
		have := object.GetLabels()
		for key, value := range want {
			if have[key] != value {
				return false
			}
		}
		return metav1.GetControllerOfNoCopy(object) == nil
	}
}

func childKey(link *v1alpha1.ChannelLink, name string) types.NamespacedName {
	return types.NamespacedName{Namespace: link.Namespace, Name: name}
}

func suspended(link *v1alpha1.ChannelLink) bool {
	return link.Spec.Suspend != nil && *link.Spec.Suspend
}

func autoscaled(link *v1alpha1.ChannelLink) bool {
	return link.Spec.Server != nil && link.Spec.Server.Autoscaling != nil
}
