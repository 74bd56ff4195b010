package controllers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	coreac "k8s.io/client-go/applyconfigurations/core/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/apply"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/config"
)

// Each error that a pass can meet becomes the right problem, is tried again when the world may mend it and at the right
// time, and tells nothing that the API server or anybody else wrote.
func TestJudge(t *testing.T) {
	const canary = "canary-77ab"
	link := &v1alpha1.ChannelLink{ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "hr", UID: "mine"}}
	deployments := schema.GroupResource{Group: "apps", Resource: "deployments"}
	claims := schema.GroupResource{Resource: "persistentvolumeclaims"}
	growth := func(err error) error {
		return &notGrownError{cause: err, volume: coreac.PersistentVolumeClaim("hr-data", "vision").
			WithSpec(coreac.PersistentVolumeClaimSpec().WithResources(coreac.VolumeResourceRequirements().
				WithRequests(corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("5Gi")})))}
	}
	wrap := func(err error) error { return fmt.Errorf("applying Deployment %q: %w", "hr", err) }
	foreign := func(owner *metav1.OwnerReference, labels map[string]string) error {
		meta := &metav1.ObjectMeta{Labels: labels}
		if owner != nil {
			meta.OwnerReferences = []metav1.OwnerReference{*owner}
		}
		return &apply.ForeignObjectError{Kind: schema.GroupVersionKind{Kind: "Service"}, Name: "hr", Metadata: meta}
	}
	former := &metav1.OwnerReference{Kind: "ChannelLink", Name: "hr", UID: "former", Controller: new(true)}
	ourLabels := map[string]string{names.LabelManagedBy: names.ManagedBy}
	const accepted, available, store = v1alpha1.ConditionAccepted, v1alpha1.ConditionAvailable, v1alpha1.ConditionStoreReady

	for _, tc := range []struct {
		name string
		err  error
		want status.Problem // Message: a part of it
		// retried: the error goes back to the queue; after: a fixed pause.
		retried bool
		after   time.Duration
	}{
		{name: "problem", err: refuse(v1alpha1.ReasonConflict, "said before"),
			want: status.Problem{Condition: accepted, Reason: v1alpha1.ReasonConflict, Message: "said before", Final: true}},
		{name: "endpoint", err: &desired.URLError{Reason: desired.ErrEndpointNotAllowed, Field: "line.endpoints.api", Host: "evil.example"},
			want: status.Problem{Condition: accepted, Reason: v1alpha1.ReasonEndpointNotAllowed, Message: "spec.line.endpoints.api", Final: true}},
		{name: "plain http", err: &desired.URLError{Reason: desired.ErrInsecureURL, Field: "publicURL", Host: "a.localhost", Local: true},
			want: status.Problem{Condition: accepted, Reason: v1alpha1.ReasonInsecureURL, Message: "spec.publicURL", Final: true}},
		{name: "expression", err: fmt.Errorf("oidc.requiredClaims: %w", config.ErrInvalidExpression),
			want: status.Problem{Condition: accepted, Reason: v1alpha1.ReasonInvalidExpression, Message: "oidc.requiredClaims", Final: true}},
		{name: "stranger", err: foreign(nil, nil), after: nameConflictRetry,
			want: status.Problem{Condition: accepted, Reason: v1alpha1.ReasonNameConflict, Message: `Service "hr"`, Final: true}},
		{name: "another ChannelLink", err: foreign(&metav1.OwnerReference{Kind: "ChannelLink", Name: "h.r", UID: "other", Controller: new(true)}, ourLabels), after: nameConflictRetry,
			want: status.Problem{Condition: accepted, Reason: v1alpha1.ReasonNameConflict, Message: `Service "hr"`, Final: true}},
		{name: "predecessor", err: foreign(former, ourLabels), after: predecessorRetry,
			want: status.Problem{Condition: available, Reason: v1alpha1.ReasonProgressing, Message: `Service "hr"`}},
		{name: "looks like a predecessor", err: foreign(former, nil), after: nameConflictRetry,
			want: status.Problem{Condition: accepted, Reason: v1alpha1.ReasonNameConflict, Message: `Service "hr"`, Final: true}},
		{name: "invalid", after: refusedRetry,
			err:  wrap(apierrors.NewInvalid(schema.GroupKind{Kind: "Deployment"}, "hr", field.ErrorList{field.Invalid(field.NewPath("spec", "replicas"), canary, canary)})),
			want: status.Problem{Condition: available, Reason: v1alpha1.ReasonApplyFailed, Message: `Invalid for Deployment "hr", spec.replicas`, Final: true}},
		{name: "forbidden", err: wrap(apierrors.NewForbidden(deployments, "hr", errors.New(canary))), retried: true,
			want: status.Problem{Condition: available, Reason: v1alpha1.ReasonApplyFailed, Message: `Forbidden for deployments "hr"`}},
		{name: "growth", after: refusedRetry,
			err:  growth(apierrors.NewForbidden(claims, "hr-data", errors.New(canary))),
			want: status.Problem{Condition: store, Reason: v1alpha1.ReasonVolumeNotGrown, Message: `the 5Gi of spec.store.sqlite.size. The cluster answered Forbidden for persistentvolumeclaims "hr-data"`}},
		{name: "growth before the volume is bound", after: refusedRetry,
			err:  growth(apierrors.NewInvalid(schema.GroupKind{Kind: "PersistentVolumeClaim"}, "hr-data", field.ErrorList{field.Forbidden(field.NewPath("spec"), canary)})),
			want: status.Problem{Condition: store, Reason: v1alpha1.ReasonVolumeNotGrown, Message: `Invalid for PersistentVolumeClaim "hr-data", spec`}},
		{name: "conflict", err: wrap(apierrors.NewConflict(deployments, "hr", errors.New(canary))), retried: true,
			want: status.Problem{Condition: available, Reason: v1alpha1.ReasonApplyFailed, Message: "Conflict"}},
		{name: "terminating", want: status.Problem{Condition: available, Reason: v1alpha1.ReasonDeleting, Message: "namespace"},
			err: wrap(&apierrors.StatusError{ErrStatus: metav1.Status{Reason: metav1.StatusReasonForbidden, Details: &metav1.StatusDetails{
				Causes: []metav1.StatusCause{{Type: "NamespaceTerminating"}}}}})},
		{name: "internal", err: wrap(apierrors.NewInternalError(errors.New(canary))), retried: true,
			want: status.Problem{Condition: available, Reason: v1alpha1.ReasonApplyFailed, Message: "InternalError"}},
		{name: "no answer", retried: true,
			err:  wrap(&url.Error{Op: "Patch", URL: "https://" + canary, Err: &net.OpError{Op: "dial", Err: errors.New(canary)}}),
			want: status.Problem{Condition: available, Reason: v1alpha1.ReasonApplyFailed, Message: "The cluster does not answer"}},
		{name: "timeout", err: wrap(context.DeadlineExceeded), retried: true,
			want: status.Problem{Condition: available, Reason: v1alpha1.ReasonApplyFailed, Message: "The cluster does not answer"}},
		{name: "keys", err: fmt.Errorf("%w: %s", errKeys, canary), retried: true,
			want: status.Problem{Condition: available, Reason: v1alpha1.ReasonApplyFailed, Message: "The operator's own signing keys"}},
		{name: "anything else", err: errors.New(canary), retried: true,
			want: status.Problem{Condition: available, Reason: v1alpha1.ReasonApplyFailed, Message: "The operator could not prepare the objects"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			problem, result, err := judge(link, tc.err)
			if (err != nil) != tc.retried || result.RequeueAfter != tc.after {
				t.Errorf("retried: %v, after %s; want %t, after %s", err, result.RequeueAfter, tc.retried, tc.after)
			}
			if !strings.Contains(problem.Message, tc.want.Message) || strings.Contains(problem.Message, canary) {
				t.Errorf("message %q, want %q in it, and nothing of others", problem.Message, tc.want.Message)
			}
			got := *problem
			got.Message = tc.want.Message
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("problem (-want +got):\n%s", diff)
			}
		})
	}
}
