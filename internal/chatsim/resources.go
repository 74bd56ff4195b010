package chatsim

import (
	"context"
	"slices"
	"time"
)

// readTime bounds a look at Kubernetes.
const readTime = 2 * time.Second

// Resources are the resources of a Kubernetes.
type Resources interface {
	// ChannelLink reads one, and the AccountUnlinks that name it.
	ChannelLink(ctx context.Context, namespace, name string) (Resource, error)
}

// Resource is a ChannelLink as the page shows it.
type Resource struct {
	Namespace  string      `json:"namespace"`
	Name       string      `json:"name"`
	Conditions []Condition `json:"conditions,omitempty"`
	// Unlinks are the AccountUnlinks, the newest first.
	Unlinks []Unlink `json:"unlinks,omitempty"`
	// Problem says why there is nothing to show.
	Problem string `json:"problem,omitempty"`
}

// Condition is one of a ChannelLink.
type Condition struct {
	Type    string    `json:"type"`
	Status  string    `json:"status"`
	Reason  string    `json:"reason"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since"`
}

// Unlink is an AccountUnlink as the page shows it.
type Unlink struct {
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	// Complete and Failed are its conditions of that name; neither is true while it is under way.
	Complete bool   `json:"complete"`
	Failed   bool   `json:"failed"`
	Reason   string `json:"reason,omitempty"`
	Message  string `json:"message,omitempty"`
	Summary  string `json:"summary,omitempty"`

	userID string
}

// maxUnlinks bounds how many the page shows.
const maxUnlinks = 3

// unlinksOf are the newest that name the user.
func (r *Resource) unlinksOf(userID string) []Unlink {
	var mine []Unlink
	for _, u := range r.Unlinks {
		if u.userID == userID {
			mine = append(mine, u)
		}
	}
	slices.SortStableFunc(mine, func(a, b Unlink) int { return b.Created.Compare(a.Created) })
	return mine[:min(len(mine), maxUnlinks)]
}
