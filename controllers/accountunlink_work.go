package controllers

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/adminapi"
)

// maxChannels is the most that one AccountUnlink may be about.
const maxChannels = 100

// unlinkWork is one AccountUnlink with the channels it is about, as a pass finds them.
type unlinkWork struct {
	unlink   *v1alpha1.AccountUnlink
	now      time.Time
	refusal  *status.Refusal
	channels []channelWork
	// open: a server has not answered yet.
	open bool
}

// channelWork is one of the channels.
type channelWork struct {
	name string
	// link is nil when there is no such ChannelLink, or it is being deleted.
	link *v1alpha1.ChannelLink
	// reply is the server's last; nil when it has not been asked since the operator started.
	reply *reply
	// due is when the server may be asked next; zero: at once.
	due time.Time
}

// resolve finds the channels and what is known of each.
func (r *AccountUnlinkReconciler) resolve(ctx context.Context, unlink *v1alpha1.AccountUnlink) (*unlinkWork, error) {
	work := &unlinkWork{unlink: unlink, now: r.Clock.Now()}
	var replies map[types.NamespacedName]reply
	replies, work.open = r.Courier.replies(unlink.UID)
	// What a server said of an earlier try says nothing about one that was asked for since.
	maps.DeleteFunc(replies, func(_ types.NamespacedName, r reply) bool { return r.epoch != epoch(unlink) })

	links, err := r.links(ctx, unlink, replies)
	if err != nil {
		return nil, err
	}
	if work.refusal = refusalOf(unlink, links); work.refusal != nil {
		return work, nil
	}
	for _, name := range slices.Sorted(maps.Keys(links)) {
		c := channelWork{name: name, link: links[name]}
		if reply, ok := replies[types.NamespacedName{Namespace: unlink.Namespace, Name: name}]; ok {
			c.reply, c.due = &reply, reply.next
		} else if next := unlink.Status.NextAttemptTime; next != nil && len(replies) == 0 {
			c.due = next.Time // the operator has started anew since the last attempt, and its pause counts
		}
		work.channels = append(work.channels, c)
	}
	return work, nil
}

// links are the ChannelLinks that the request is about, by name; nil where there is none. Which ones a selector matches is
// fixed with the first attempt: then those count that the status names and those that were asked.
func (r *AccountUnlinkReconciler) links(ctx context.Context, unlink *v1alpha1.AccountUnlink, asked map[types.NamespacedName]reply) (map[string]*v1alpha1.ChannelLink, error) {
	links := map[string]*v1alpha1.ChannelLink{}
	if selector := unlink.Spec.ChannelLinkSelector; selector != nil && len(unlink.Status.Channels) == 0 {
		var list v1alpha1.ChannelLinkList
		err := r.Client.List(ctx, &list, client.InNamespace(unlink.Namespace), client.MatchingLabels(labelsOf(selector)))
		if err != nil {
			return nil, fmt.Errorf("listing ChannelLinks: %w", err)
		}
		for i := range list.Items {
			if link := &list.Items[i]; link.DeletionTimestamp == nil {
				links[link.Name] = link
			}
		}
	}
	var named []string
	if ref := unlink.Spec.ChannelLinkRef; ref != nil {
		named = append(named, string(ref.Name))
	}
	for _, name := range unlink.Status.Channels {
		named = append(named, string(name))
	}
	for key := range asked {
		named = append(named, key.Name)
	}
	for _, name := range named {
		if links[name] != nil {
			continue
		}
		link := &v1alpha1.ChannelLink{}
		err := r.Client.Get(ctx, types.NamespacedName{Namespace: unlink.Namespace, Name: name}, link)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading ChannelLink %q: %w", name, err)
		}
		if err != nil || link.DeletionTimestamp != nil {
			link = nil
		}
		links[name] = link
	}
	return links, nil
}

func labelsOf(selector *v1alpha1.ChannelLinkSelector) map[string]string {
	labels := make(map[string]string, len(selector.MatchLabels))
	for key, value := range selector.MatchLabels {
		labels[key] = string(value)
	}
	return labels
}

// refusalOf says why the request cannot be carried out at all, or is nil.
func refusalOf(unlink *v1alpha1.AccountUnlink, links map[string]*v1alpha1.ChannelLink) *status.Refusal {
	if len(links) > maxChannels {
		return &status.Refusal{
			Reason:  v1alpha1.ReasonRejected,
			Message: fmt.Sprintf("spec.channelLinkSelector matches more than %d ChannelLinks, and nobody was unlinked: create several AccountUnlinks that match fewer each", maxChannels),
		}
	}
	if ref := unlink.Spec.ChannelLinkRef; ref != nil && len(unlink.Spec.Actions) > 0 {
		if link := links[string(ref.Name)]; link != nil && link.Spec.BotBonnie == nil {
			return &status.Refusal{
				Reason:  v1alpha1.ReasonActionsNotSupported,
				Message: fmt.Sprintf("ChannelLink %q has no BotBonnie to take the actions, and nobody was unlinked: create an AccountUnlink without actions", link.Name),
			}
		}
	}
	return nil
}

// ask sends the servers what is due and tells whether an answer is to come.
func (r *AccountUnlinkReconciler) ask(work *unlinkWork) (open bool) {
	if held(work.unlink) || work.refusal != nil {
		return r.Courier.withdraw(work.unlink.UID)
	}
	key := client.ObjectKeyFromObject(work.unlink)
	for _, c := range work.channels {
		if c.over() || c.link == nil || !servable(c.link) || work.now.Before(c.due) {
			continue
		}
		work.open = true
		r.Courier.send(&errand{
			id:      work.unlink.UID,
			channel: client.ObjectKeyFromObject(c.link),
			target:  adminapi.Target{BaseURL: desired.AdminURL(c.link), Audience: string(c.link.UID)},
			request: requestOf(work.unlink, c.link),
			pause:   func(r reply) time.Duration { return pauseAfter(r, rand.Float64()) }, //nolint:gosec // spreads load, guards nothing
			done:    func() { r.Wake(key) },
		})
	}
	return work.open
}

func held(unlink *v1alpha1.AccountUnlink) bool {
	return unlink.Spec.Suspend != nil && *unlink.Spec.Suspend
}

// servable tells whether the server of a ChannelLink can take an unlinking: it answers, and its store is open. Whether the
// issuer is known or a route leads to it does not matter: nobody should stay linked because of that.
func servable(link *v1alpha1.ChannelLink) bool {
	return link.DeletionTimestamp == nil && meta.IsStatusConditionTrue(link.Status.Conditions, v1alpha1.ConditionStoreReady)
}

// pause is how long nothing is due; zero: until something is heard.
func (w *unlinkWork) pause(seen status.Unlinking) time.Duration {
	var first time.Time
	sooner := func(t time.Time) {
		if t.After(w.now) && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	for _, c := range w.channels {
		if !c.over() && c.link != nil && servable(c.link) {
			sooner(c.due)
		}
	}
	if deadline, ok := seen.Deadline(w.unlink); ok {
		sooner(deadline)
	}
	if first.IsZero() || held(w.unlink) {
		return 0
	}
	return first.Sub(w.now)
}
