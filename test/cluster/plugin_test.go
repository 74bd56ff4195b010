//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
)

// plugin is `kubectl channellink` as docs/kubectl-plugin.md has it built, with kubectl on the path.
type plugin struct {
	t    *testing.T
	path string
}

func newPlugin(t *testing.T) plugin {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "make", "plugin")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make plugin: %v\n%s", err, out)
	}
	program, err := exec.LookPath(envOr("KUBECTL", "kubectl"))
	if err != nil {
		t.Fatal(err)
	}
	return plugin{t, strings.Join([]string{filepath.Join(root, "bin"), filepath.Dir(program), os.Getenv("PATH")}, string(os.PathListSeparator))}
}

// command is a command of the plugin, with something on its standard input.
func (p plugin) command(in, line string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), envOr("KUBECTL", "kubectl"), append([]string{"channellink"}, strings.Fields(line)...)...)
	cmd.Env = append(os.Environ(), "PATH="+p.path)
	cmd.Stdin = strings.NewReader(in)
	return cmd
}

// says runs a command that must end well, and wants texts in what it prints.
func (p plugin) says(in, line string, wants ...string) string {
	p.t.Helper()
	out, err := p.command(in, line).CombinedOutput()
	if err != nil {
		p.t.Errorf("kubectl channellink %s: %v\n%s", line, err, out)
	}
	for _, want := range wants {
		if !strings.Contains(string(out), want) {
			p.t.Errorf("kubectl channellink %s: want %q in\n%s", line, want, out)
		}
	}
	if in = strings.TrimSpace(in); in != "" && strings.Contains(string(out), in) {
		p.t.Errorf("kubectl channellink %s prints the whole user id", line)
	}
	return string(out)
}

// results are how the doctor's checks ended, by name.
func (p plugin) results(channel, namespace string) map[string]string {
	p.t.Helper()
	out, err := p.command("", "doctor "+channel+" --namespace="+namespace+" -o json").Output()
	var found struct {
		Checks []struct{ Name, Result string }
	}
	if wrong := json.Unmarshal(out, &found); wrong != nil {
		p.t.Fatalf("doctor %s: %v, %v\n%s", channel, err, wrong, out)
	}
	results := map[string]string{}
	for _, c := range found.Checks {
		results[c.Name] = c.Result
	}
	return results
}

// A platform engineer asks about the demo's channels, from the machine where the cluster is.
func TestPluginOfKubectl(t *testing.T) {
	p := newPlugin(t)
	flag := " --namespace=" + companyNamespace
	for channel, platform := range map[string]string{
		"vision-hr": "BotBonnie", "vision-hr-messenger": "BotBonnie", "vision-line": "LINE", "vision-messenger": "Graph",
	} {
		t.Run(channel, func(t *testing.T) {
			p := plugin{t, p.path}
			p.says("", "status "+channel+flag, "\nready", "ok    Available", publicURL(channel)+"/authorize")
			p.says("", "simulate "+channel+flag, "200: taken")
			results := p.results(channel, companyNamespace)
			for _, name := range []string{"Available", "Issuer", "Redirect URI", "Public URL", "Token of " + platform, "Calls so far"} {
				if results[name] != "ok" {
					t.Errorf("the doctor finds %s %q", name, results[name])
				}
			}
		})
	}
	t.Run("a service for nobody", func(t *testing.T) {
		plugin{t, p.path}.says("", "simulate vision-hr service"+flag, "as BotBonnie sends it", "the bot shows", "[")
	})
	t.Run("a call while the doctor waits", func(t *testing.T) { plugin{t, p.path}.waits("vision-line", flag) })
	t.Run("a user's own wish", func(t *testing.T) {
		c := enter(t, "vision-messenger")
		c.logInWith(c.button(c.says("leave balance")))
		c.asksForLeave()
		plugin{t, p.path}.says(c.user.ID, "simulate vision-messenger unlinked --user=-"+flag, "as Facebook sends it", "200: taken")
		if c.lookUp() {
			t.Error("the user is linked still")
		}
	})
	t.Run("somebody leaves", func(t *testing.T) { plugin{t, p.path}.unlinks(enterLinked(t, "vision-hr"), flag) })
}

