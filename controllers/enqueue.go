package controllers

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

type requestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// neighbours enqueues, when a ChannelLink changes, those whose own state depends on it: others that claim what it had or
// has, and siblings of its Facebook app.
type neighbours struct{ client.Reader }

var _ handler.EventHandler = neighbours{}

// Create does nothing. A new ChannelLink takes no claim away from one that is there, and is a sibling only when it has a
// Service.
func (n neighbours) Create(context.Context, event.CreateEvent, requestQueue) {}

// Update enqueues the neighbours by the old and by the new spec.
func (n neighbours) Update(ctx context.Context, e event.UpdateEvent, q requestQueue) {
	was, is := e.ObjectOld.(*v1alpha1.ChannelLink), e.ObjectNew.(*v1alpha1.ChannelLink)
	if was.Generation == is.Generation {
		return
	}
	if wanted(was) != wanted(is) {
		n.claimants(ctx, wanted(was), q)
		n.claimants(ctx, wanted(is), q)
	}
	if appSecretKey(was) != appSecretKey(is) || atRest(was) != atRest(is) || is.DeletionTimestamp != nil {
		n.siblings(ctx, was, q)
		n.siblings(ctx, is, q)
	}
}

// Delete enqueues those that waited for the claim, and the siblings that are left.
func (n neighbours) Delete(ctx context.Context, e event.DeleteEvent, q requestQueue) {
	was := e.Object.(*v1alpha1.ChannelLink)
	n.claimants(ctx, wanted(was), q)
	n.siblings(ctx, was, q)
}

// Generic does nothing: nothing sends such events.
func (n neighbours) Generic(context.Context, event.GenericEvent, requestQueue) {}

func (n neighbours) claimants(ctx context.Context, c claim, q requestQueue) {
	for _, match := range []client.MatchingFields{{indexPage: c.page}, {indexHost: c.host}} {
		n.enqueue(ctx, q, match)
	}
}

func (n neighbours) siblings(ctx context.Context, link *v1alpha1.ChannelLink, q requestQueue) {
	if secret := appSecretKey(link); secret != "" {
		n.enqueue(ctx, q, client.InNamespace(link.Namespace), client.MatchingFields{indexAppSecret: secret})
	}
}

func (n neighbours) enqueue(ctx context.Context, q requestQueue, which ...client.ListOption) {
	var links v1alpha1.ChannelLinkList
	if err := n.List(ctx, &links, append(which, client.UnsafeDisableDeepCopy)...); err != nil {
		// Only a missing index or a stopped cache can fail here.
		log.FromContext(ctx).Error(err, "Could not list ChannelLinks to enqueue")
		return
	}
	for i := range links.Items {
		q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&links.Items[i])})
	}
}

// servedNeighbours does the same when a ChannelLink's Service changes: it shows what is served, and it is where siblings
// send what is meant for others.
type servedNeighbours struct{ neighbours }

// Create enqueues the siblings of the ChannelLink that has a Service now.
func (s servedNeighbours) Create(ctx context.Context, e event.CreateEvent, q requestQueue) {
	if !e.IsInInitialList { // else everybody is reconciled anyway
		s.siblingsOf(ctx, e.Object, q)
	}
}

// Update enqueues the claimants of the URL that is served no more, and the siblings.
func (s servedNeighbours) Update(ctx context.Context, e event.UpdateEvent, q requestQueue) {
	was, is := e.ObjectOld.GetAnnotations()[names.AnnotationPublicURL], e.ObjectNew.GetAnnotations()[names.AnnotationPublicURL]
	if was != is {
		s.claimants(ctx, claimOf("", "", was), q)
		s.siblingsOf(ctx, e.ObjectNew, q)
	}
}

// Delete enqueues the claimants of the URL that is served no more, and the siblings.
func (s servedNeighbours) Delete(ctx context.Context, e event.DeleteEvent, q requestQueue) {
	if was := e.Object.GetAnnotations()[names.AnnotationPublicURL]; was != "" {
		s.claimants(ctx, claimOf("", "", was), q)
	}
	s.siblingsOf(ctx, e.Object, q)
}

func (s servedNeighbours) siblingsOf(ctx context.Context, service client.Object, q requestQueue) {
	if service.GetAnnotations()[names.AnnotationPublicURL] == "" {
		return // the Service of the admin port
	}
	owner, err := ownerOf(ctx, s, service)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not find the ChannelLink of a Service", "service", client.ObjectKeyFromObject(service))
		return
	}
	if owner != nil {
		s.siblings(ctx, owner, q)
	}
}

