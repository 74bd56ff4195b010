//go:build apiserver

package install_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
)

// liveLinks is how many ChannelLinks live through the upgrade. (C83)
const liveLinks = 200

// serverImage stays the same through the upgrade, so that a Deployment changes only by what the operator makes of it.
const serverImage = "--server-image=registry.example/channellink/webhookserver:stays"

// A change of a definition takes nothing away that the last release had: no field, no value, no version. C83
func TestDefinitionsStayCompatible(t *testing.T) {
	before := lastRelease(t)
	for _, kind := range []string{"channellinks", "accountunlinks"} {
		file := filepath.Join("config", "crd", "channellink.dev_"+kind+".yaml")
		note(t, filepath.Join(root, filepath.Dir(file)))
		// Rules that became stricter are for the API server to judge: it lets be what was there (see below).
		output(t, tool(t, "crdify"), "--config", filepath.Join("test", "install", "testdata", "crdify.yaml"),
			"file://"+filepath.Join(before, file), "file://"+filepath.Join(root, file))
	}
}

// The last release, with live objects, is upgraded by the manifests, rolled back, and upgraded by the chart. No object is
// lost or made anew, each stays valid and is carried out again; and as long as the servers' image stays, so do their pods. C83
func TestUpgrade(t *testing.T) {
	env := emptyCluster(t)
	before := lastRelease(t)
	old, current := buildOperator(t, before), buildOperator(t, root)
	fromLastRelease := func() { kubectlApply(t, env, "-k", filepath.Join(before, "config", "default")) }
	fromLastRelease()
	links := createLinks(t, env, liveLinks)
	unlink := createUnlink(t, env, links[0].Namespace)

	carriedOutBy := func(program string, round int) map[string]appsv1.Deployment {
		user := serviceAccount(operatorNamespace)
		awaitRights(t, env, user, "")
		stop := startOperator(t, env, program, user, operatorNamespace, []string{serverImage})
		defer stop()
		touch(t, env, links, round)
		awaitCarriedOut(t, env, links)
		return deployments(t, env)
	}
	released := carriedOutBy(old, 1)
	steps := []struct {
		name, program string
		install       func()
	}{
		{"upgraded by the manifests", current, func() { kubectlApply(t, env, "-f", filepath.Join(root, "dist", "install.yaml")) }},
		{"restarted", current, func() {}},
		{"rolled back", old, fromLastRelease},
		{"upgraded by the chart", current, func() {
			helm(t, env, "upgrade", "channellink", "charts/channellink", "--install", "--take-ownership", "--namespace", operatorNamespace)
		}},
	}
	was := released
	for i, step := range steps {
		step.install()
		now := carriedOutBy(step.program, 2+i)
		for name, before := range was {
			after, ok := now[name]
			switch diff := cmp.Diff(released[name].Spec.Template, after.Spec.Template); {
			case !ok || after.UID != before.UID:
				t.Errorf("%s: Deployment %s was lost or made anew", step.name, name)
			case diff != "": // if it has to be, docs/upgrade.md says so and this test what
				t.Errorf("%s: the pods of Deployment %s restart (-last release +now):\n%s", step.name, name, diff)
			case after.Generation > before.Generation+1:
				t.Errorf("%s: Deployment %s went from generation %d to %d", step.name, name, before.Generation, after.Generation)
			}
		}
		was = now
	}

	kept := &v1alpha1.AccountUnlink{}
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(unlink), kept); err != nil || kept.UID != unlink.UID {
		t.Errorf("the AccountUnlink was lost or made anew: %v", err)
	}
	if !equality.Semantic.DeepEqual(kept.Spec, unlink.Spec) {
		t.Errorf("the AccountUnlink's spec was %+v, is %+v", unlink.Spec, kept.Spec)
	}
	t.Run("uninstall", func(t *testing.T) { uninstallKeepsTheLinks(t, env, links) })
}

// uninstallKeepsTheLinks removes the release: definitions, ChannelLinks and their objects stay, the operator's own go.
func uninstallKeepsTheLinks(t *testing.T, env *testenv.Environment, links []*v1alpha1.ChannelLink) {
	helm(t, env, "uninstall", "channellink", "--namespace", operatorNamespace)
	for _, link := range links {
		now := &v1alpha1.ChannelLink{}
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), now); err != nil || now.UID != link.UID || now.DeletionTimestamp != nil {
			t.Fatalf("%s: %v", link.Name, err)
		}
	}
	err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: operatorNamespace, Name: operator}, &appsv1.Deployment{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("the operator's Deployment: %v", err)
	}
	// Installed again, it takes them up.
	helm(t, env, "install", "channellink", "charts/channellink", "--take-ownership", "--namespace", operatorNamespace)
}

// emptyCluster is an API server of the test's own, without our definitions.
func emptyCluster(t *testing.T) *testenv.Environment {
	t.Helper()
	env, err := testenv.Start(testenv.WithAPIServerFlag("service-cluster-ip-range", "10.128.0.0/16")) // two Services for each link
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, name := range []string{"channellinks.channellink.dev", "accountunlinks.channellink.dev"} {
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if err := env.Client.Delete(t.Context(), crd); err != nil {
			t.Fatal(err)
		}
		NewWithT(t).Eventually(func() error { return env.Client.Get(t.Context(), client.ObjectKeyFromObject(crd), crd) }).
			WithTimeout(3 * patience).Should(MatchError(apierrors.IsNotFound, "not found"))
	}
	return env
}

