//go:build apiserver

package api

import (
	"os/exec"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The ways of naming objects that the pages tell of, in kubectl itself. The category must not be the singular of a
// kind: kubectl would take that name for both kinds, and refuse it together with the name of an object.
func TestKubectl(t *testing.T) {
	namespace := env.Namespace(t)
	for _, object := range []client.Object{newChannelLink(namespace, "vision-hr"), newAccountUnlink(namespace, "hr-1234")} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	const link, unlink = "channellink.channellink.dev/vision-hr", "accountunlink.channellink.dev/hr-1234"
	kubeconfig := env.Kubeconfig(t, env.Config)
	for args, want := range map[string]string{
		"get chatlinks -o name":              unlink + "\n" + link,
		"get channellink -o name":            link,
		"get channellink vision-hr -o name":  link,
		"get channellinks -o name":           link,
		"get channellinks vision-hr -o name": link,
		"get chl vision-hr -o name":          link,
		"get channellink/vision-hr -o name":  link,
		"get accountunlink hr-1234 -o name":  unlink,
		"get unlink hr-1234 -o name":         unlink,
		"scale chl vision-hr --replicas=0":   link + " scaled",
	} {
		all := append([]string{"--kubeconfig", kubeconfig, "--namespace", namespace}, strings.Fields(args)...)
		out, err := exec.CommandContext(t.Context(), env.Kubectl(), all...).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("kubectl %s: %q, want %q (%v)", args, got, want, err)
		}
	}
}
