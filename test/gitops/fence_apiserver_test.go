//go:build apiserver

package gitops_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/testenv"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/linkscmd"
)

// Two chat accounts of the person whom the manifest of docs/gitops.md is about.
const (
	phone  = "U206d25c2ea6bd87c17655609a1c37cb8"
	tablet = "U5f0c8d1e2a3b4c5d6e7f8091a2b3c4d5"
)

// longAgo is a login before the manifest's linkedBefore.
var longAgo = time.Date(2026, 1, 30, 9, 0, 0, 0, time.UTC)

// A manifest with linkedBefore is harmless to apply again: the link that was meant is gone, and a newer one stays, also when
// the object was deleted in between. C72
func TestAppliedAgainANewerLinkStays(t *testing.T) {
	c := newCluster(t, env)
	server := c.startServer(t, c.applyChannel(t), t.TempDir())
	server.linked(t, phone, longAgo)
	first := c.apply(t, manifest(t))
	c.runFromPage(t, "kubectl wait")
	c.awaitOver(t, first, v1alpha1.UnlinkResultUnlinked)
	server.expectLinked(t)

	server.linked(t, phone, time.Now())
	if again := c.apply(t, manifest(t)); again.UID != first.UID || again.Generation != first.Generation {
		t.Errorf("applying the same manifest again changed it: %+v", again.ObjectMeta)
	}
	c.remove(t, first)
	again := c.apply(t, manifest(t))
	if again.UID == first.UID {
		t.Fatal("the object was not made anew: the test shows nothing")
	}
	c.awaitOver(t, again)
	server.expectLinked(t, phone)
}

// In a cluster that was built anew from git, with the links as they were, a newer link stays. C72
func TestInARebuiltClusterANewerLinkStays(t *testing.T) {
	data := t.TempDir()
	lost := newCluster(t, env)
	server := lost.startServer(t, lost.applyChannel(t), data)
	server.linked(t, phone, longAgo)
	lost.awaitOver(t, lost.apply(t, manifest(t)), v1alpha1.UnlinkResultUnlinked)
	server.linked(t, phone, time.Now())
	server.stop()
	lost.stop()

	another, err := testenv.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := another.Stop(); err != nil {
			t.Error(err)
		}
	})
	rebuilt := newCluster(t, another)
	request := rebuilt.apply(t, manifest(t)) // before its channel, as it may happen
	server = rebuilt.startServer(t, rebuilt.applyChannel(t), data)
	rebuilt.awaitOver(t, request)
	server.expectLinked(t, phone)
}

// A backup brings back links that were revoked since. Created anew, the request revokes them again; who has logged in since
// the backup was restored stays linked. C72
func TestAfterARestoreANewerLinkStays(t *testing.T) {
	c := newCluster(t, env)
	link := c.applyChannel(t)
	server := c.startServer(t, link, t.TempDir())
	server.linked(t, phone, longAgo)
	server.linked(t, tablet, longAgo)
	backup := server.links(t, "", "export")
	request := c.apply(t, manifest(t))
	c.awaitOver(t, request, v1alpha1.UnlinkResultUnlinked, v1alpha1.UnlinkResultUnlinked)
	server.stop()

	server = c.startServer(t, link, t.TempDir()) // the volume is lost
	server.links(t, backup, "import")
	server.expectLinked(t, phone, tablet)
	server.linked(t, tablet, time.Now())

	c.runFromPage(t, "kubectl delete accountunlinks")
	again := c.apply(t, manifest(t))
	c.awaitOver(t, again, v1alpha1.UnlinkResultUnlinked)
	if again.UID == request.UID {
		t.Error("the page's command did not delete the request")
	}
	server.expectLinked(t, tablet)
}

// Without linkedBefore each object is a request of its own: made anew, it unlinks who has come back. C72
func TestWithoutTheFenceANewerLinkGoes(t *testing.T) {
	c := newCluster(t, env)
	server := c.startServer(t, c.applyChannel(t), t.TempDir())
	unfenced := manifest(t)
	unfenced.Spec.LinkedBefore = nil
	server.linked(t, phone, longAgo)
	request := c.apply(t, unfenced)
	c.awaitOver(t, request, v1alpha1.UnlinkResultUnlinked)
	back := time.Now()
	server.linked(t, phone, back)

	t.Run("restored with its UID it has no effect", func(t *testing.T) {
		// As etcd's backup from before the first attempt has it.
		c.stop()
		err := c.Client.Status().Patch(t.Context(), request, client.RawPatch(types.MergePatchType, []byte(`{"status": null}`)))
		if err != nil {
			t.Fatal(err)
		}
		c.start(t)
		c.awaitOver(t, request, v1alpha1.UnlinkResultUnlinked)
		server.expectLinked(t, phone)
	})

	c.remove(t, request)
	// An object's creation is known to the second.
	NewWithT(t).Eventually(time.Now).Should(BeTemporally(">", back.Truncate(time.Second).Add(time.Second)))
	c.awaitOver(t, c.apply(t, unfenced), v1alpha1.UnlinkResultUnlinked)
	server.expectLinked(t)
}

