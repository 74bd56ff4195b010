package gitops_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
)

// unlinkStates are those that an AccountUnlink goes through: the reason is that of the condition which tells most, and the
// end the one that is true when it is over.
var unlinkStates = map[string]struct {
	end, reason, message string
}{
	"waiting-for-channellink": {"", v1alpha1.ReasonWaitingForChannelLink, `There is no ChannelLink "vision-hr"`},
	"waiting-for-server":      {"", v1alpha1.ReasonWaitingForServer, `The server of ChannelLink "vision-hr" does not answer yet`},
	"credentials-rejected":    {"", v1alpha1.ReasonCredentialsRejected, `The platform refuses the token of ChannelLink "vision-hr"`},
	"backing-off":             {"", v1alpha1.ReasonBackingOff, "The last attempt failed; the next is scheduled"},
	"suspended":               {"", v1alpha1.ReasonSuspended, "spec.suspend is true"},
	"unlinked":                {v1alpha1.ConditionComplete, v1alpha1.ReasonUnlinked, "Every link is revoked"},
	"not-linked":              {v1alpha1.ConditionComplete, v1alpha1.ReasonNotLinked, "There was nothing to unlink"},
	"superseded":              {v1alpha1.ConditionComplete, v1alpha1.ReasonSupersededByNewerLink, "The user has linked again since"},
	"deadline-exceeded":       {v1alpha1.ConditionFailed, v1alpha1.ReasonDeadlineExceeded, "spec.activeDeadlineSeconds have passed"},
	"rejected":                {v1alpha1.ConditionFailed, v1alpha1.ReasonRejected, "Revoked here; BotBonnie still shows this user as linked"},
	"actions-not-supported":   {v1alpha1.ConditionFailed, v1alpha1.ReasonActionsNotSupported, "There is no BotBonnie to take the actions"},
}

func TestAccountUnlinksInEveryState(t *testing.T) {
	for name, state := range unlinkStates {
		unlink := accountUnlink()
		unlink.Status.ObservedGeneration = unlink.Generation
		if name == "suspended" {
			unlink.Spec.Suspend = new(true)
		}
		condition := func(kind string, holds bool) {
			c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: state.reason, Message: state.message,
				ObservedGeneration: unlink.Generation, LastTransitionTime: metav1.NewTime(now)}
			if holds {
				c.Status = metav1.ConditionTrue
			}
			unlink.Status.Conditions = append(unlink.Status.Conditions, c)
		}
		complete, failed := state.end == v1alpha1.ConditionComplete, state.end == v1alpha1.ConditionFailed
		condition(v1alpha1.ConditionComplete, complete)
		condition(v1alpha1.ConditionFailed, failed)
		condition(v1alpha1.ConditionReady, complete)
		condition(v1alpha1.ConditionReconciling, state.end == "" && name != "suspended")
		condition(v1alpha1.ConditionStalled, failed)
		golden(t, "AccountUnlink", name, unlink)
	}
	fresh := accountUnlink()
	fresh.Status.ObservedGeneration, fresh.Status.Conditions = -1, pending()
	golden(t, "AccountUnlink", "fresh", fresh)
}

func accountUnlink() *v1alpha1.AccountUnlink {
	return &v1alpha1.AccountUnlink{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "AccountUnlink"},
		ObjectMeta: metav1.ObjectMeta{Name: "hr-1234-phone-lost", Namespace: "vision", Generation: 1},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: "vision-hr"},
			User:           v1alpha1.UnlinkUser{UserID: "U206d25c2ea6bd87c17655609a1c37cb8"},
		},
	}
}
