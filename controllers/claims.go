package controllers

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// claim is what a ChannelLink may have alone: a page, and a public URL with all that is below it.
type claim struct {
	page string // platform and page id
	host string // of the public URL, with its port
	path string // of the public URL, always ending with a slash
}

func claimOf(platform v1alpha1.Platform, pageID, publicURL string) claim {
	c := claim{page: string(platform) + "/" + pageID, path: "/"}
	if u, err := url.Parse(publicURL); err == nil {
		c.host = strings.ToLower(u.Host)
		c.path = strings.TrimSuffix(u.Path, "/") + "/"
	}
	return c
}

// wanted is the claim of the spec.
func wanted(link *v1alpha1.ChannelLink) claim {
	return claimOf(link.Spec.Platform, link.Spec.PageID, string(link.Spec.PublicURL))
}

// served is the claim that the running server serves, as its Service says. A public URL can be edited; until the edit has
// been carried out, the server still stands at the old one.
func served(link *v1alpha1.ChannelLink, service *corev1.Service) (claim, bool) {
	publicURL := service.Annotations[names.AnnotationPublicURL]
	return claimOf(link.Spec.Platform, link.Spec.PageID, publicURL), publicURL != ""
}

// overlap says how two claims collide; empty if they do not.
func (c claim) overlap(other claim) string {
	switch {
	case c.page == other.page:
		return "the same page"
	case c.host != other.host:
		return ""
	case strings.HasPrefix(c.path, other.path), strings.HasPrefix(other.path, c.path):
		return "an overlapping publicURL"
	default:
		return ""
	}
}

// Indexes over ChannelLinks and their Services.
const (
	indexPage      = "claim.page"
	indexHost      = "claim.host"
	indexBase      = "names.base"
	indexAppSecret = "messenger.appSecretRef"
)

// claim returns a problem if another ChannelLink has a better right to the page, the public URL or the host. The right
// belongs to the one that serves it already, then to the older one, then to the smaller UID.
func (r *ChannelLinkReconciler) claim(ctx context.Context, link *v1alpha1.ChannelLink) error {
	mine := wanted(link)
	rivals, err := r.rivals(ctx, mine)
	if err != nil {
		return err
	}
	own := rivals[link.UID]
	serving := own.serves && own.served == mine
	delete(rivals, link.UID)

	for _, rival := range rivals {
		what := r.collision(mine, link, rival)
		if what == "" {
			continue
		}
		if !rival.beats(link, serving, mine) {
			continue
		}
		return refuse(v1alpha1.ReasonConflict, conflictMessage(link, rival.link, what))
	}
	return nil
}

// collision says how the claim collides with what the rival wants or still serves.
func (r *ChannelLinkReconciler) collision(mine claim, link *v1alpha1.ChannelLink, other rival) string {
	theirs := []claim{other.wants}
	if other.serves {
		theirs = append(theirs, other.served)
	}
	for _, c := range theirs {
		if what := mine.overlap(c); what != "" {
			return what
		}
		if c.host == mine.host && other.link.Namespace != link.Namespace && !r.SharedHosts {
			return "the same host in another namespace"
		}
	}
	return ""
}

// rival is a ChannelLink whose claim may collide.
type rival struct {
	link   *v1alpha1.ChannelLink
	wants  claim
	served claim
	serves bool
}

// beats tells whether the rival's right is better than that of a link that serves its claim already, or not.
func (o rival) beats(link *v1alpha1.ChannelLink, serving bool, mine claim) bool {
	theyServe := o.serves && (o.served.page == mine.page || o.served.host == mine.host)
	if theyServe != serving {
		return theyServe
	}
	theirs, ours := o.link.CreationTimestamp, link.CreationTimestamp
	if !theirs.Equal(&ours) {
		return theirs.Before(&ours)
	}
	return o.link.UID < link.UID
}

func conflictMessage(link, other *v1alpha1.ChannelLink, what string) string {
	who := "A ChannelLink of another namespace"
	if other.Namespace == link.Namespace {
		who = fmt.Sprintf("ChannelLink %q", other.Name)
	}
	return fmt.Sprintf("%s has %s and the older right to it: change this one, or delete that one and this one takes over", who, what)
}

// rivals finds every ChannelLink that wants or serves something on the same page or host, by UID. The list may hold the
// claimant itself. Its links are the cache's own: they must not be changed.
func (r *ChannelLinkReconciler) rivals(ctx context.Context, c claim) (map[types.UID]rival, error) {
	found := map[types.UID]rival{}
	for _, match := range []client.MatchingFields{{indexPage: c.page}, {indexHost: c.host}} {
		var links v1alpha1.ChannelLinkList
		if err := r.Client.List(ctx, &links, match, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing ChannelLinks: %w", err)
		}
		for i := range links.Items {
			link := &links.Items[i]
			found[link.UID] = rival{link: link, wants: wanted(link)}
		}
	}
	var services corev1.ServiceList
	if err := r.Client.List(ctx, &services, client.MatchingFields{indexHost: c.host}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Services: %w", err)
	}
	for i := range services.Items {
		if err := r.addServed(ctx, found, &services.Items[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// addServed notes what the Service serves with the ChannelLink that it belongs to; one that is gone has no claim.
func (r *ChannelLinkReconciler) addServed(ctx context.Context, found map[types.UID]rival, service *corev1.Service) error {
	owner, err := r.ownerOf(ctx, service)
	if err != nil || owner == nil || !belongsTo(owner)(service) {
		return err
	}
	c, ok := served(owner, service)
	if !ok {
		return nil
	}
	entry := found[owner.UID]
	entry.link, entry.wants, entry.served, entry.serves = owner, wanted(owner), c, true
	found[owner.UID] = entry
	return nil
}

// ownerOf is the ChannelLink whose child the object is by name and namespace, or nil.
func (r *ChannelLinkReconciler) ownerOf(ctx context.Context, object client.Object) (*v1alpha1.ChannelLink, error) {
	var owners v1alpha1.ChannelLinkList
	err := r.Client.List(ctx, &owners, client.InNamespace(object.GetNamespace()),
		client.MatchingFields{indexBase: object.GetLabels()[names.LabelInstance]}, client.UnsafeDisableDeepCopy)
	if err != nil || len(owners.Items) == 0 {
		return nil, err
	}
	return &owners.Items[0], nil
}
