package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metaac "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	ac "channellink.dev/operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// UnlinkStatusWriter writes the status of AccountUnlinks, when it changed, and tells in an Event how a request has ended.
type UnlinkStatusWriter struct {
	Client   client.Client
	Recorder events.EventRecorder

	written written[v1alpha1.AccountUnlinkStatus]
}

// Latest gives the AccountUnlink with the status that was written last, should the cache not have caught up with it.
func (w *UnlinkStatusWriter) Latest(unlink *v1alpha1.AccountUnlink) *v1alpha1.AccountUnlink {
	status, ok := w.written.latest(unlink)
	if !ok {
		return unlink
	}
	unlink = unlink.DeepCopy()
	status.DeepCopyInto(&unlink.Status)
	return unlink
}

// Write writes the status if it differs from the one that the AccountUnlink has.
func (w *UnlinkStatusWriter) Write(ctx context.Context, unlink *v1alpha1.AccountUnlink, status v1alpha1.AccountUnlinkStatus) error {
	if equality.Semantic.DeepEqual(unlink.Status, status) {
		return nil
	}
	config := ac.AccountUnlink(unlink.Name, unlink.Namespace).WithUID(unlink.UID).WithStatus(applyUnlinkStatus(status))
	if err := w.Client.Status().Apply(ctx, config, client.FieldOwner(names.FieldOwner), client.ForceOwnership); err != nil {
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil // the AccountUnlink has gone, or been made anew: it has no use for this status
		}
		return fmt.Errorf("writing the status: %w", err)
	}
	w.written.note(client.ObjectKeyFromObject(unlink), config.ResourceVersion, status)
	if event, ok := unlinkEvent(unlink.Status, status); ok {
		w.Recorder.Eventf(unlink, nil, event.kind, event.reason, event.action, "%s", shortened(event.message))
	}
	return nil
}

// unlinkEvent is the Event for the way from one status to the next: when the request ends, and when it waits for a person.
func unlinkEvent(before, after v1alpha1.AccountUnlinkStatus) (notice, bool) {
	was, is := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionReady), meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionReady)
	ended := before.CompletionTime == nil && after.CompletionTime != nil
	rejected := is.Reason == v1alpha1.ReasonCredentialsRejected && (was == nil || was.Reason != is.Reason)
	if !ended && !rejected {
		return notice{}, false
	}
	event := notice{kind: corev1.EventTypeNormal, reason: is.Reason, action: "Unlink", message: is.Message}
	if is.Status != metav1.ConditionTrue {
		event.kind = corev1.EventTypeWarning
	}
	if after.Summary != "" {
		event.message += " (" + after.Summary + ")"
	}
	return event, true
}

func applyUnlinkStatus(status v1alpha1.AccountUnlinkStatus) *ac.AccountUnlinkStatusApplyConfiguration {
	config := ac.AccountUnlinkStatus().
		WithObservedGeneration(status.ObservedGeneration).
		WithChannels(status.Channels...)
	// What is zero is left out, as the type has it: absent means that there is none.
	config.StartTime, config.LastAttemptTime = status.StartTime, status.LastAttemptTime
	config.NextAttemptTime, config.CompletionTime = status.NextAttemptTime, status.CompletionTime
	config.Attempts, config.MoreUsers = orNil(status.Attempts), orNil(status.MoreUsers)
	config.LastHandledRetryAt, config.Summary = orNil(status.LastHandledRetryAt), orNil(status.Summary)
	for _, c := range status.Conditions {
		config.WithConditions(applyCondition(c))
	}
	for _, user := range status.Users {
		u := ac.UnlinkedUser().WithChannelLink(user.ChannelLink).WithUser(user.User)
		u.Result, u.Attempts, u.Message = orNil(user.Result), orNil(user.Attempts), orNil(user.Message)
		config.WithUsers(u)
	}
	return config
}

func applyCondition(c metav1.Condition) *metaac.ConditionApplyConfiguration {
	return metaac.Condition().
		WithType(c.Type).WithStatus(c.Status).WithReason(c.Reason).WithMessage(c.Message).
		WithObservedGeneration(c.ObservedGeneration).WithLastTransitionTime(c.LastTransitionTime)
}

func orNil[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}
