//go:build apiserver

package gitops_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The page's command adds the health checks to an Argo CD that has settings of its own.
func TestHealthChecksForArgoCDAreAdded(t *testing.T) {
	c := &cluster{Environment: env, namespace: env.Namespace(t)}
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "argocd", Name: "argocd-cm"}, Data: map[string]string{"url": "https://argocd.vision.example"}}
	for _, object := range []client.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: settings.Namespace}}, settings} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	c.runFromPage(t, "kubectl apply --server-side -k config/gitops/argocd")
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(settings), settings); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"url": "https://argocd.vision.example",
		"resource.customizations.health.channellink.dev_ChannelLink":   healthScript(t, "ChannelLink"),
		"resource.customizations.health.channellink.dev_AccountUnlink": healthScript(t, "AccountUnlink"),
	}
	if diff := cmp.Diff(want, settings.Data); diff != "" {
		t.Errorf("argocd-cm (-want +got):\n%s", diff)
	}
}

// blockOf is the first block of this language on docs/gitops.md that begins so.
func blockOf(t *testing.T, language, begin string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "gitops.md"))
	if err != nil {
		t.Fatal(err)
	}
	fence := "\n```" + language + "\n"
	_, block, ok := strings.Cut(string(page), fence+begin)
	if !ok {
		t.Fatalf("docs/gitops.md has no block of %s that begins %q", language, begin)
	}
	block, _, _ = strings.Cut(block, "```")
	return begin + block
}

// runFromPage runs the page's command that begins so, in the namespace of the test, from the repository's root.
func (c *cluster) runFromPage(t *testing.T, begin string) {
	t.Helper()
	command := strings.ReplaceAll(blockOf(t, "sh", begin), "--namespace vision", "--namespace "+c.namespace)
	kubectl, err := filepath.Abs(c.Kubectl())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", command)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(kubectl)+":"+os.Getenv("PATH"), "KUBECONFIG="+c.Kubeconfig(t, c.Config))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}
