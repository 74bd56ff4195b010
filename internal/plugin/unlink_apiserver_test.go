//go:build apiserver

package plugin_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/plugin"
	"channellink.dev/operator/internal/status"
)

// asOperator brings every AccountUnlink of the desk to the given end, as the operator would, and returns what they asked for.
func (d *desk) asOperator(t *testing.T, end, reason, message string, result v1alpha1.UnlinkResult) <-chan v1alpha1.AccountUnlink {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	seen, err := env.Client.Watch(ctx, &v1alpha1.AccountUnlinkList{}, client.InNamespace(d.namespace))
	if err != nil {
		t.Fatal(err)
	}
	asked, ended := make(chan v1alpha1.AccountUnlink, 10), make(chan struct{})
	t.Cleanup(func() { stop(); <-ended })
	go func() {
		defer close(ended)
		for event := range seen.ResultChan() {
			unlink, ok := event.Object.(*v1alpha1.AccountUnlink)
			if event.Type != watch.Added || !ok || len(unlink.Status.Conditions) > 0 && unlink.Status.Conditions[0].Reason != v1alpha1.ReasonPending {
				continue
			}
			asked <- *unlink
			if end == "" {
				continue
			}
			ready := metav1.ConditionTrue
			if end == v1alpha1.ConditionFailed {
				ready = metav1.ConditionFalse
			}
			for kind, stands := range map[string]metav1.ConditionStatus{end: metav1.ConditionTrue, v1alpha1.ConditionReady: ready} {
				meta.SetStatusCondition(&unlink.Status.Conditions, metav1.Condition{Type: kind, Status: stands, Reason: reason, Message: message})
			}
			user := v1alpha1.UnlinkedUser{ChannelLink: "vision-hr", User: "U206…7cb8", Result: result, Attempts: 1}
			counts := status.UnlinkCounts{Unlinked: 1}
			if result == v1alpha1.UnlinkResultFailed {
				user.Message, counts = "revoked here; BotBonnie still shows this user as linked (HTTP status 404)", status.UnlinkCounts{Failed: 1}
			}
			unlink.Status.Users, unlink.Status.Summary = []v1alpha1.UnlinkedUser{user}, status.Summary(counts)
			if err := env.Client.Status().Update(context.WithoutCancel(ctx), unlink); err != nil {
				t.Errorf("play the operator: %v", err)
			}
		}
	}()
	return asked
}

func TestUnlink(t *testing.T) {
	d := newDesk(t, "vision-hr")
	asked := d.asOperator(t, v1alpha1.ConditionComplete, v1alpha1.ReasonUnlinked, "The links are revoked", v1alpha1.UnlinkResultUnlinked)
	actions := filepath.Join(t.TempDir(), "actions.yaml")
	if err := os.WriteFile(actions, []byte("- {type: removeTag, value: tag-4VW8DDgwu}\n- {type: notifyAgent, message: 用戶已解除綁定}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.in = lineUser + "\n"
	got := d.run(t, "unlink vision-hr --user-id=- --reason=HR-1234 --linked-before=2026-01-31T00:00:00Z --call-unknown --actions="+actions)
	if got.failure != nil || strings.Contains(got.all, lineUser) {
		t.Errorf("%v\n%s", got.failure, got.all)
	}
	request := <-asked
	want := v1alpha1.AccountUnlinkSpec{
		ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: "vision-hr"}, User: v1alpha1.UnlinkUser{UserID: lineUser},
		Reason: "HR-1234", IfUnknown: v1alpha1.IfUnknownCall, LinkedBefore: &metav1.Time{Time: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)},
		Actions: []v1alpha1.UnlinkAction{{Type: "removeTag", Value: "tag-4VW8DDgwu"}, {Type: "notifyAgent", Message: "用戶已解除綁定"}},
		// What the API server adds.
		ActiveDeadlineSeconds: request.Spec.ActiveDeadlineSeconds, Suspend: request.Spec.Suspend,
	}
	if diff := cmp.Diff(want, request.Spec); diff != "" {
		t.Errorf("what was asked for (-want +got):\n%s", diff)
	}
	d.golden(t, "unlink", "unlink vision-hr --account=j.dupont@vision.example --reason=HR-1234", nil)
	if request := <-asked; request.Spec.User.Account != "j.dupont@vision.example" || request.Spec.LinkedBefore != nil {
		t.Errorf("asked for %+v", request.Spec)
	}
}

// A request that is refused for good ends in words, and with a code that a script can see.
func TestUnlinkRefused(t *testing.T) {
	d := newDesk(t, "vision-hr")
	d.asOperator(t, v1alpha1.ConditionFailed, v1alpha1.ReasonRejected, "The platform refuses to unlink for good; the links are revoked here all the same: see status.users", v1alpha1.UnlinkResultFailed)
	d.golden(t, "unlink-refused", "unlink vision-hr --subject=00u1a2b3c4", plugin.ErrUnwell)
}

// Who does not wait any longer is told where it stands: it goes on.
func TestUnlinkTakesLong(t *testing.T) {
	d := newDesk(t, "vision-hr")
	d.asOperator(t, "", "", "", "")
	if got := d.run(t, "unlink vision-hr --subject=00u1a2b3c4 --timeout=50ms"); got.failure == nil || !strings.HasPrefix(got.out, "Waiting: Pending") {
		t.Errorf("%v\n%s", got.failure, got.all)
	}
	if got := d.run(t, "unlink vision-hr --subject=00u1a2b3c4 --wait=false"); got.failure != nil || got.out != "" || !generated.MatchString(got.all) {
		t.Errorf("%v\n%s", got.failure, got.all)
	}
	for _, args := range []string{"", "--subject=a --account=b", "--user-id=-", "--subject=a --linked-before=yesterday", "--subject=a --actions=/nowhere"} {
		if got := d.run(t, "unlink vision-hr "+args); got.failure == nil || strings.Contains(got.all, "created") {
			t.Errorf("%q is taken: %s", args, got.all)
		}
	}
	d.kubeconfig = env.Kubeconfig(t, env.User(t, "nobody"))
	if got := d.run(t, "unlink vision-hr --subject=a"); got.failure == nil {
		t.Error("somebody without rights has unlinked")
	}
}
