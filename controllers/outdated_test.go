package controllers

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// Somebody edits the ChannelLink between the moment it is read and the write of its finalizers. That is no failure, and is not
// told as one: the next pass sees the edit and does its work.
func TestAnEditInBetweenIsNoFailure(t *testing.T) {
	for _, tc := range []struct {
		name       string
		policy     v1alpha1.DeletionPolicy
		finalizers []string
		held       bool
	}{
		{"hold", v1alpha1.DeletionPolicyUnlinkAll, nil, true},
		{"let go", v1alpha1.DeletionPolicyRetain, []string{names.UnlinkAllFinalizer}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			link := &v1alpha1.ChannelLink{
				ObjectMeta: metav1.ObjectMeta{Namespace: "vision", Name: "hr", UID: "1", Generation: 1, Finalizers: tc.finalizers},
				Spec: v1alpha1.ChannelLinkSpec{
					Platform: v1alpha1.PlatformLINE, PageID: "507oftxz", PublicURL: "https://link.vision.example", DeletionPolicy: tc.policy,
					OIDC: v1alpha1.OIDC{IssuerURL: "https://sso.vision.example", ClientID: "chatbot"},
				},
			}
			r := newArbitrary(schemeOrFail(t), nil, link)
			edits := 1
			r.Client = interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{
				Patch: func(ctx context.Context, next client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
					if edits > 0 {
						edits--
						edited := &v1alpha1.ChannelLink{}
						if err := next.Get(ctx, client.ObjectKeyFromObject(link), edited); err != nil {
							return err
						}
						edited.Labels = map[string]string{"team": "hr"}
						if err := next.Update(ctx, edited); err != nil {
							return err
						}
					}
					return next.Patch(ctx, object, patch, options...)
				},
			})
			request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(link)}
			result, err := r.Reconcile(t.Context(), request)
			if err != nil || result.RequeueAfter == 0 || r.statuses != 0 || edits != 0 {
				t.Errorf("the pass that was overtaken: %+v, %v, %d statuses, %d edits to come", result, err, r.statuses, edits)
			}
			if _, err := r.Reconcile(t.Context(), request); err != nil || r.statuses != 1 {
				t.Errorf("the next pass: %v, %d statuses", err, r.statuses)
			}
			if err := r.Client.Get(t.Context(), request.NamespacedName, link); err != nil {
				t.Fatal(err)
			}
			if held := controllerutil.ContainsFinalizer(link, names.UnlinkAllFinalizer); held != tc.held || link.Labels["team"] != "hr" {
				t.Errorf("held is %t, the edit is %v", held, link.Labels)
			}
		})
	}
}
