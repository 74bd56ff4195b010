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

// Registered is there when it is asked for, counts for Ready, and says where to set what.
func TestRegistered(t *testing.T) {
	fact := func(yes bool, reason string, code int) status.Fact {
		return status.Fact{True: yes, False: !yes, Reason: reason, HTTPStatus: code}
	}
	const ours = "https://link.vision.example/hr/webhook"
	for _, c := range []struct {
		reason   string
		platform v1alpha1.Platform
		contact  status.Contact
		fact     status.Fact
		want     metav1.ConditionStatus
		because  string
		says     string
	}{
		{"LINE calls us", v1alpha1.PlatformLINE, status.Answered, fact(true, v1alpha1.ReasonRegistered, 0), metav1.ConditionTrue, v1alpha1.ReasonRegistered, "LINE calls " + ours + ". Its switch \"Webhook redelivery\""},
		{"LINE calls another", v1alpha1.PlatformLINE, status.Answered, fact(false, v1alpha1.ReasonOtherWebhookURL, 0), metav1.ConditionFalse, v1alpha1.ReasonOtherWebhookURL, "set it to " + ours},
		{"switched off at LINE", v1alpha1.PlatformLINE, status.Answered, fact(false, v1alpha1.ReasonWebhookInactive, 0), metav1.ConditionFalse, v1alpha1.ReasonWebhookInactive, "switch on \"Use webhook\""},
		{"LINE's test fails", v1alpha1.PlatformLINE, status.Answered, fact(false, v1alpha1.ReasonWebhookBadStatus, 502), metav1.ConditionFalse, v1alpha1.ReasonWebhookBadStatus, "(HTTP status 502)"},
		{"no word for what LINE said", v1alpha1.PlatformLINE, status.Answered, fact(true, v1alpha1.ReasonSubscribed, 0), metav1.ConditionUnknown, v1alpha1.ReasonPending, "has not asked"},
		{"LINE is silent", v1alpha1.PlatformLINE, status.Answered, status.Fact{Reason: v1alpha1.ReasonPlatformSilent}, metav1.ConditionUnknown, v1alpha1.ReasonPlatformSilent, "log has the reason"},
		{"Meta calls us", v1alpha1.PlatformFacebook, status.Answered, fact(true, v1alpha1.ReasonRegistered, 0), metav1.ConditionTrue, v1alpha1.ReasonRegistered, "Meta calls this server"},
		{"as far as can be seen", v1alpha1.PlatformFacebook, status.Answered, fact(true, v1alpha1.ReasonSubscribed, 0), metav1.ConditionTrue, v1alpha1.ReasonSubscribed, "spec.messenger.appSecretRef"},
		{"the field is missing", v1alpha1.PlatformFacebook, status.Answered, fact(false, v1alpha1.ReasonNotSubscribed, 0), metav1.ConditionFalse, v1alpha1.ReasonNotSubscribed, "messaging_account_linking"},
		{"the token may not", v1alpha1.PlatformFacebook, status.Answered, fact(false, v1alpha1.ReasonTokenRejected, 0), metav1.ConditionFalse, v1alpha1.ReasonTokenRejected, "pages_manage_metadata"},
		{"not asked yet", v1alpha1.PlatformFacebook, status.Answered, status.Fact{}, metav1.ConditionUnknown, v1alpha1.ReasonPending, "has not asked"},
		{"the server is silent", v1alpha1.PlatformLINE, status.Unreachable, fact(true, v1alpha1.ReasonRegistered, 0), metav1.ConditionUnknown, v1alpha1.ReasonServerUnreachable, "admin port"},
	} {
		link := line()
		link.Spec.Platform, link.Spec.PublicURL = c.platform, "https://link.vision.example/hr"
		seen := status.Observed{
			Applied: true,
			Server: status.Server{Contact: c.contact, Report: status.Report{
				Issuer: status.Fact{True: true, Reason: v1alpha1.ReasonDiscovered}, Store: status.Fact{True: true, Reason: v1alpha1.ReasonStoreOpen},
				Registration: c.fact,
			}},
		}
		if got := meta.FindStatusCondition(status.Conditions(link, seen, time.Unix(0, 0)), v1alpha1.ConditionRegistered); got != nil {
			t.Errorf("%s: nobody asked, and it says %+v", c.reason, got)
		}
		link.Spec.Webhook = &v1alpha1.Webhook{Registration: v1alpha1.WebhookRegistrationObserve}
		got := meta.FindStatusCondition(status.Conditions(link, seen, time.Unix(0, 0)), v1alpha1.ConditionRegistered)
		if got == nil || got.Status != c.want || got.Reason != c.because || !strings.Contains(got.Message, c.says) || strings.Contains(got.Message, "%") {
			t.Errorf("%s: %+v", c.reason, got)
		}
	}
}
