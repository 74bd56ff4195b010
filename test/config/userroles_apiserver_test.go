//go:build apiserver

package config_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	. "github.com/onsi/gomega"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
)

// What people may do who have one of the cluster's own roles, or one of ours, in a namespace. C63
func TestWhatPeopleMayDo(t *testing.T) {
	applyUserRoles(t)
	namespace := env.Namespace(t)
	link, unlink := stored(t, namespace)

	look := []string{"get ChannelLink", "list ChannelLinks"}
	change := []string{"create ChannelLink", "patch ChannelLink", "scale ChannelLink", "delete ChannelLink"}
	lookAtRequests := []string{"get AccountUnlink", "list AccountUnlinks"}
	revoke := []string{"create AccountUnlink", "suspend AccountUnlink", "delete AccountUnlink"}
	tests := []struct {
		role, reason string
		may          []string
	}{
		{"view", "a request names a person and often why he leaves, so it is not for everybody who may look", look},
		{"edit", "creating a request is the power to revoke, which no role of the cluster holds", slices.Concat(look, change)},
		{"admin", "the same: it is bound by name", slices.Concat(look, change)},
		{"channellink-viewer", "it is a part of view", look},
		{"channellink-editor", "it is a part of edit and admin", slices.Concat(look, change)},
		{"accountunlink-viewer", "he sees requests and makes none", lookAtRequests},
		{"accountunlink-requester", "he revokes, and need not see the channels", slices.Concat(lookAtRequests, revoke)},
	}
	for _, tt := range tests {
		t.Run(tt.role, func(t *testing.T) {
			person := personWith(t, tt.role, namespace)
			elsewhere := env.Namespace(t)
			for where, may := range map[string][]string{namespace: tt.may, elsewhere: nil} {
				for what, try := range attempts(where, link, unlink) {
					err := try(t, person)
					switch allowed := slices.Contains(may, what); {
					case allowed && err != nil:
						t.Errorf("%s in %s must be allowed (%s): %v", what, where, tt.reason, err)
					case !allowed && !apierrors.IsForbidden(err):
						t.Errorf("%s in %s must be forbidden (%s): %v", what, where, tt.reason, err)
					}
				}
			}
		})
	}
}

