package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/adminapi"
)

const (
	// unlinkAllPause is the shortest time from one answer to the next question, and so from one progress in the status to
	// the next. The server works up to adminapi.UnlinkWork on each question.
	unlinkAllPause = 5 * time.Second
	// defaultUnlinkAllTimeout is the schema's.
	defaultUnlinkAllTimeout = 10 * time.Minute
)

// errOutdated ends a pass over a ChannelLink that was changed since it was read, by somebody or by this very operator. There is
// nothing to tell of it: the next pass sees more.
var errOutdated = errors.New("the ChannelLink was changed since it was read")

// hold puts the finalizer on the ChannelLink before its objects lose their owner: from then on only the operator removes
// them.
func (r *ChannelLinkReconciler) hold(ctx context.Context, link *v1alpha1.ChannelLink) error {
	if !unlinksAll(link) {
		return nil
	}
	return r.finalizer(ctx, link, controllerutil.AddFinalizer)
}

// letGo takes the finalizer off when the policy is Retain, after the objects got their owner back.
func (r *ChannelLinkReconciler) letGo(ctx context.Context, link *v1alpha1.ChannelLink) error {
	if unlinksAll(link) {
		return nil
	}
	return r.finalizer(ctx, link, controllerutil.RemoveFinalizer)
}

// finalizer changes the ChannelLink's finalizers, on the condition that it was not changed since it was read: others may
// have finalizers on it, too.
func (r *ChannelLinkReconciler) finalizer(ctx context.Context, link *v1alpha1.ChannelLink, change func(client.Object, string) bool) error {
	before := link.DeepCopy()
	if !change(link, names.UnlinkAllFinalizer) {
		return nil
	}
	after := link.DeepCopy()
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := r.Client.Patch(ctx, after, patch, client.FieldOwner(names.FieldOwner))
	if apierrors.IsConflict(err) {
		err = fmt.Errorf("%w: %w", errOutdated, err)
	}
	if err != nil {
		return fmt.Errorf("changing the finalizers: %w", err)
	}
	link.ResourceVersion = after.ResourceVersion
	return nil
}

func unlinksAll(link *v1alpha1.ChannelLink) bool {
	return link.Spec.DeletionPolicy == v1alpha1.DeletionPolicyUnlinkAll
}

// finalize carries out the deletion of a ChannelLink that holds our finalizer. Its steps:
//
//  1. release at once what needs no unlinking: the policy is Retain by now, or there is no server
//  2. look what the server has said: all are unlinked, or the time is over
//  3. release at once when the namespace goes: its pods go first, and nothing can be made in it any more
//  4. ask the server
//  5. tell how far it has come
func (r *ChannelLinkReconciler) finalize(ctx context.Context, link *v1alpha1.ChannelLink) (ctrl.Result, error) {
	if !unlinksAll(link) {
		return ctrl.Result{}, r.release(ctx, link)
	}
	if serves, err := r.serves(ctx, link); err != nil {
		return ctrl.Result{}, err
	} else if !serves {
		return ctrl.Result{}, r.release(ctx, link)
	}

	now := r.Clock.Now()
	progress, next := r.progress(link)
	deadline := link.DeletionTimestamp.Add(unlinkAllTimeout(link))
	switch {
	case progress.Done:
		return ctrl.Result{}, r.finish(ctx, link, progress)
	case !now.Before(deadline):
		return ctrl.Result{}, r.giveUp(ctx, link, progress)
	}
	terminating, err := r.namespaceGoes(ctx, link)
	if err != nil {
		return ctrl.Result{}, err
	}
	if terminating {
		log.FromContext(ctx).Info("Released a ChannelLink without unlinking: its namespace is being deleted")
		return ctrl.Result{}, r.release(ctx, link)
	}
	wake := deadline
	if now.Before(next) {
		wake = earlier(next, deadline)
	} else {
		r.askForAll(link)
	}
	return ctrl.Result{RequeueAfter: wake.Sub(now)}, r.tell(ctx, link, nil, &progress)
}

// serves tells whether there is a server to unlink anybody. Before it is believed that there is none, which cannot be made good,
// the API server is asked: the cache may not show yet what was made a moment ago.
func (r *ChannelLinkReconciler) serves(ctx context.Context, link *v1alpha1.ChannelLink) (bool, error) {
	key := childKey(link, names.Base(link))
	if found, err := r.child(ctx, link, key, &appsv1.Deployment{}); found || err != nil {
		return found, err
	}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	return r.Applier.Exists(ctx, deployment, belongsTo(link))
}