// toParent enqueues the ChannelLink of a child object, by namespace and instance label. Not by ownerReference: a volume has
// none.
type toParent struct{ client.Reader }

var _ handler.EventHandler = toParent{}

// Create enqueues nobody for an object that somebody owns: the operator has just made it, or is about to look at everything.
// For one whose ChannelLink is gone it enqueues that one, to be swept.
func (p toParent) Create(ctx context.Context, e event.CreateEvent, q requestQueue) {
	if !ownerless(e.Object) || p.parent(ctx, e.Object) != nil {
		return
	}
	// A name that is made of another is its own base, so what is enqueued need not be the former name.
	q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: e.Object.GetNamespace(), Name: e.Object.GetLabels()[names.LabelInstance]}})
}

// Update enqueues the ChannelLink that the object belongs to, and the one that it belonged to by labels that were edited.
func (p toParent) Update(ctx context.Context, e event.UpdateEvent, q requestQueue) {
	p.enqueue(ctx, e.ObjectNew, q)
	if e.ObjectOld.GetLabels()[names.LabelInstance] != e.ObjectNew.GetLabels()[names.LabelInstance] {
		p.enqueue(ctx, e.ObjectOld, q)
	}
}

// Delete enqueues the ChannelLink that lacks the object now.
func (p toParent) Delete(ctx context.Context, e event.DeleteEvent, q requestQueue) {
	p.enqueue(ctx, e.Object, q)
}

// Generic does nothing: nothing sends such events.
func (p toParent) Generic(context.Context, event.GenericEvent, requestQueue) {}

func (p toParent) enqueue(ctx context.Context, object client.Object, q requestQueue) {
	if owner := p.parent(ctx, object); owner != nil {
		q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(owner)})
	}
}

func (p toParent) parent(ctx context.Context, object client.Object) *v1alpha1.ChannelLink {
	owner, err := ownerOf(ctx, p, object)
	if err != nil {
		// Only a missing index or a stopped cache can fail here.
		log.FromContext(ctx).Error(err, "Could not find the ChannelLink of an object", "object", client.ObjectKeyFromObject(object))
	}
	return owner
}

// lostFinalizer lets the update pass that takes the finalizer off a ChannelLink whose policy wants it, as `kubectl replace` does
// with a manifest. The generation counts changes of the spec alone.
var lostFinalizer = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	was, is := e.ObjectOld.(*v1alpha1.ChannelLink), e.ObjectNew.(*v1alpha1.ChannelLink)
	return unlinksAll(is) && is.DeletionTimestamp == nil &&
		controllerutil.ContainsFinalizer(was, names.UnlinkAllFinalizer) && !controllerutil.ContainsFinalizer(is, names.UnlinkAllFinalizer)
}}

// Indexers of ChannelLinks.
var linkIndexes = map[string]client.IndexerFunc{
	indexPage: func(o client.Object) []string { return []string{wanted(o.(*v1alpha1.ChannelLink)).page} },
	indexHost: func(o client.Object) []string { return []string{wanted(o.(*v1alpha1.ChannelLink)).host} },
	indexBase: func(o client.Object) []string { return []string{names.Base(o.(*v1alpha1.ChannelLink))} },
	indexAppSecret: func(o client.Object) []string {
		if secret := appSecretKey(o.(*v1alpha1.ChannelLink)); secret != "" {
			return []string{secret}
		}
		return nil
	},
}

// indexServedHost is the indexer of Services.
func indexServedHost(o client.Object) []string {
	publicURL := o.(*corev1.Service).Annotations[names.AnnotationPublicURL]
	if publicURL == "" {
		return nil
	}
	return []string{claimOf("", "", publicURL).host}
}

// wakeUp lets others than the watches enqueue ChannelLinks. Until the controller has started it does nothing: every
// ChannelLink is reconciled at the start anyway.
type wakeUp struct {
	mu    sync.Mutex
	queue requestQueue
}

// Start is called by the controller with its queue, before it reconciles anything.
func (w *wakeUp) Start(_ context.Context, queue requestQueue) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	return nil
}

// with calls the function with the queue, if there is one.
func (w *wakeUp) with(enqueue func(requestQueue)) {
	w.mu.Lock()
	queue := w.queue
	w.mu.Unlock()
	if queue != nil {
		enqueue(queue)
	}
}

func (w *wakeUp) one(key types.NamespacedName) {
	w.with(func(q requestQueue) { q.Add(reconcile.Request{NamespacedName: key}) })
}