// attempts are what somebody may try with the two objects, or with such objects in another namespace. None of them changes
// anything.
func attempts(namespace string, link *v1alpha1.ChannelLink, unlink *v1alpha1.AccountUnlink) map[string]func(*testing.T, client.Client) error {
	copyOf := func(object client.Object, name string) client.Object {
		object = object.DeepCopyObject().(client.Object)
		object.SetNamespace(namespace)
		object.SetName(name)
		return object
	}
	create := func(object client.Object) func(*testing.T, client.Client) error {
		return func(t *testing.T, c client.Client) error {
			another := copyOf(object, "another")
			another.SetUID("")
			another.SetResourceVersion("")
			return c.Create(t.Context(), another, client.DryRunAll)
		}
	}
	get := func(object client.Object) func(*testing.T, client.Client) error {
		return func(t *testing.T, c client.Client) error {
			return c.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: object.GetName()}, object.DeepCopyObject().(client.Object))
		}
	}
	patch := func(object client.Object, merge string) func(*testing.T, client.Client) error {
		return func(t *testing.T, c client.Client) error {
			return c.Patch(t.Context(), copyOf(object, object.GetName()), client.RawPatch(types.MergePatchType, []byte(merge)), client.DryRunAll)
		}
	}
	remove := func(object client.Object) func(*testing.T, client.Client) error {
		return func(t *testing.T, c client.Client) error {
			return c.Delete(t.Context(), copyOf(object, object.GetName()), client.DryRunAll)
		}
	}
	claim := func(object client.Object) func(*testing.T, client.Client) error {
		return func(t *testing.T, c client.Client) error {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"status": {"observedGeneration": 7}}`))
			return c.Status().Patch(t.Context(), copyOf(object, object.GetName()), patch,
				&client.SubResourcePatchOptions{PatchOptions: client.PatchOptions{DryRun: []string{metav1.DryRunAll}}})
		}
	}
	return map[string]func(*testing.T, client.Client) error{
		"get ChannelLink": get(link),
		"list ChannelLinks": func(t *testing.T, c client.Client) error {
			return c.List(t.Context(), &v1alpha1.ChannelLinkList{}, client.InNamespace(namespace))
		},
		"create ChannelLink": create(link),
		"patch ChannelLink":  patch(link, `{"spec": {"displayName": "Travel"}}`),
		"delete ChannelLink": remove(link),
		"scale ChannelLink": func(t *testing.T, c client.Client) error {
			scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 0}}
			return c.SubResource("scale").Update(t.Context(), copyOf(link, link.Name), client.WithSubResourceBody(scale),
				&client.SubResourceUpdateOptions{UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}}})
		},
		"claim what the operator has seen of a ChannelLink": claim(link),

		"get AccountUnlink": get(unlink),
		"list AccountUnlinks": func(t *testing.T, c client.Client) error {
			return c.List(t.Context(), &v1alpha1.AccountUnlinkList{}, client.InNamespace(namespace))
		},
		"create AccountUnlink":              create(unlink),
		"suspend AccountUnlink":             patch(unlink, `{"spec": {"suspend": true}}`),
		"delete AccountUnlink":              remove(unlink),
		"claim that an AccountUnlink ended": claim(unlink),
	}
}

// stored are one object of each kind, in the namespace.
func stored(t *testing.T, namespace string) (*v1alpha1.ChannelLink, *v1alpha1.AccountUnlink) {
	t.Helper()
	link, unlink := &v1alpha1.ChannelLink{}, &v1alpha1.AccountUnlink{}
	for file, object := range map[string]client.Object{"line": link, "accountunlink-user": unlink} {
		data, err := os.ReadFile(filepath.Join(manifests, "samples", file+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(data, object); err != nil {
			t.Fatal(err)
		}
		object.SetNamespace(namespace)
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	return link, unlink
}

// personWith is a person with the role in the namespace, and no other.
func personWith(t *testing.T, role, namespace string) client.Client {
	t.Helper()
	name := "with-" + role
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "person-"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	}
	if err := env.Client.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	person, err := client.New(env.User(t, name), client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	// The authorizer learns of bindings by a watch. Each role lets its holder list one of the kinds.
	NewWithT(t).Eventually(func() error {
		err := person.List(t.Context(), &v1alpha1.ChannelLinkList{}, client.InNamespace(namespace))
		if apierrors.IsForbidden(err) {
			err = person.List(t.Context(), &v1alpha1.AccountUnlinkList{}, client.InNamespace(namespace))
		}
		return err
	}).WithTimeout(patience).Should(Succeed())
	return person
}

// applyUserRoles applies config/rbac/users.yaml, and then does what the cluster's controller manager would: it gives the
// cluster's own roles the rules of those that they aggregate.
func applyUserRoles(t *testing.T) {
	t.Helper()
	file := filepath.Join(manifests, "rbac", "users.yaml")
	readAll(t, filepath.Dir(file))
	cmd := exec.CommandContext(t.Context(), env.Kubectl(), "--kubeconfig", env.Kubeconfig(t, env.Config), "apply", "--server-side",
		"--force-conflicts", "--validate=strict", "-f", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
	for _, name := range []string{"view", "edit", "admin"} { // each aggregates the one before it
		if err := aggregate(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
}

func aggregate(ctx context.Context, name string) error {
	role := &rbacv1.ClusterRole{}
	if err := env.Client.Get(ctx, client.ObjectKey{Name: name}, role); err != nil {
		return err
	}
	if role.AggregationRule == nil {
		return fmt.Errorf("ClusterRole %s aggregates nothing", name)
	}
	parts := map[string][]rbacv1.PolicyRule{}
	for _, labels := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&labels)
		if err != nil {
			return err
		}
		var list rbacv1.ClusterRoleList
		if err := env.Client.List(ctx, &list, client.MatchingLabelsSelector{Selector: selector}); err != nil {
			return err
		}
		for _, part := range list.Items {
			parts[part.Name] = part.Rules
		}
	}
	role.Rules = nil
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		role.Rules = append(role.Rules, parts[part]...)
	}
	return env.Client.Update(ctx, role)
}
