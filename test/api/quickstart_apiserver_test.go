//go:build apiserver

package api

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

var (
	consoleBlock = regexp.MustCompile("(?s)```console\n(.*?)```")
	// command goes on in the next line after a backslash.
	command    = regexp.MustCompile(`(?m)^ *\$ ((?:.*\\\n)*.*)$`)
	appliedAs  = regexp.MustCompile(` apply .*-f (\S+)`)
	waitsFor   = regexp.MustCompile(` wait (\S+) .*`)
	beyondThis = regexp.MustCompile(`^(curl|kubectl .*exec) `)
)

// Whoever does what a quick start says has what it declares: its commands work in their order, and make every key of a
// Secret that its ChannelLink refers to. What needs a running server is left to test/cluster.
func TestQuickStarts(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join("..", "..", "docs", "quickstart", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	started := 0
	for _, path := range pages {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		manifests, err := yamlOf(string(page))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(manifests) == 0 {
			continue // the page that leads to the others
		}
		started++
		t.Run(filepath.Base(path), func(t *testing.T) {
			namespace := env.Namespace(t)
			follow(t, namespace, string(page), manifests[0])
			link := parseObject(t, []byte(manifests[0]))
			link.SetNamespace(namespace)
			if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(link), link); err != nil {
				t.Fatalf("the page does not apply what it declares: %v", err)
			}
			expectSecrets(t, namespace, "spec", link.Object["spec"])
		})
	}
	if started < 4 {
		t.Errorf("%d quick starts were followed, want one for each route", started)
	}
}

// follow runs the commands of a page that somebody has at his hands who has only a cluster, with the manifest in the file
// that the page applies. Where the page has a secret pasted, something is.
func follow(t *testing.T, namespace, page, manifest string) {
	t.Helper()
	folder, kubeconfig := t.TempDir(), env.Kubeconfig(t, env.Config)
	kubectl, err := filepath.Abs(env.Kubectl())
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range consoleBlock.FindAllStringSubmatch(page, -1) {
		for _, match := range command.FindAllStringSubmatch(block[1], -1) {
			line := strings.ReplaceAll(match[1], "-n vision ", "-n "+namespace+" ")
			if beyondThis.MatchString(line) {
				continue
			}
			line = waitsFor.ReplaceAllString(line, " get $1")
			if file := appliedAs.FindStringSubmatch(line); file != nil {
				if err := os.WriteFile(filepath.Join(folder, filepath.Base(file[1])), []byte(manifest), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", line)
			cmd.Dir = folder
			cmd.Stdin = strings.NewReader("pasted\n")
			cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(kubectl)+":"+os.Getenv("PATH"), "KUBECONFIG="+kubeconfig)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", match[1], err, out)
			}
		}
	}
}

// expectSecrets fails for each reference to a key of a Secret that does not exist.
func expectSecrets(t *testing.T, namespace, path string, value any) {
	t.Helper()
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			expectSecrets(t, namespace, path, item)
		}
	case map[string]any:
		for name, field := range value {
			at := path + "." + name
			if !strings.HasSuffix(strings.ToLower(name), "secretref") {
				expectSecrets(t, namespace, at, field)
				continue
			}
			ref := field.(map[string]any)
			secret := &corev1.Secret{}
			key := client.ObjectKey{Namespace: namespace, Name: ref["name"].(string)}
			if err := env.Client.Get(t.Context(), key, secret); err != nil {
				t.Errorf("%s: the page makes no Secret %s: %v", at, key.Name, err)
			} else if len(secret.Data[ref["key"].(string)]) == 0 {
				t.Errorf("%s: the page gives Secret %s no key %s", at, key.Name, ref["key"])
			}
		}
	}
}
