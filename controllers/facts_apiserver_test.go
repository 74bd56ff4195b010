//go:build apiserver

package controllers_test

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/webhookserver/adminapi"
)

// judged is what the kstatus library, and so a GitOps controller, makes of the ChannelLink.
func judged(t *testing.T, link *v1alpha1.ChannelLink) status.Status {
	t.Helper()
	return judgedObject(t, "ChannelLink", link)
}

// judgedUnlink is the same of an AccountUnlink.
func judgedUnlink(t *testing.T, unlink *v1alpha1.AccountUnlink) status.Status {
	t.Helper()
	return judgedObject(t, "AccountUnlink", unlink)
}

func judgedObject(t *testing.T, kind string, which client.Object) status.Status {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind(kind))
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(which), object); err != nil {
		t.Fatal(err)
	}
	result, err := status.Compute(object)
	if err != nil {
		t.Fatal(err)
	}
	return result.Status
}

// warned tells which reasons of Warning Events there are about the ChannelLink.
func warned(t *testing.T, link *v1alpha1.ChannelLink) map[string]string {
	t.Helper()
	events := &eventsv1.EventList{}
	if err := env.Client.List(t.Context(), events, client.InNamespace(link.Namespace)); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, event := range events.Items {
		if event.Regarding.UID == link.UID && event.Type == "Warning" {
			found[event.Reason] = event.Note
		}
	}
	return found
}

// What a server reports becomes the condition it is about, with the object and key at fault in its message; Ready carries
// the first failing reason; an Event tells of it; kstatus waits, because it may mend by itself; and the condition goes
// when the fault does, with no restart and no edit.
func TestWhatTheServerReports(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t))
	o.ready(t, link)

	const secret = "oidc.clientSecretRef"
	reference := func(state adminapi.ReferenceState) func(*fakeServer) {
		return func(s *fakeServer) { s.status.References = []adminapi.Reference{{Field: secret, State: state}} }
	}
	issuer := func(state adminapi.IssuerState, reason adminapi.IssuerReason, code int) func(*fakeServer) {
		return func(s *fakeServer) { s.status.Issuer = adminapi.Issuer{State: state, Reason: reason, HTTPStatus: code} }
	}
	store := func(reason adminapi.StoreReason) func(*fakeServer) {
		return func(s *fakeServer) { s.status.Store = adminapi.Store{State: adminapi.StoreFailed, Reason: reason} }
	}
	const (
		secrets   = v1alpha1.ConditionSecretsReady
		discovery = v1alpha1.ConditionIssuerDiscovered
		storage   = v1alpha1.ConditionStoreReady
	)
	no, unknown := metav1.ConditionFalse, metav1.ConditionUnknown
	for _, tc := range []struct {
		name string
		says func(*fakeServer)
		want condition
		// message is part of the condition's.
		message string
	}{
		{"missing", reference(adminapi.ReferenceMissing), condition{secrets, no, v1alpha1.ReasonSecretMissing}, `key "clientSecret" of Secret "vision-oidc"`},
		{"empty", reference(adminapi.ReferenceEmpty), condition{secrets, no, v1alpha1.ReasonSecretEmpty}, `key "clientSecret" of Secret "vision-oidc"`},
		{"vanished", reference(adminapi.ReferenceVanished), condition{secrets, no, v1alpha1.ReasonSecretVanished}, "the server goes on with the last value"},
		{"invalid", reference(adminapi.ReferenceInvalid), condition{secrets, no, v1alpha1.ReasonSecretInvalid}, `key "clientSecret" of Secret "vision-oidc"`},
		{"issuer unreachable", issuer(adminapi.IssuerFailed, adminapi.IssuerUnreachable, 0), condition{discovery, no, v1alpha1.ReasonIssuerUnreachable}, "https://sso.vision.example"},
		{"issuer answers 503", issuer(adminapi.IssuerFailed, adminapi.IssuerBadStatus, 503), condition{discovery, no, v1alpha1.ReasonIssuerBadStatus}, "HTTP status 503"},
		{"issuer mismatch", issuer(adminapi.IssuerFailed, adminapi.IssuerMismatch, 0), condition{discovery, no, v1alpha1.ReasonIssuerMismatch}, "spec.oidc.issuerURL"},
		{"issuer pending", issuer(adminapi.IssuerPending, "", 0), condition{discovery, unknown, v1alpha1.ReasonPending}, ""},
		{"issuer of a later release", issuer(adminapi.IssuerUnknown, "", 0), condition{discovery, unknown, v1alpha1.ReasonPending}, ""},
		{"store unavailable", store(adminapi.StoreUnavailable), condition{storage, no, v1alpha1.ReasonStoreUnavailable}, "does not answer"},
		{"store full", store(adminapi.StoreFull), condition{storage, no, v1alpha1.ReasonStoreFull}, "spec.store.sqlite.size"},
		{"server unreachable", func(s *fakeServer) { s.err = adminapi.ErrUnreachable }, condition{secrets, unknown, v1alpha1.ReasonServerUnreachable}, "admin port"},
		{"server refuses", func(s *fakeServer) { s.err = adminapi.ErrRefused }, condition{secrets, unknown, v1alpha1.ReasonServerRefused}, "signature"},
		{"server with earlier settings", func(s *fakeServer) { s.status.SettingsHash = "" }, condition{secrets, unknown, v1alpha1.ReasonProgressing}, "current settings"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var before adminapi.Status
			o.servers.change(link, func(s *fakeServer) {
				before = s.status
				tc.says(s)
			})
			got := eventually(t, link, tc.want)
			NewWithT(t).Expect(got.Message).To(ContainSubstring(tc.message))
			eventually(t, link, condition{v1alpha1.ConditionReady, tc.want.Status, tc.want.Reason})
			if judgement := judged(t, link); judgement != status.InProgressStatus {
				t.Errorf("kstatus judges %s, want %s", judgement, status.InProgressStatus)
			}
			if tc.want.Status == no {
				NewWithT(t).Eventually(func() map[string]string { return warned(t, link) }).Should(HaveKeyWithValue(tc.want.Reason, got.Message))
			}

			o.servers.change(link, func(s *fakeServer) { s.status, s.err = before, nil })
			eventually(t, link, condition{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady})
			eventually(t, link, condition{v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonReady})
			if judgement := judged(t, link); judgement != status.CurrentStatus {
				t.Errorf("mended, kstatus judges %s, want %s", judgement, status.CurrentStatus)
			}
		})
	}

	t.Run("stale metadata", func(t *testing.T) {
		o.servers.change(link, issuer(adminapi.IssuerStale, adminapi.IssuerTimedOut, 0))
		got := eventually(t, link, condition{discovery, metav1.ConditionTrue, v1alpha1.ReasonStaleMetadata})
		eventually(t, link, condition{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady})
		NewWithT(t).Eventually(func() map[string]string { return warned(t, link) }).Should(HaveKeyWithValue(v1alpha1.ReasonStaleMetadata, got.Message))
	})
	t.Run("several at once", func(t *testing.T) {
		o.servers.change(link, func(s *fakeServer) {
			store(adminapi.StoreLocked)(s)
			issuer(adminapi.IssuerFailed, adminapi.IssuerTLSFailed, 0)(s)
		})
		eventually(t, link, condition{storage, no, v1alpha1.ReasonStoreLocked})
		eventually(t, link, condition{v1alpha1.ConditionReady, no, v1alpha1.ReasonIssuerTLSFailed})
	})
}

