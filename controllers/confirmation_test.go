package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/adminapi"
)

func TestConfirmationFact(t *testing.T) {
	for _, c := range []struct {
		reason string
		seen   *adminapi.Confirmation
		want   status.Fact
	}{
		{"the store cannot tell", nil, status.Fact{}},
		{"nobody has logged in", &adminapi.Confirmation{}, status.Fact{}},
		{"confirmed", &adminapi.Confirmation{Ever: true}, status.Fact{True: true, Reason: v1alpha1.ReasonConfirmed}},
		{"never confirmed", &adminapi.Confirmation{Unconfirmed: true}, status.Fact{False: true, Reason: v1alpha1.ReasonLoginUnconfirmed}},
		{"not confirmed any more", &adminapi.Confirmation{Ever: true, Unconfirmed: true}, status.Fact{False: true, Reason: v1alpha1.ReasonLoginUnconfirmed}},
	} {
		if got := confirmationFact(c.seen); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.reason, got, c.want)
		}
	}
}

// A login that nothing confirmed is told once, as a warning, and not again while it stays so.
func TestUnconfirmedLoginIsTold(t *testing.T) {
	condition := func(is metav1.ConditionStatus, reason string) []metav1.Condition {
		return []metav1.Condition{{Type: v1alpha1.ConditionConfirmationSeen, Status: is, Reason: reason, Message: "look there"}}
	}
	before := condition(metav1.ConditionUnknown, v1alpha1.ReasonPending)
	after := condition(metav1.ConditionFalse, v1alpha1.ReasonLoginUnconfirmed)
	got := transitions(before, after)
	if len(got) != 1 || got[0].kind != corev1.EventTypeWarning || got[0].reason != v1alpha1.ReasonLoginUnconfirmed || got[0].message != "look there" {
		t.Errorf("told %+v", got)
	}
	if again := transitions(after, after); len(again) != 0 {
		t.Errorf("told again %+v", again)
	}
	if seen := transitions(after, condition(metav1.ConditionTrue, v1alpha1.ReasonConfirmed)); len(seen) != 0 {
		t.Errorf("good news told as %+v", seen)
	}
}
