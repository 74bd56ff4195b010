package status_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
)

func TestConfirmationSeen(t *testing.T) {
	line := v1alpha1.ChannelLinkSpec{Platform: v1alpha1.PlatformLINE}
	facebook := v1alpha1.ChannelLinkSpec{Platform: v1alpha1.PlatformFacebook}
	behind := v1alpha1.ChannelLinkSpec{Platform: v1alpha1.PlatformLINE, BotBonnie: &v1alpha1.BotBonnie{}}
	missing := status.Fact{False: true, Reason: v1alpha1.ReasonLoginUnconfirmed}
	for _, c := range []struct {
		reason  string
		spec    v1alpha1.ChannelLinkSpec
		contact status.Contact
		fact    status.Fact
		want    metav1.ConditionStatus
		because string
		says    string
	}{
		{"before anything", line, status.Answered, status.Fact{}, metav1.ConditionUnknown, v1alpha1.ReasonPending, "No link"},
		{"once one is seen", line, status.Answered, status.Fact{True: true, Reason: v1alpha1.ReasonConfirmed}, metav1.ConditionTrue, v1alpha1.ReasonConfirmed, "confirms"},
		{"LINE is silent", line, status.Answered, missing, metav1.ConditionFalse, v1alpha1.ReasonLoginUnconfirmed, "LINE Developers Console"},
		{"Meta is silent", facebook, status.Answered, missing, metav1.ConditionFalse, v1alpha1.ReasonLoginUnconfirmed, "messaging_account_linking"},
		{"BotBonnie is silent", behind, status.Answered, missing, metav1.ConditionFalse, v1alpha1.ReasonLoginUnconfirmed, "spec.botBonnie.apiTokenSecretRef"},
		{"the server is silent", line, status.Unreachable, missing, metav1.ConditionUnknown, v1alpha1.ReasonServerUnreachable, "admin port"},
	} {
		link := &v1alpha1.ChannelLink{Spec: c.spec}
		seen := status.Observed{Server: status.Server{Contact: c.contact, Report: status.Report{Confirmation: c.fact}}}
		got := meta.FindStatusCondition(status.Conditions(link, seen, time.Unix(0, 0)), v1alpha1.ConditionConfirmationSeen)
		if got == nil || got.Status != c.want || got.Reason != c.because || !strings.Contains(got.Message, c.says) {
			t.Errorf("%s: %+v", c.reason, got)
		}
	}
}