// A lost answer or two is no news: a ready ChannelLink goes on being ready until three in a row have failed to come.
func TestALostAnswerIsNoNews(t *testing.T) {
	o := startOperator(t)
	link := create(t, "line", env.Namespace(t))
	o.ready(t, link)
	o.settle(0, 1)

	before, version := passes(t), link.ResourceVersion
	asked := o.servers.asked(link)
	o.servers.change(link, func(s *fakeServer) { s.failNext = 2 })
	NewWithT(t).Eventually(func() int { return o.servers.asked(link) }).Should(BeNumerically(">", asked+3))
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(version, link.ResourceVersion); diff != "" || passes(t) != before {
		t.Errorf("%v passes and a write for two lost answers", passes(t)-before)
	}
}

// kstatus judges every state rightly: before the operator has seen the object, while it works, when all is done, when a
// person must act, when it is suspended, and while it is deleted.
func TestKstatus(t *testing.T) {
	o := newOperator(t)
	namespace := env.Namespace(t)
	link := create(t, "line", namespace)
	expect := func(when string, want status.Status) {
		t.Helper()
		if got := judged(t, link); got != want {
			t.Errorf("%s: kstatus judges %s, want %s", when, got, want)
		}
	}
	expect("before the operator has seen it", status.InProgressStatus)

	o.start()
	eventually(t, link, condition{v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPodsNotCreated})
	expect("without pods", status.InProgressStatus)

	o.ready(t, link)
	expect("ready", status.CurrentStatus)

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.DisplayName = "Vision" })
	expect("right after an edit", status.InProgressStatus)
	eventually(t, link, condition{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonProgressing})
	expect("while the edit is rolled out", status.InProgressStatus)
	o.ready(t, link)

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.OIDC.RequiredClaims = "claims.email ==" })
	got := eventually(t, link, condition{v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonInvalidExpression})
	NewWithT(t).Expect(got.Message).To(ContainSubstring("requiredClaims"))
	expect("with an expression that does not compile", status.FailedStatus)

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.OIDC.RequiredClaims = "" })
	o.ready(t, link)
	expect("mended", status.CurrentStatus)

	edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { spec.Suspend = new(true) })
	eventually(t, link, condition{v1alpha1.ConditionReconciling, metav1.ConditionFalse, v1alpha1.ReasonSuspended})
	expect("suspended", status.CurrentStatus)

	link.Finalizers = []string{"example.com/held"}
	if err := env.Client.Update(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Delete(t.Context(), link); err != nil {
		t.Fatal(err)
	}
	expect("while it is deleted", status.TerminatingStatus)
}
