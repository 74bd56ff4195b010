//go:build apiserver

package plugin_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kubectl finds the program by its name, and hands over its flags.
func TestKubectlFindsIt(t *testing.T) {
	d := newDesk(t, "vision-line")
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "kubectl-channellink"), "../../cmd/kubectl-channellink")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), env.Kubectl(), args...)
		cmd.Env = []string{"PATH=" + dir, "KUBECONFIG=" + d.kubeconfig, "HOME=" + dir,
			"HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1"} // the doctor asks nobody outside
		out, err := cmd.CombinedOutput()
		return strings.ReplaceAll(string(out), d.namespace, "hr"), err
	}
	want := d.run(t, "status vision-line").out
	if got, err := run("channellink", "status", "vision-line", "-n", d.namespace); err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	for _, c := range []struct {
		reason string
		args   []string
		says   string
		fails  bool
	}{
		{"help", []string{"channellink"}, "looks after the channels", false},
		{"help with a command", []string{"channellink", "unlink", "--help"}, "--user-id", false},
		{"a version", []string{"channellink", "version"}, "dev", false},
		{"nothing is there", []string{"channellink", "status", "nobody"}, `no ChannelLink "nobody" in namespace "default"`, true},
		{"another context", []string{"channellink", "status", "vision-line", "--context=elsewhere"}, "elsewhere", true},
		{"bad news have a code too", []string{"channellink", "doctor", "vision-line", "-n", d.namespace}, "FAIL", true},
	} {
		got, err := run(c.args...)
		if !strings.Contains(got, c.says) || (err != nil) != c.fails {
			t.Errorf("%s: %v, want %q in\n%s", c.reason, err, c.says, got)
		}
	}
}
