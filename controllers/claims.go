package controllers

import (
	"fmt"
	"net/url"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// claim is what a ChannelLink may have alone: a page, and a public URL with all that is below it.
type claim struct {
	page string // platform and page id
	// host of the public URL, without its port: an Ingress, a Gateway's route and a cookie know none, so that who had the
	// host on another port would be sent what comes for this one.
	host string
	path string // of the public URL, always ending with a slash
}

func claimOf(platform v1alpha1.Platform, pageID, publicURL string) claim {
	c := claim{page: string(platform) + "/" + pageID, path: "/"}
	if u, err := url.Parse(publicURL); err == nil {
		c.host = strings.ToLower(u.Hostname())
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

// collision says how two claims collide; empty if they do not. Claims of different namespaces may not share a host,
// because one origin is one trust domain, unless sharedHosts.
func (c claim) collision(other claim, sameNamespace, sharedHosts bool) string {
	switch {
	case c.page == other.page:
		return "the same page"
	case c.host != other.host:
		return ""
	case strings.HasPrefix(c.path, other.path), strings.HasPrefix(other.path, c.path):
		return "an overlapping publicURL"
	case !sameNamespace && !sharedHosts:
		return "the same host in another namespace"
	default:
		return ""
	}
}

// claimant is a ChannelLink with what it claims.
type claimant struct {
	link  *v1alpha1.ChannelLink
	wants claim
	// holds are the claims that it serves, or is about to: at most that of its Service, and the one it was granted.
	holds []claim
	// granted: it was granted what it wants, as this process or its status knows. Whoever may edit a Service can have it say
	// that anything is served there.
	granted bool
}

// yields tells whether the claimant may not have what it wants because of the other, and how the two collide. A claim
// belongs to the one that holds it already, then to the older one, then to the smaller UID. Of two claimants that want
// colliding claims, exactly one yields; both do if each holds what the other wants, for then neither is free. What a Service
// says counts for nothing against a grant.
func (a claimant) yields(b claimant, sharedHosts bool) (how string, yields bool) {
	collide := func(ours, theirs []claim) string {
		for _, x := range ours {
			for _, y := range theirs {
				if how := x.collision(y, a.link.Namespace == b.link.Namespace, sharedHosts); how != "" {
					return how
				}
			}
		}
		return ""
	}
	weWant, theyWant := []claim{a.wants}, []claim{b.wants}
	theyHold, weHold := collide(weWant, b.holds), collide(a.holds, theyWant)
	both := collide(weWant, theyWant)
	switch {
	case a.granted && (!b.granted || both == ""):
		return "", false
	case b.granted && !a.granted && both != "":
		return both, true
	case theyHold == "" && weHold == "":
		return both, both != "" && older(b.link, a.link)
	case theyHold == "":
		return "", false
	case weHold != "" && collide(a.holds, b.holds) != "":
		return theyHold, older(b.link, a.link)
	default:
		return theyHold, true
	}
}

// older tells whether a came before b; two of the same second go by their UIDs.
func older(a, b *v1alpha1.ChannelLink) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.UID < b.UID
}

func conflictMessage(link, other *v1alpha1.ChannelLink, how string) string {
	who := "A ChannelLink of another namespace"
	if other.Namespace == link.Namespace {
		who = fmt.Sprintf("ChannelLink %q", other.Name)
	}
	return fmt.Sprintf("%s has %s and the better right to it: change this one, or delete that one and this one takes over", who, how)
}

// grants are the claims that this process has granted. The cache shows a server's Service only some time after it was
// made; without this memory two workers could grant colliding claims to two ChannelLinks of the same second. At the start
// it is empty and the cache is complete.
type grants struct {
	// deciding is held from looking at the rivals until the claim is granted.
	deciding sync.Mutex

	mu     sync.Mutex
	claims map[types.NamespacedName]grant
}

type grant struct {
	uid   types.UID
	claim claim
}

// has tells whether the ChannelLink was granted what it wants.
func (g *grants) has(link *v1alpha1.ChannelLink) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.claims[client.ObjectKeyFromObject(link)] == grant{link.UID, wanted(link)}
}

func (g *grants) give(link *v1alpha1.ChannelLink) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.claims == nil {
		g.claims = map[types.NamespacedName]grant{}
	}
	g.claims[client.ObjectKeyFromObject(link)] = grant{link.UID, wanted(link)}
}

// forget takes the grant back from a ChannelLink that is gone, or was refused another one.
func (g *grants) forget(key types.NamespacedName) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.claims, key)
}
