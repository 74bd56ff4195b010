package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// Indexes over ChannelLinks and their Services.
const (
	indexPage      = "claim.page"
	indexHost      = "claim.host"
	indexBase      = "names.base"
	indexAppSecret = "messenger.appSecretRef"
)

// claim grants the ChannelLink the page and the public URL that it wants, or returns a problem if another one has the
// better right to them.
func (r *ChannelLinkReconciler) claim(ctx context.Context, link *v1alpha1.ChannelLink) error {
	r.grants.deciding.Lock()
	defer r.grants.deciding.Unlock()

	claimants, err := r.claimants(ctx, link)
	if err != nil {
		return err
	}
	own := claimants[link.UID]
	delete(claimants, link.UID)

	var refusal error
	var strongest *v1alpha1.ChannelLink
	for _, rival := range claimants {
		how, yields := own.yields(rival, r.SharedHosts)
		// Among several the message names the oldest, so that it stays the same from one pass to the next.
		if yields && (strongest == nil || older(rival.link, strongest)) {
			strongest, refusal = rival.link, refuse(v1alpha1.ReasonConflict, conflictMessage(link, rival.link, how))
		}
	}
	if refusal != nil {
		// Whoever gets a claim from now on keeps it, also when this one wants again what it was granted once.
		r.grants.forget(client.ObjectKeyFromObject(link))
		return refusal
	}
	r.grants.give(link)
	return nil
}

// claimants finds the one that asks and every ChannelLink that wants or holds what collides with its wish, by UID. Others
// never make it yield. A company may have all its channels on one host, so those that do not collide are left out before
// anything is looked up about them. The ChannelLinks are the cache's own: they must not be changed.
func (r *ChannelLinkReconciler) claimants(ctx context.Context, asking *v1alpha1.ChannelLink) (map[types.UID]claimant, error) {
	found := map[types.UID]claimant{}
	if err := r.addClaimant(ctx, found, asking); err != nil {
		return nil, err
	}
	wish := wanted(asking)
	harmless := func(c claim, namespace string) bool {
		return wish.collision(c, namespace == asking.Namespace, r.SharedHosts) == ""
	}
	for _, match := range []client.MatchingFields{{indexPage: wish.page}, {indexHost: wish.host}} {
		var links v1alpha1.ChannelLinkList
		if err := r.Client.List(ctx, &links, match, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing ChannelLinks: %w", err)
		}
		for i := range links.Items {
			link := &links.Items[i]
			// What it was granted is what it wants; what it holds beside that is found with the Services.
			if harmless(wanted(link), link.Namespace) {
				continue
			}
			if err := r.addClaimant(ctx, found, link); err != nil {
				return nil, err
			}
		}
	}
	// One that wants to go elsewhere still stands where its Service says.
	var services corev1.ServiceList
	if err := r.Client.List(ctx, &services, client.MatchingFields{indexHost: wish.host}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Services: %w", err)
	}
	for i := range services.Items {
		service := &services.Items[i]
		// No page here: all that serve the same page want it, because it cannot change.
		if harmless(claimOf("", "", service.Annotations[names.AnnotationPublicURL]), service.Namespace) {
			continue
		}
		owner, err := ownerOf(ctx, r.Client, service)
		if err != nil {
			return nil, err
		}
		if owner == nil {
			continue // one that is gone has no claim
		}
		if err := r.addClaimant(ctx, found, owner); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// addClaimant notes what the ChannelLink wants and holds.
func (r *ChannelLinkReconciler) addClaimant(ctx context.Context, found map[types.UID]claimant, link *v1alpha1.ChannelLink) error {
	if _, ok := found[link.UID]; ok {
		return nil
	}
	entry := claimant{link: link, wants: wanted(link), granted: r.grants.has(link) || accepted(link)}
	if entry.granted {
		entry.holds = append(entry.holds, entry.wants)
	}
	service, err := r.serviceOf(ctx, link)
	if err != nil {
		return err
	}
	if service != nil {
		if c, ok := served(link, service); ok {
			entry.holds = append(entry.holds, c)
		}
	}
	found[link.UID] = entry
	return nil
}

// accepted tells whether the operator has granted the spec as it is, be it before it was started anew. Nobody else writes a
// status. Of one that is being deleted no claim is judged any more.
func accepted(link *v1alpha1.ChannelLink) bool {
	c := meta.FindStatusCondition(link.Status.Conditions, v1alpha1.ConditionAccepted)
	return link.DeletionTimestamp == nil && c != nil && c.Status == metav1.ConditionTrue && c.ObservedGeneration == link.Generation
}

// serviceOf is the ChannelLink's own Service, or nil.
func (r *ChannelLinkReconciler) serviceOf(ctx context.Context, link *v1alpha1.ChannelLink) (*corev1.Service, error) {
	service := &corev1.Service{}
	err := r.Client.Get(ctx, childKey(link, names.Base(link)), service)
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	if !belongsTo(link)(service) {
		return nil, nil
	}
	return service, nil
}

// ownerOf is the ChannelLink whose child the object is by name and namespace, or nil. It is the cache's own: it must not
// be changed. Should two ChannelLinks have children of one name, which takes a name that ends in the other's hash, the
// object's labels tell.
func ownerOf(ctx context.Context, reader client.Reader, object client.Object) (*v1alpha1.ChannelLink, error) {
	var owners v1alpha1.ChannelLinkList
	err := reader.List(ctx, &owners, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{indexBase: object.GetLabels()[names.LabelInstance]}, client.UnsafeDisableDeepCopy)
	if err != nil || len(owners.Items) == 0 {
		return nil, err
	}
	for i := range owners.Items {
		if belongsTo(&owners.Items[i])(object) {
			return &owners.Items[i], nil
		}
	}
	return &owners.Items[0], nil
}
