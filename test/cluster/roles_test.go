//go:build cluster

package cluster

import (
	"testing"

	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// The cluster's own controller gives view, edit and admin our rules: whoever has one of them in a namespace may look at
// ChannelLinks, or change them, and revokes nobody. C63
func TestTheClustersRolesKnowChannelLinks(t *testing.T) {
	ns := namespace(t)
	unlink := &v1alpha1.AccountUnlink{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "hr-1234"},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: "hr"},
			User:           v1alpha1.UnlinkUser{UserID: "U206d25c2ea6bd87c17655609a1c37cb8"},
		},
	}
	for _, tt := range []struct {
		role            string
		changes, revoke bool
	}{
		{role: "view"},
		{role: "edit", changes: true},
		{role: "admin", changes: true},
		{role: "accountunlink-requester", revoke: true},
	} {
		user := ns + "-" + tt.role
		create(t, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: tt.role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: tt.role},
		})
		config := rest.CopyConfig(restConfig)
		config.Impersonate = rest.ImpersonationConfig{UserName: user}
		person, err := client.New(config, client.Options{Scheme: cluster.Scheme()})
		if err != nil {
			t.Fatal(err)
		}
		g := NewWithT(t)
		if !tt.revoke {
			g.Eventually(func() error { return person.List(t.Context(), &v1alpha1.ChannelLinkList{}, client.InNamespace(ns)) }).
				WithTimeout(soon).WithPolling(poll).Should(Succeed(), "%s may look", tt.role)
		} else {
			g.Eventually(func() error { return person.List(t.Context(), &v1alpha1.AccountUnlinkList{}, client.InNamespace(ns)) }).
				WithTimeout(soon).WithPolling(poll).Should(Succeed(), "%s may look at requests", tt.role)
		}
		expectAllowed(t, tt.role+" makes a ChannelLink", tt.changes, person.Create(t.Context(), newLink(t, ns, "hr"), client.DryRunAll))
		expectAllowed(t, tt.role+" makes an AccountUnlink", tt.revoke, person.Create(t.Context(), unlink.DeepCopy(), client.DryRunAll))
	}
}

func expectAllowed(t *testing.T, what string, want bool, err error) {
	t.Helper()
	if want && err != nil || !want && !apierrors.IsForbidden(err) {
		t.Errorf("%s: allowed must be %t: %v", what, want, err)
	}
}