var releasedCommit = regexp.MustCompile(`(?m)^commit +([0-9a-f]{40})$`)

// lastRelease is a folder with the tree of the last release.
func lastRelease(t *testing.T) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(root, "hack", "last-release"))
	if err != nil {
		t.Fatal(err)
	}
	match := releasedCommit.FindSubmatch(file)
	if match == nil {
		t.Fatalf("hack/last-release names no commit:\n%s", file)
	}
	folder := t.TempDir()
	archive := filepath.Join(folder, "tree.tar")
	output(t, "git", "archive", "--output", archive, string(match[1]), "api", "cmd/manager", "config", "controllers", "internal", "webhookserver", "go.mod", "go.sum")
	output(t, "tar", "-xf", archive, "-C", folder)
	return folder
}

func kubectlApply(t *testing.T, env *testenv.Environment, args ...string) {
	t.Helper()
	args = append([]string{"--kubeconfig", env.Kubeconfig(t, env.Config), "apply", "--server-side", "--force-conflicts"}, args...)
	if out, err := exec.CommandContext(t.Context(), env.Kubectl(), args...).CombinedOutput(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	NewWithT(t).Eventually(func() error { return env.Client.List(t.Context(), &v1alpha1.ChannelLinkList{}) }).
		WithTimeout(patience).Should(Succeed(), "the kinds must be served")
}

// createLinks creates this many channels of every route, each with a page and a URL of its own.
func createLinks(t *testing.T, env *testenv.Environment, number int) []*v1alpha1.ChannelLink {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "vision"}}
	if err := env.Client.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	routes := []string{"line", "messenger", "botbonnie-line", "botbonnie-messenger"}
	var links []*v1alpha1.ChannelLink
	for i := range number {
		link := sample(t, routes[i%len(routes)], namespace.Name)
		link.Name = fmt.Sprintf("link-%03d", i)
		link.Spec.PageID = fmt.Sprintf("90000%03d", i)
		link.Spec.PublicURL = v1alpha1.URL(fmt.Sprintf("https://link.vision.example/%03d", i))
		if link.Spec.Exposure != nil && link.Spec.Exposure.Gateway != nil {
			link.Spec.Exposure = nil // this cluster has no Gateway API
		}
		if err := env.Client.Create(t.Context(), link); err != nil {
			t.Fatal(err)
		}
		links = append(links, link)
	}
	return links
}

func createUnlink(t *testing.T, env *testenv.Environment, namespace string) *v1alpha1.AccountUnlink {
	t.Helper()
	unlink := &v1alpha1.AccountUnlink{
		ObjectMeta: metav1.ObjectMeta{Name: "hr-1234", Namespace: namespace},
		Spec: v1alpha1.AccountUnlinkSpec{
			ChannelLinkRef: &v1alpha1.ChannelLinkReference{Name: "link-000"},
			User:           v1alpha1.UnlinkUser{UserID: "U206d25c2ea6bd87c17655609a1c37cb8"},
			Suspend:        new(true),
		},
	}
	if err := env.Client.Create(t.Context(), unlink); err != nil {
		t.Fatal(err)
	}
	return unlink
}

// touch changes every ChannelLink in a field that no server knows, as a client of the definitions that are there now does.
func touch(t *testing.T, env *testenv.Environment, links []*v1alpha1.ChannelLink, round int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec": {"unlinkAllTimeoutSeconds": %d}}`, 600+round)
	for _, link := range links {
		if err := env.Client.Patch(t.Context(), link, client.RawPatch(types.MergePatchType, patch)); err != nil {
			t.Errorf("%s is not valid any more: %v", link.Name, err)
		}
	}
}

// awaitCarriedOut waits until the operator has seen the present generation of every ChannelLink and made its Deployment.
func awaitCarriedOut(t *testing.T, env *testenv.Environment, links []*v1alpha1.ChannelLink) {
	t.Helper()
	NewWithT(t).Eventually(func() ([]string, error) { return waiting(t.Context(), env, links) }).
		WithTimeout(5 * patience).WithPolling(patience / 100).Should(BeEmpty())
}

func waiting(ctx context.Context, env *testenv.Environment, links []*v1alpha1.ChannelLink) ([]string, error) {
	var list v1alpha1.ChannelLinkList
	var made appsv1.DeploymentList
	for _, into := range []client.ObjectList{&list, &made} {
		if err := env.Client.List(ctx, into, client.InNamespace(links[0].Namespace)); err != nil {
			return nil, err
		}
	}
	has := map[string]bool{}
	for _, deployment := range made.Items {
		has[deployment.Name] = true
	}
	var names []string
	for _, link := range list.Items {
		if link.Status.ObservedGeneration != link.Generation || !has[link.Name] {
			names = append(names, link.Name)
		}
	}
	return names, nil
}

func deployments(t *testing.T, env *testenv.Environment) map[string]appsv1.Deployment {
	t.Helper()
	var list appsv1.DeploymentList
	if err := env.Client.List(t.Context(), &list, client.InNamespace("vision")); err != nil {
		t.Fatal(err)
	}
	found := map[string]appsv1.Deployment{}
	for _, deployment := range list.Items {
		found[deployment.Name] = deployment
	}
	if len(found) != liveLinks {
		t.Fatalf("%d Deployments, want %d", len(found), liveLinks)
	}
	return found
}
