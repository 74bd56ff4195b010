package controllers

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/apply"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/config"
)

const (
	// nameConflictRetry is how often an object that is in the way is looked for again. Nothing tells when it goes: the
	// operator watches its own objects alone.
	nameConflictRetry = time.Minute
	// refusedRetry is how often an object that the API server refused as invalid, and a volume that it does not let grow,
	// is sent again. Mostly the spec is at fault, and its change is heard of; where it was an admission policy, a storage
	// class or a quota, nothing tells when that changes.
	refusedRetry = 5 * time.Minute
	// predecessorRetry is how soon the objects of an earlier ChannelLink of the same name are looked for again, while
	// the garbage collector removes them.
	predecessorRetry = 2 * time.Second
)

// judge tells what a person has to mend from what the world may mend by itself. The first comes back as a problem and no
// error; the second as both.
func judge(link *v1alpha1.ChannelLink, err error) (*status.Problem, ctrl.Result, error) {
	if problem, ok := errors.AsType[*status.Problem](err); ok {
		return problem, ctrl.Result{}, nil
	}
	if volume, ok := errors.AsType[*notGrownError](err); ok {
		return volume.problem(), ctrl.Result{RequeueAfter: refusedRetry}, nil
	}
	if foreign, ok := errors.AsType[*apply.ForeignObjectError](err); ok {
		return inTheWay(link, foreign)
	}
	for cause, reason := range map[error]string{
		desired.ErrEndpointNotAllowed: v1alpha1.ReasonEndpointNotAllowed,
		desired.ErrInsecureURL:        v1alpha1.ReasonInsecureURL,
		config.ErrInvalidExpression:   v1alpha1.ReasonInvalidExpression,
	} {
		if errors.Is(err, cause) {
			return refuse(reason, err.Error()), ctrl.Result{}, nil
		}
	}
	if apierrors.HasStatusCause(err, "NamespaceTerminating") {
		return unavailable(v1alpha1.ReasonDeleting, "The namespace is being deleted"), ctrl.Result{}, nil
	}
	problem := unavailable(v1alpha1.ReasonApplyFailed, applyMessage(err))
	if apierrors.IsInvalid(err) {
		// The API server refuses an object that the spec shapes (affinity, annotations).
		problem.Final = true
		return problem, ctrl.Result{RequeueAfter: refusedRetry}, nil
	}
	return problem, ctrl.Result{}, err
}

func refuse(reason, message string) *status.Problem {
	return &status.Problem{Condition: v1alpha1.ConditionAccepted, Reason: reason, Message: message, Final: true}
}

func unavailable(reason, message string) *status.Problem {
	return &status.Problem{Condition: v1alpha1.ConditionAvailable, Reason: reason, Message: message}
}

// inTheWay tells an object of somebody else from what an earlier ChannelLink of the same name has left to the garbage
// collector.
func inTheWay(link *v1alpha1.ChannelLink, foreign *apply.ForeignObjectError) (*status.Problem, ctrl.Result, error) {
	object := fmt.Sprintf("%s %q", foreign.Kind.Kind, foreign.Name)
	if predecessor(link, foreign.Metadata) {
		return unavailable(v1alpha1.ReasonProgressing, "Waiting until the "+object+" of an earlier ChannelLink of this name is gone"),
			ctrl.Result{RequeueAfter: predecessorRetry}, nil
	}
	return refuse(v1alpha1.ReasonNameConflict, "The "+object+" exists and does not belong to this ChannelLink, so it is left alone: remove it, or give the ChannelLink another name"),
		ctrl.Result{RequeueAfter: nameConflictRetry}, nil
}

// predecessor tells whether the object belongs to a ChannelLink of the same name with another UID, which can only be an
// earlier one that is gone.
func predecessor(link *v1alpha1.ChannelLink, object metav1.Object) bool {
	owner := metav1.GetControllerOfNoCopy(object)
	return owner != nil && owner.UID != link.UID && owner.Kind == "ChannelLink" && owner.Name == link.Name &&
		object.GetLabels()[names.LabelManagedBy] == names.ManagedBy
}

// applyMessage names the object that the cluster refused and the class of its answer, without its text: that may hold
// values of other objects.
func applyMessage(err error) string {
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return causeOutsideTheAPI(err)
	}
	s := answer.Status()
	var b strings.Builder
	fmt.Fprintf(&b, "The cluster answered %s", orUnknown(string(s.Reason)))
	if s.Details != nil && s.Details.Name != "" {
		fmt.Fprintf(&b, " for %s %q", s.Details.Kind, s.Details.Name)
		for i, cause := range s.Details.Causes {
			if cause.Field == "" || i == 3 {
				break
			}
			fmt.Fprintf(&b, ", %s", cause.Field)
		}
	}
	b.WriteString("; the operator's log has the details")
	return b.String()
}

// causeOutsideTheAPI is the message for an error that is no answer of the API server.
func causeOutsideTheAPI(err error) string {
	if errors.Is(err, errKeys) {
		return "The operator's own signing keys cannot be used; the operator's log has the details"
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return "The cluster does not answer"
	}
	return "The operator could not prepare the objects; its log has the details"
}

func orUnknown(reason string) string {
	if reason == "" {
		return "with an error"
	}
	return reason
}