// waits has the doctor wait for a call, and makes one.
func (p plugin) waits(channel, flag string) {
	p.t.Helper()
	doctor := p.command("", "doctor "+channel+" --wait-for-call=1m"+flag)
	var out bytes.Buffer
	told := &announced{what: "waiting for a call", heard: make(chan struct{})}
	doctor.Stdout, doctor.Stderr = &out, told
	if err := doctor.Start(); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-told.heard:
		p.says("", "simulate "+channel+" message"+flag, "200: taken")
	case <-time.After(soon):
	}
	if err := doctor.Wait(); !strings.Contains(out.String(), "POST /webhook was called and answered 200") {
		p.t.Errorf("doctor: %v\n%s", err, &out)
	}
}

// announced is a writer that tells when something has been said.
type announced struct {
	what  string
	text  strings.Builder
	heard chan struct{}
}

// Write implements io.Writer.
func (a *announced) Write(b []byte) (int, error) {
	before := strings.Contains(a.text.String(), a.what)
	a.text.Write(b)
	if !before && strings.Contains(a.text.String(), a.what) {
		close(a.heard)
	}
	return len(b), nil
}

var createdUnlink = regexp.MustCompile(`accountunlink\.channellink\.dev/(\S+) created`)

// unlinks looks for somebody's link, revokes it and looks again.
func (p plugin) unlinks(c *chat, flag string) {
	p.t.Helper()
	masked := c.user.ID[:4] + "…" + c.user.ID[len(c.user.ID)-4:]
	p.says("", "links "+c.channel+flag, masked, "true")
	login := time.Now().Unix() // a login of the second in which the request is made counts as later
	NewWithT(p.t).Eventually(func() int64 { return time.Now().Unix() }).WithTimeout(answerTime).WithPolling(poll / 10).Should(BeNumerically(">", login))
	out := p.says(c.user.ID, "unlink "+c.channel+" --user-id=- --reason=HR-1234"+flag, "Complete: Unlinked, 1/1 unlinked", masked)
	p.t.Cleanup(func() {
		if made := createdUnlink.FindStringSubmatch(out); made != nil {
			u := &v1alpha1.AccountUnlink{}
			u.Namespace, u.Name = companyNamespace, made[1]
			if err := client.IgnoreNotFound(cluster.Delete(context.Background(), u)); err != nil {
				p.t.Error(err)
			}
		}
	})
	if c.state().Linked || c.lookUp() {
		p.t.Error("the user is linked still")
	}
	p.says(c.user.ID, "links "+c.channel+" --audit --one-user"+flag, "linked", "unlinked", "HR-1234")
}

// followsTheDoctor does what the doctor says to do with a Secret, and nothing else, with a file for the value.
func (p plugin) followsTheDoctor(link *v1alpha1.ChannelLink, value string) {
	p.t.Helper()
	out, err := p.command("", fmt.Sprintf("doctor %s --namespace=%s", link.Name, link.Namespace)).CombinedOutput()
	_, advice, _ := strings.Cut(string(out), "      > kubectl patch secret ")
	advice, _, _ = strings.Cut(advice, "\n")
	if err == nil || advice == "" {
		p.t.Fatalf("%v; want a command in\n%s", err, out)
	}
	file := filepath.Join(p.t.TempDir(), "FILE")
	if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
		p.t.Fatal(err)
	}
	terminal := exec.CommandContext(p.t.Context(), "bash", "-euc", "kubectl patch secret "+advice)
	terminal.Env, terminal.Dir = append(os.Environ(), "PATH="+p.path), filepath.Dir(file)
	if out, err := terminal.CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", advice, err, out)
	}
}

// refusesTheToken reports whether the doctor says that the platform refuses the channel's token.
func (p plugin) refusesTheToken(link *v1alpha1.ChannelLink) bool {
	p.t.Helper()
	return p.results(link.Name, link.Namespace)["Token of BotBonnie"] == "failed"
}
