package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
)

// ownerless tells whether an object of the operator's belongs to a ChannelLink by its label alone, as under deletionPolicy
// UnlinkAll. The garbage collector knows nothing of it.
func ownerless(object metav1.Object) bool {
	return metav1.GetControllerOfNoCopy(object) == nil && object.GetLabels()[names.LabelOwner] != ""
}

// sweep deletes the ownerless objects that a ChannelLink has left which is gone. The finalizer sees to them, but somebody may
// have taken it off. It is slow to believe that a ChannelLink is gone: the API server is asked for those that there are.
func (r *ChannelLinkReconciler) sweep(ctx context.Context, gone types.NamespacedName) error {
	var left []desired.Object
	for _, object := range desired.Children(&v1alpha1.ChannelLink{ObjectMeta: metav1.ObjectMeta{Namespace: gone.Namespace, Name: gone.Name}}) {
		if isHTTPRoute(object) && !r.Gateway.Available() {
			continue
		}
		if err := r.Client.Get(ctx, client.ObjectKeyFromObject(object), object); client.IgnoreNotFound(err) != nil {
			return err
		} else if err == nil && ownerless(object) {
			left = append(left, object)
		}
	}
	if len(left) == 0 {
		return nil
	}
	living, err := r.living(ctx, gone.Namespace)
	if err != nil {
		return err
	}
	for _, object := range left {
		deleted, err := r.Applier.Delete(ctx, object, func(object metav1.Object) bool {
			return ownerless(object) && !living.Has(object.GetLabels()[names.LabelOwner])
		})
		if err != nil {
			return err
		}
		if deleted {
			log.FromContext(ctx).Info("Deleted an object of a ChannelLink that went without its finalizer", "object", kindOf(object)+"/"+object.GetName())
		}
	}
	return nil
}

// living are the UIDs of the namespace's ChannelLinks, past the cache.
func (r *ChannelLinkReconciler) living(ctx context.Context, namespace string) (sets.Set[string], error) {
	var links metav1.PartialObjectMetadataList
	links.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("ChannelLinkList"))
	if err := r.Applier.Live.List(ctx, &links, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing ChannelLinks: %w", err)
	}
	uids := sets.New[string]()
	for _, link := range links.Items {
		uids.Insert(string(link.UID))
	}
	return uids, nil
}
