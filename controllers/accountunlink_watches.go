package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// indexUnlinked is the index over AccountUnlinks that are not over, by the ChannelLinks that they are about.
const indexUnlinked = "channelLinks"

// anyChannel is the value for a selector whose set is not fixed yet. No ChannelLink has that name.
const anyChannel = "*"

// unlinkedChannels is the indexer behind indexUnlinked.
func unlinkedChannels(o client.Object) []string {
	unlink := o.(*v1alpha1.AccountUnlink)
	switch {
	case over(unlink) && !armedAnew(unlink):
		return nil
	case unlink.Spec.ChannelLinkRef != nil:
		return []string{string(unlink.Spec.ChannelLinkRef.Name)}
	case len(unlink.Status.Channels) == 0:
		return []string{anyChannel}
	}
	channels := make([]string, 0, len(unlink.Status.Channels))
	for _, name := range unlink.Status.Channels {
		channels = append(channels, string(name))
	}
	return channels
}

// waitingUnlinks enqueues the AccountUnlinks that wait for a ChannelLink: when it appears, goes, or its server has become
// able to take them.
type waitingUnlinks struct{ client.Reader }

var _ handler.EventHandler = waitingUnlinks{}

// Create enqueues those that wait for a ChannelLink of this name or with these labels.
func (w waitingUnlinks) Create(ctx context.Context, e event.CreateEvent, q requestQueue) {
	if !e.IsInInitialList { // else every AccountUnlink is reconciled anyway
		w.enqueue(ctx, e.Object.(*v1alpha1.ChannelLink), q)
	}
}

// Update enqueues them when it matters to them. That a server has become unable to take them, each finds out by itself.
func (w waitingUnlinks) Update(ctx context.Context, e event.UpdateEvent, q requestQueue) {
	was, is := e.ObjectOld.(*v1alpha1.ChannelLink), e.ObjectNew.(*v1alpha1.ChannelLink)
	if (servable(is) && !servable(was)) || (is.DeletionTimestamp != nil && was.DeletionTimestamp == nil) {
		w.enqueue(ctx, is, q)
		return
	}
	if !equality.Semantic.DeepEqual(was.Labels, is.Labels) {
		w.selectors(ctx, is, q)
	}
}

// Delete enqueues those that waited for its server and now wait for another ChannelLink of this name.
func (w waitingUnlinks) Delete(ctx context.Context, e event.DeleteEvent, q requestQueue) {
	w.enqueue(ctx, e.Object.(*v1alpha1.ChannelLink), q)
}

// Generic does nothing: nothing sends such events.
func (w waitingUnlinks) Generic(context.Context, event.GenericEvent, requestQueue) {}

func (w waitingUnlinks) enqueue(ctx context.Context, link *v1alpha1.ChannelLink, q requestQueue) {
	for _, unlink := range w.about(ctx, link, link.Name) {
		q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&unlink)})
	}
	w.selectors(ctx, link, q)
}

// selectors enqueues those that select the ChannelLink and whose set is not fixed.
func (w waitingUnlinks) selectors(ctx context.Context, link *v1alpha1.ChannelLink, q requestQueue) {
	for _, unlink := range w.about(ctx, link, anyChannel) {
		if labels.SelectorFromSet(labelsOf(unlink.Spec.ChannelLinkSelector)).Matches(labels.Set(link.Labels)) {
			q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&unlink)})
		}
	}
}

// about lists the AccountUnlinks of the ChannelLink's namespace under this value of the index. They are the cache's own:
// they must not be changed.
func (w waitingUnlinks) about(ctx context.Context, link *v1alpha1.ChannelLink, value string) []v1alpha1.AccountUnlink {
	var list v1alpha1.AccountUnlinkList
	err := w.List(ctx, &list, client.InNamespace(link.Namespace), client.MatchingFields{indexUnlinked: value}, client.UnsafeDisableDeepCopy)
	if err != nil {
		// Only a missing index or a stopped cache can fail here.
		log.FromContext(ctx).Error(err, "Could not list AccountUnlinks to enqueue")
	}
	return list.Items
}

// retryRequested lets a change of the annotation through that arms a failed request anew.
var retryRequested = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetAnnotations()[names.RetryRequestedAt] != e.ObjectNew.GetAnnotations()[names.RetryRequestedAt]
	},
}

// memory drops what is remembered of an AccountUnlink when the cache shows it, or when it is gone. It enqueues
// nothing.
func (r *AccountUnlinkReconciler) memory() handler.EventHandler {
	return handler.Funcs{
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, _ requestQueue) {
			r.Statuses.Latest(e.ObjectNew.(*v1alpha1.AccountUnlink))
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ requestQueue) {
			r.Statuses.written.forget(client.ObjectKeyFromObject(e.Object))
			r.Courier.forget(e.Object.GetUID())
		},
	}
}