// askForAll has the server asked for one attempt. The fence is the deletion: whoever links while it goes on is not waited
// for.
func (r *ChannelLinkReconciler) askForAll(link *v1alpha1.ChannelLink) {
	key := client.ObjectKeyFromObject(link)
	r.Courier.send(&errand{
		id:      link.UID,
		channel: key,
		target:  adminapi.Target{BaseURL: desired.AdminURL(link), Audience: string(link.UID)},
		request: adminapi.Unlink{
			All:          true,
			Requester:    "ChannelLink " + link.Namespace + "/" + link.Name,
			Reason:       "deletionPolicy UnlinkAll",
			LinkedBefore: throughSecond(*link.DeletionTimestamp),
		},
		pause: func(r reply) time.Duration {
			return max(unlinkAllPause, min(time.Duration(r.result.RetryAfterSeconds)*time.Second, longestRetryAfter))
		},
		done: func() { r.Poller.Changed(key) },
	})
}

// progress is how far the unlinking has come, as the server has said last, and when it may be asked again.
func (r *ChannelLinkReconciler) progress(link *v1alpha1.ChannelLink) (status.UnlinkAll, time.Time) {
	replies, _ := r.Courier.replies(link.UID)
	last, ok := replies[client.ObjectKeyFromObject(link)]
	if !ok {
		return status.UnlinkAll{}, time.Time{}
	}
	return status.UnlinkAll{
		Known:  !last.known.StartedAt.IsZero(),
		Done:   last.err == nil && !last.result.StartedAt.IsZero() && !last.result.More,
		Counts: status.UnlinkCounts(last.known.Counts),
	}, last.next
}

// finish removes everything, the volume first: nobody's link is in it any more.
func (r *ChannelLinkReconciler) finish(ctx context.Context, link *v1alpha1.ChannelLink, progress status.UnlinkAll) error {
	if _, err := r.Applier.DeleteLive(ctx, desired.VolumeOf(link), holdsLinksOf(link)); err != nil {
		return err
	}
	kind := corev1.EventTypeNormal
	if progress.Counts.Failed > 0 {
		kind = corev1.EventTypeWarning
	}
	// Before the release: without the Deployment, nobody knows any more what there is to tell.
	r.Statuses.Recorder.Eventf(link, nil, kind, v1alpha1.ReasonUnlinked, "UnlinkAll", "%s", progress.Finished())
	return r.release(ctx, link)
}

// giveUp removes everything but the volume, which still holds links.
func (r *ChannelLinkReconciler) giveUp(ctx context.Context, link *v1alpha1.ChannelLink, progress status.UnlinkAll) error {
	r.Statuses.Recorder.Eventf(link, nil, corev1.EventTypeWarning, v1alpha1.ReasonDeadlineExceeded, "UnlinkAll", "%s", progress.GivenUp())
	return r.release(ctx, link)
}

// release deletes what the ChannelLink was made of, but for the volume, and lets it go. Nobody looks after these objects from
// then on, so what the cache does not show yet goes as well.
func (r *ChannelLinkReconciler) release(ctx context.Context, link *v1alpha1.ChannelLink) error {
	for _, object := range desired.Children(link) {
		if isHTTPRoute(object) && !r.Gateway.Available() {
			continue
		}
		if _, err := r.Applier.DeleteLive(ctx, object, belongsTo(link)); err != nil {
			return err
		}
	}
	if err := r.finalizer(ctx, link, controllerutil.RemoveFinalizer); client.IgnoreNotFound(err) != nil {
		return err
	}
	r.Courier.forget(link.UID)
	return nil
}

// namespaceGoes asks the API server whether it would make an object in the namespace; nothing is made. So no right to read
// namespaces is needed.
func (r *ChannelLinkReconciler) namespaceGoes(ctx context.Context, link *v1alpha1.ChannelLink) (bool, error) {
	probe := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: link.Namespace, GenerateName: names.Base(link) + "-"}}
	err := r.Client.Create(ctx, probe, client.DryRunAll, client.FieldOwner(names.FieldOwner))
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return true, nil
	}
	if answer := apierrors.APIStatus(nil); errors.As(err, &answer) {
		return false, nil // whatever it refuses (a quota, a policy), it is not because the namespace goes
	}
	return false, err
}

func unlinkAllTimeout(link *v1alpha1.ChannelLink) time.Duration {
	if seconds := link.Spec.UnlinkAllTimeoutSeconds; seconds != nil {
		return time.Duration(*seconds) * time.Second
	}
	return defaultUnlinkAllTimeout
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
