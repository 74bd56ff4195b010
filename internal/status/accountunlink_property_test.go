package status_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/api/meta"
	"pgregory.net/rapid"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
)

// drawUnlinking draws anything that could be observed of a request.
func drawUnlinking(t *rapid.T) status.Unlinking {
	seen := status.Unlinking{Epoch: rapid.SampledFrom([]string{"", "2026-01-31T11:00:00Z"}).Draw(t, "epoch")}
	if rapid.IntRange(0, 9).Draw(t, "refused") == 0 {
		seen.Refusal = &status.Refusal{Reason: v1alpha1.ReasonActionsNotSupported, Message: rapid.String().Draw(t, "message")}
	}
	number := func(label string) int32 { return rapid.Int32Range(0, 90).Draw(t, label) }
	for i := range rapid.IntRange(0, 4).Draw(t, "channels") {
		c := status.ChannelUnlinking{
			Name: fmt.Sprint("channel-", i), Detail: rapid.String().Draw(t, "detail"),
			Obstacle: rapid.SampledFrom([]string{
				"", v1alpha1.ReasonWaitingForChannelLink, v1alpha1.ReasonWaitingForServer, v1alpha1.ReasonCredentialsRejected, v1alpha1.ReasonBackingOff,
			}).Draw(t, "obstacle"),
			Next: now.Add(time.Duration(number("next")) * time.Second),
		}
		if c.Obstacle == "" || rapid.Bool().Draw(t, "answered") {
			c.Answer = &status.UnlinkAnswer{
				At: now, StartedAt: now.Add(-time.Duration(number("ago")) * time.Second), Attempts: number("attempts"),
				Counts: status.UnlinkCounts{Waiting: number("waiting"), Unlinked: number("unlinked"), NotLinked: number("not linked"), Superseded: number("superseded"), Failed: number("failed")},
			}
			for range number("users") {
				c.Answer.Users = append(c.Answer.Users, v1alpha1.UnlinkedUser{
					ChannelLink: v1alpha1.ObjectName(c.Name), User: masked,
					Result: rapid.SampledFrom([]v1alpha1.UnlinkResult{"", v1alpha1.UnlinkResultUnlinked, v1alpha1.UnlinkResultFailed}).Draw(t, "result"),
				})
			}
		}
		seen.Channels = append(seen.Channels, c)
	}
	return seen
}

// Whatever is observed: the API server takes the status; Complete and Failed are never both true, Reconciling exactly while
// neither is; a request ends with a time, and no next attempt is due then; and the same facts tell the same, so that nothing
// is written twice. C75, C84
func TestAnyUnlinkStatus(t *testing.T) {
	validator := schemaOf(t, "accountunlinks")
	rapid.Check(t, func(rt *rapid.T) {
		unlink := aRequest()
		if rapid.Bool().Draw(rt, "selector") {
			unlink = aRequest(bySelector)
		}
		if rapid.Bool().Draw(rt, "suspended") {
			suspended(unlink)
		}
		seen := drawUnlinking(rt)
		got := status.OfUnlink(unlink, seen, now)

		holds := func(kind string) bool { return meta.IsStatusConditionTrue(got.Conditions, kind) }
		complete, failed := holds(v1alpha1.ConditionComplete), holds(v1alpha1.ConditionFailed)
		if complete && failed || holds(v1alpha1.ConditionReconciling) == (complete || failed) {
			rt.Errorf("the conditions disagree: %+v", got.Conditions)
		}
		if ended := got.CompletionTime != nil; ended != (complete || failed) || ended && got.NextAttemptTime != nil {
			rt.Errorf("ended at %v, next at %v, complete %t, failed %t", got.CompletionTime, got.NextAttemptTime, complete, failed)
		}
		if invalid := validation.ValidateCustomResource(nil, generic(rt, got), validator); len(invalid) > 0 {
			rt.Errorf("the API server would refuse it: %v", invalid.ToAggregate())
		}
		unlink.Status = got
		again := status.OfUnlink(unlink, seen, now)
		if diff := cmp.Diff(got, again); diff != "" {
			rt.Errorf("told anew (-before +after):\n%s", diff)
		}
	})
}

func TestTheUnlinkSchemaRefuses(t *testing.T) {
	invalid := v1alpha1.AccountUnlinkStatus{Users: make([]v1alpha1.UnlinkedUser, 101)}
	if refused := validation.ValidateCustomResource(nil, generic(t, invalid), schemaOf(t, "accountunlinks")); len(refused) == 0 {
		t.Error("101 users pass")
	}
}

// The exported words are bounded by the schema: a summary of the greatest numbers fits.
func TestTheLongestSummaryFits(t *testing.T) {
	const most = 1<<31 - 1
	summary := status.Summary(status.UnlinkCounts{Unlinked: most / 4, Superseded: most / 4, Failed: most / 4, Waiting: most / 4})
	if len(summary) > 256 {
		t.Errorf("%d characters: %s", len(summary), summary)
	}
}
