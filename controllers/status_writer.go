package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	ac "channellink.dev/operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// StatusWriter writes the status of ChannelLinks, when it changed, and tells of what changed in Events.
type StatusWriter struct {
	Client   client.Client
	Recorder events.EventRecorder

	written written[v1alpha1.ChannelLinkStatus]
}

// Latest gives the ChannelLink with the status that was written last, should the cache not have caught up with it.
func (w *StatusWriter) Latest(link *v1alpha1.ChannelLink) *v1alpha1.ChannelLink {
	status, ok := w.written.latest(link)
	if !ok {
		return link
	}
	link = link.DeepCopy()
	status.DeepCopyInto(&link.Status)
	return link
}

// Forget drops what is kept of a ChannelLink that is gone.
func (w *StatusWriter) Forget(key types.NamespacedName) { w.written.forget(key) }

// Write writes the status if it differs from the one that the ChannelLink has.
func (w *StatusWriter) Write(ctx context.Context, link *v1alpha1.ChannelLink, status v1alpha1.ChannelLinkStatus) error {
	if equality.Semantic.DeepEqual(inOrder(link.Status), inOrder(status)) {
		return nil
	}
	config := ac.ChannelLink(link.Name, link.Namespace).WithUID(link.UID).WithStatus(applyStatus(status))
	if err := w.Client.Status().Apply(ctx, config, client.FieldOwner(names.FieldOwner), client.ForceOwnership); err != nil {
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil // the ChannelLink has gone, or been made anew: it has no use for this status
		}
		return fmt.Errorf("writing the status: %w", err)
	}
	w.written.note(client.ObjectKeyFromObject(link), config.ResourceVersion, status)
	for _, event := range transitions(link.Status.Conditions, status.Conditions) {
		w.Recorder.Eventf(link, nil, event.kind, event.reason, event.action, "%s", shortened(event.message))
	}
	return nil
}

// inOrder is the status with its lists in one order. They are maps to the API server, which keeps the order in which their
// elements came to be.
func inOrder(status v1alpha1.ChannelLinkStatus) *v1alpha1.ChannelLinkStatus {
	sorted := status.DeepCopy()
	slices.SortFunc(sorted.Conditions, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
	if sorted.Endpoints != nil {
		slices.SortFunc(sorted.Endpoints.Services, func(a, b v1alpha1.ServiceEndpoint) int { return strings.Compare(a.Name, b.Name) })
	}
	return sorted
}

func applyStatus(status v1alpha1.ChannelLinkStatus) *ac.ChannelLinkStatusApplyConfiguration {
	config := ac.ChannelLinkStatus().
		WithObservedGeneration(status.ObservedGeneration).
		WithReplicas(status.Replicas).
		WithReadyReplicas(status.ReadyReplicas).
		WithSelector(status.Selector)
	for _, c := range status.Conditions {
		config.WithConditions(applyCondition(c))
	}
	if status.ActiveLinks != nil {
		config.WithActiveLinks(*status.ActiveLinks)
	}
	if e := status.Endpoints; e != nil {
		endpoints := ac.Endpoints()
		for _, endpoint := range []struct {
			url  string
			with func(string) *ac.EndpointsApplyConfiguration
		}{
			{e.Authorize, endpoints.WithAuthorize},
			{e.Callback, endpoints.WithCallback},
			{e.Webhook, endpoints.WithWebhook},
			{e.Linked, endpoints.WithLinked},
			{e.Unlinked, endpoints.WithUnlinked},
			{e.Introspect, endpoints.WithIntrospect},
		} {
			if endpoint.url != "" {
				endpoint.with(endpoint.url)
			}
		}
		for _, s := range e.Services {
			endpoints.WithServices(ac.ServiceEndpoint().WithName(s.Name).WithURL(s.URL))
		}
		config.WithEndpoints(endpoints)
	}
	return config
}

// maxNote is the longest note of an Event that the API server takes, in bytes.
const maxNote = 1024

// shortened is the message cut to what fits into an Event, on the border of a character.
func shortened(message string) string {
	if len(message) <= maxNote {
		return message
	}
	const ellipsis = "…"
	cut := maxNote - len(ellipsis)
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + ellipsis
}

// notice is an Event about to be recorded. Its reason is one of the reasons of the conditions, so the list is closed.
type notice struct{ kind, reason, action, message string }

// eventful are the conditions whose failing a person should hear of. That pods come and go is the Deployment's to tell.
var eventful = []string{
	v1alpha1.ConditionAccepted, v1alpha1.ConditionSecretsReady, v1alpha1.ConditionIssuerDiscovered,
	v1alpha1.ConditionStoreReady, v1alpha1.ConditionExposed, v1alpha1.ConditionConfirmationSeen,
}

// warnings are the reasons of which a person should hear although the condition is true.
var warnings = []string{v1alpha1.ReasonStaleMetadata, v1alpha1.ReasonVolumeNotGrown, v1alpha1.ReasonVolumeOfAnotherClass}

// transitions are the Events for the way from one set of conditions to the next.
func transitions(before, after []metav1.Condition) []notice {
	var notices []notice
	for _, kind := range eventful {
		was, is := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(after, kind)
		if is == nil || (was != nil && was.Status == is.Status && was.Reason == is.Reason) {
			continue
		}
		failing := is.Status == metav1.ConditionFalse && is.Reason != v1alpha1.ReasonExposurePending
		if failing || slices.Contains(warnings, is.Reason) {
			notices = append(notices, notice{corev1.EventTypeWarning, is.Reason, "Check" + kind, is.Message})
		}
	}
	if meta.IsStatusConditionTrue(after, v1alpha1.ConditionReady) && !meta.IsStatusConditionTrue(before, v1alpha1.ConditionReady) {
		ready := meta.FindStatusCondition(after, v1alpha1.ConditionReady)
		notices = append(notices, notice{corev1.EventTypeNormal, ready.Reason, "CheckReady", ready.Message})
	}
	return notices
}