// manifest is the AccountUnlink of docs/gitops.md.
func manifest(t *testing.T) *v1alpha1.AccountUnlink {
	t.Helper()
	block := blockOf(t, "yaml", "apiVersion: channellink.dev/v1alpha1\nkind: AccountUnlink")
	unlink := &v1alpha1.AccountUnlink{}
	if err := yaml.UnmarshalStrict([]byte(block), unlink); err != nil {
		t.Fatal(err)
	}
	if fence := unlink.Spec.LinkedBefore; fence == nil || !longAgo.Before(fence.Time) || fence.After(time.Now()) {
		t.Fatalf("the fence of docs/gitops.md is %v", fence)
	}
	return unlink
}

// applyChannel applies the ChannelLink of config/samples/line.yaml, whose platform need not be told of an unlinking.
func (c *cluster) applyChannel(t *testing.T) *v1alpha1.ChannelLink {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "config", "samples", "line.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	link := &v1alpha1.ChannelLink{}
	if err := yaml.UnmarshalStrict(data, link); err != nil {
		t.Fatal(err)
	}
	link.Spec.OIDC.IssuerURL = v1alpha1.URL(issuertest.New(t).URL)
	link.Spec.Exposure = nil
	c.kubectlApply(t, link)
	return link
}

func (c *cluster) apply(t *testing.T, unlink *v1alpha1.AccountUnlink) *v1alpha1.AccountUnlink {
	t.Helper()
	unlink = unlink.DeepCopy()
	c.kubectlApply(t, unlink)
	return unlink
}

// kubectlApply applies the object in the namespace of the channels, as a pipeline does, and reads it.
func (c *cluster) kubectlApply(t *testing.T, object client.Object) {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), c.Kubectl(), "--kubeconfig", c.Kubeconfig(t, c.Config), "--namespace", c.namespace,
		"apply", "--server-side", "--filename", "-")
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kubectl apply: %v\n%s", err, out)
	}
	object.SetNamespace(c.namespace)
	if err := c.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
}

// remove deletes the object, as a time to live does, or somebody.
func (c *cluster) remove(t *testing.T, object client.Object) {
	t.Helper()
	if err := c.Client.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// awaitOver waits until the request is complete, with exactly these users revoked.
func (c *cluster) awaitOver(t *testing.T, unlink *v1alpha1.AccountUnlink, want ...v1alpha1.UnlinkResult) {
	t.Helper()
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(c.Client.Get(t.Context(), client.ObjectKeyFromObject(unlink), unlink)).To(Succeed())
		complete := meta.IsStatusConditionTrue(unlink.Status.Conditions, v1alpha1.ConditionComplete)
		g.Expect(complete).To(BeTrue(), "%+v", unlink.Status.Conditions)
	}).Should(Succeed(), func() string { return c.channels(t) })
	var got []v1alpha1.UnlinkResult
	for _, user := range unlink.Status.Users {
		if user.Result == v1alpha1.UnlinkResultUnlinked {
			got = append(got, user.Result)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("users who were unlinked (-want +got):\n%s", diff)
	}
}

// channels says how the ChannelLinks are.
func (c *cluster) channels(t *testing.T) string {
	var links v1alpha1.ChannelLinkList
	if err := c.Client.List(t.Context(), &links, client.InNamespace(c.namespace)); err != nil {
		return err.Error()
	}
	var text strings.Builder
	for _, link := range links.Items {
		for _, condition := range link.Status.Conditions {
			fmt.Fprintf(&text, "%s %s=%s %s: %s\n", link.Name, condition.Type, condition.Status, condition.Reason, condition.Message)
		}
	}
	return text.String()
}

// linked has the chat user linked to the person since that login.
func (s *server) linked(t *testing.T, user string, login time.Time) {
	t.Helper()
	line, err := json.Marshal(map[string]any{
		"version": 1, "userID": user, "issuer": "https://sso.vision.example", "subject": "00u1a2b3c4",
		"confirmed": true, "loginAt": login, "linkedAt": login,
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := s.links(t, string(line)+"\n", "import"); !strings.Contains(got, `"stored":1`) {
		t.Fatalf("the link was not stored: %s", got)
	}
}

// links runs the command for links beside the server, as in its pod.
func (s *server) links(t *testing.T, in, command string) string {
	t.Helper()
	var out, stderr bytes.Buffer
	err := linkscmd.Run(t.Context(), []string{command, "-settings-dir", s.settingsDir},
		linkscmd.Env{In: strings.NewReader(in), Out: &out, Err: &stderr, Now: time.Now})
	if err != nil {
		t.Fatalf("links %s: %v\n%s", command, err, stderr.String())
	}
	return out.String()
}

// expectLinked fails unless exactly these chat users are linked.
func (s *server) expectLinked(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(s.links(t, "", "export")) {
		var link struct {
			UserID string `json:"userID"`
		}
		if err := json.Unmarshal([]byte(line), &link); err != nil {
			t.Fatal(err)
		}
		got = append(got, link.UserID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("linked users (-want +got):\n%s", diff)
	}
}
