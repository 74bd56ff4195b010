//go:build apiserver

package install_test

import (
	"strings"
	"testing"
)

// What Helm tells after an installation is about this installation. (The definitions are there, and not Helm's.)
func TestNotesOfTheChart(t *testing.T) {
	const (
		everywhere = "looks at all namespaces"
		kept       = "stay when this release is uninstalled"
		lost       = "deletes every ChannelLink and AccountUnlink"
		demo       = "for demos and tests only"
	)
	tests := []struct {
		reason     string
		set        []string
		has, lacks []string
	}{
		{reason: "as it is", has: []string{everywhere, kept, "namespace channellink-system pod-security.kubernetes.io/enforce=restricted", "deployment/" + operator},
			lacks: []string{lost, demo}},
		{reason: "some namespaces", set: []string{"watchNamespaces={vision,shop}"}, has: []string{"looks at vision, shop"}, lacks: []string{everywhere}},
		{reason: "definitions that go with the release", set: []string{"crds.keep=false"}, has: []string{lost}, lacks: []string{kept}},
		{reason: "somebody else's definitions", set: []string{"crds.install=false"}, lacks: []string{kept, lost}},
		{reason: "loopback allowed", set: []string{"allowLocalAddresses=true"}, has: []string{demo}},
	}
	kubeconfig := env.Kubeconfig(t, env.Config)
	for _, tt := range tests {
		args := []string{"--kubeconfig", kubeconfig, "install", "channellink", "charts/channellink", "--dry-run=client", "--take-ownership", "--namespace", operatorNamespace}
		for _, value := range tt.set {
			args = append(args, "--set", value)
		}
		_, notes, ok := strings.Cut(output(t, tool(t, "helm"), args...), "\nNOTES:\n")
		if !ok {
			t.Fatalf("%s: no notes", tt.reason)
		}
		for _, text := range tt.has {
			if !strings.Contains(notes, text) {
				t.Errorf("%s: the notes do not say %q:\n%s", tt.reason, text, notes)
			}
		}
		for _, text := range tt.lacks {
			if strings.Contains(notes, text) {
				t.Errorf("%s: the notes say %q:\n%s", tt.reason, text, notes)
			}
		}
	}
}
