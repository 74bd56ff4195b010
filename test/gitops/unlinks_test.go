package gitops_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
)

// unlinkStates are those that an AccountUnlink of one user goes through.
var unlinkStates = map[string]status.Unlinking{
	"no-channellink":        {},
	"waiting-for-server":    obstacle(v1alpha1.ReasonWaitingForServer, `The server of ChannelLink "vision-hr" does not answer`),
	"credentials-rejected":  obstacle(v1alpha1.ReasonCredentialsRejected, `BotBonnie refuses the token of ChannelLink "vision-hr"`),
	"backing-off":           obstacle(v1alpha1.ReasonBackingOff, "BotBonnie does not answer"),
	"suspended":             obstacle(v1alpha1.ReasonSuspended, "spec.suspend is true"),
	"unlinked":              over(v1alpha1.UnlinkResultUnlinked, status.UnlinkCounts{Unlinked: 1}),
	"not-linked":            over(v1alpha1.UnlinkResultNotLinked, status.UnlinkCounts{NotLinked: 1}),
	"superseded":            over(v1alpha1.UnlinkResultSuperseded, status.UnlinkCounts{Superseded: 1}),
	"rejected":              over(v1alpha1.UnlinkResultFailed, status.UnlinkCounts{Failed: 1}),
	"deadline-exceeded":     obstacle(v1alpha1.ReasonBackingOff, "BotBonnie does not answer"),
	"actions-not-supported": {Refusal: &status.Refusal{Reason: v1alpha1.ReasonActionsNotSupported, Message: "There is no BotBonnie to take the actions"}},
}

// The AccountUnlinks of the health checks' tests have the status that the operator writes in each state.
func TestAccountUnlinksAreAsTheOperatorWritesThem(t *testing.T) {
	for name, seen := range unlinkStates {
		unlink := accountUnlink()
		switch name {
		case "suspended":
			unlink.Spec.Suspend = new(true)
		case "deadline-exceeded":
			unlink.Status.StartTime = new(metav1.NewTime(now.Add(-48 * time.Hour)))
			unlink.Status.Attempts = 480
		}
		unlink.Status = status.OfUnlink(unlink, seen, now)
		golden(t, "AccountUnlink", name, unlink)
		if name == "backing-off" {
			unlink.Generation++ // somebody has suspended it just now
			golden(t, "AccountUnlink", "edited", unlink)
		}
	}
	fresh := accountUnlink()
	fresh.Status.ObservedGeneration, fresh.Status.Conditions = -1, pending()
	golden(t, "AccountUnlink", "fresh", fresh)
}

func accountUnlink() *v1alpha1.AccountUnlink {
	return &v1alpha1.AccountUnlink{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.SchemeGroupVersion.String(), Kind: "AccountUnlink"},
		ObjectMeta: metav1.ObjectMeta{
			Name: "hr-1234-phone-lost", Namespace: "vision", Generation: 1, CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)),
		},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: "vision-hr"},
			User:           v1alpha1.UnlinkUser{UserID: "U206d25c2ea6bd87c17655609a1c37cb8"},
		},
	}
}

// obstacle is a request that is not over, and why.
func obstacle(reason, detail string) status.Unlinking {
	return status.Unlinking{Channels: []status.ChannelUnlinking{
		{Name: "vision-hr", Obstacle: reason, Detail: detail, Next: now.Add(time.Minute)},
	}}
}

// over is a request that the server has answered for good.
func over(result v1alpha1.UnlinkResult, counts status.UnlinkCounts) status.Unlinking {
	return status.Unlinking{Channels: []status.ChannelUnlinking{{
		Name: "vision-hr",
		Answer: &status.UnlinkAnswer{
			At: now, StartedAt: now, Attempts: 1, Counts: counts,
			Users: []v1alpha1.UnlinkedUser{{ChannelLink: "vision-hr", User: "U206…7cb8", Result: result, Attempts: 1}},
		},
	}}}
}
