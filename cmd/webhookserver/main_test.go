package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
)

const (
	uid         = "0b7c1f52-0a51-4c0e-9d5c-8f2a6f1f9a11"
	fieldSecret = "oidc.clientSecretRef"
)

// program is the real program, built once as the image has it.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "webhookserver")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "webhookserver")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.version=0.1.0", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := program(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// settingsVolume is the ConfigMap of a channel whose claims expression and references make the server do all that it does.
func settingsVolume(t *testing.T, references *secretfiletest.Volume, key adminapi.KeySet) *secretfiletest.Volume {
	t.Helper()
	settings := config.Settings{
		Version: config.Version,
		Network: config.Network{AllowLocal: true},
		Store:   config.Store{SQLite: &config.SQLite{Dir: t.TempDir()}, AuditRetention: config.Duration(time.Hour)},
		Channels: []config.Channel{{
			UID: uid, Namespace: "hr", Name: "vision-hr", Platform: "LINE", PageID: "507oftxz", DisplayName: "Vision HR",
			PublicURL: "https://link.vision.example/hr",
			LINE:      &config.LINE{APIEndpoint: "https://api.line.me", AccountLinkEndpoint: "https://access.line.me/dialog/bot/accountLink"},
			OIDC: config.OIDC{
				IssuerURL: issuertest.New(t).URL, ClientID: "chatbot", Scopes: []string{"openid"}, UserClaim: "sub",
				ClientSecret:   &config.File{Field: fieldSecret, Path: references.Path(fieldSecret)},
				RequiredClaims: `claims.email_verified && claims.email.endsWith("@vision.example")`,
			},
		}},
	}
	file, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := adminapi.MarshalKeys(key)
	if err != nil {
		t.Fatal(err)
	}
	return secretfiletest.NewVolume(t, map[string]string{config.SettingsFile: string(file), config.OperatorKeysFile: string(keys)})
}

// process is the running program.
type process struct {
	command            *exec.Cmd
	began              time.Time
	Public, Ops, Admin string // base URLs
}

func start(t *testing.T, settings *secretfiletest.Volume, args ...string) *process {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	const anyPort = "127.0.0.1:0"
	args = append([]string{"--settings-dir", settings.Dir,
		"--public-address", anyPort, "--ops-address", anyPort, "--admin-address", anyPort}, args...)
	p := &process{command: exec.Command(path, args...), began: time.Now()}
	p.command.Stderr = os.Stderr
	out, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.command.Process.Kill() })
	serving := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var line struct{ Msg, Public, Ops, Admin string }
			if err := json.Unmarshal(lines.Bytes(), &line); err == nil && line.Msg == "serving" {
				p.Public, p.Ops, p.Admin = "http://"+line.Public, "http://"+line.Ops, "http://"+line.Admin
				close(serving)
			}
		}
	}()
	select {
	case <-serving:
	case <-time.After(20 * time.Second):
		t.Fatal("the program does not say that it serves")
	}
	return p
}

func code(t *testing.T, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "link.vision.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	var body bytes.Buffer
	_, _ = body.ReadFrom(resp.Body)
	return resp.StatusCode, body.String()
}

func eventually(t *testing.T, ask func() error) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-ticker.C:
		}
	}
}

func (p *process) untilCode(t *testing.T, url string, want int) {
	t.Helper()
	eventually(t, func() error {
		if got, body := code(t, url); got != want {
			return fmt.Errorf("%s: %d %s, want %d", url, got, body, want)
		}
		return nil
	})
}

// The whole life of a pod: it starts without its secret and says so, becomes ready without a restart when the secret comes,
// and on SIGTERM tells the cluster first, serves on, and ends in order.
func TestLifeOfAPod(t *testing.T) {
	key, err := adminapi.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := adminapi.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := adminapi.NewKeySet(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	references := secretfiletest.NewVolume(t, nil)
	settings := settingsVolume(t, references, keys)
	p := start(t, settings, "--ready-drain", "2s")

	p.untilCode(t, p.Ops+"/healthz", http.StatusOK)
	p.untilCode(t, p.Ops+"/readyz", http.StatusServiceUnavailable)
	state := func() (adminapi.ReferenceState, error) {
		client := adminapi.NewClient(time.Now)
		s, err := client.Status(t.Context(), adminapi.Target{BaseURL: p.Admin, Audience: uid}, signer)
		if err != nil || len(s.References) != 1 || s.References[0].Field != fieldSecret {
			return "", errors.Join(err, fmt.Errorf("got %v", s))
		}
		return s.References[0].State, nil
	}
	eventually(t, func() error {
		if got, err := state(); err != nil || got != adminapi.ReferenceMissing {
			return fmt.Errorf("%s is %s, %w", fieldSecret, got, err)
		}
		return nil
	})
	references.Publish(t, map[string]string{fieldSecret: "late"})
	p.untilCode(t, p.Ops+"/readyz", http.StatusOK)
	p.untilCode(t, p.Public+"/hr", http.StatusOK)
	wantLinksCommand(t, settings)

	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.untilCode(t, p.Ops+"/readyz", http.StatusServiceUnavailable)
	if got, body := code(t, p.Public+"/hr"); got != http.StatusOK {
		t.Errorf("while it drains: %d %s, want 200", got, body)
	}
	if err := p.command.Wait(); err != nil {
		t.Errorf("the program ended with %v", err)
	}
}

// wantLinksCommand imports a link beside the serving program and finds it in the list, as `kubectl exec` would.
func wantLinksCommand(t *testing.T, settings *secretfiletest.Volume) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	links := func(command, in string) string {
		cmd := exec.CommandContext(t.Context(), path, "links", command, "--settings-dir", settings.Dir)
		cmd.Stdin, cmd.Stderr = strings.NewReader(in), os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("links %s: %v", command, err)
		}
		return string(out)
	}
	links("import", `{"version":1,"userID":"U206d25c2ea6bd87c17655609a1c37cb8","issuer":"https://sso.vision.example",`+
		`"subject":"s1","confirmed":true,"linkedAt":"2026-01-31T00:00:00Z"}`)
	if list := links("list", ""); !strings.Contains(list, `"user":"U206…7cb8"`) {
		t.Errorf("links list: %s", list)
	}
}

// The gates of a server at rest: ready within a second of its start, and at most 25 MiB of memory of its own.
func TestAtRest(t *testing.T) {
	const (
		gateReady    = time.Second
		gateResident = 25 << 10 // KiB
		tries        = 3        // the machine may be busy with something else
	)
	best := time.Hour
	for range tries {
		references := secretfiletest.NewVolume(t, map[string]string{fieldSecret: "here"})
		p := start(t, settingsVolume(t, references, adminapi.KeySet{}))
		p.untilCode(t, p.Ops+"/readyz", http.StatusOK)
		took := time.Since(p.began)
		best = min(best, took)

		eventually(t, func() error {
			if time.Since(p.began) < 5*time.Second {
				return errors.New("the start is not over")
			}
			return nil
		})
		for range 5 { // at rest is not untouched: probes and scrapes go on
			p.untilCode(t, p.Ops+"/readyz", http.StatusOK)
			p.untilCode(t, p.Ops+"/metrics", http.StatusOK)
		}
		// What the process has to itself. The pages of the program file that the kernel keeps mapped around those that
		// were touched, some 20 MiB, are clean, shared by all pods of the image, and the node's to take back.
		resident := p.kib(t, "RssAnon") + p.kib(t, "RssShmem")
		t.Logf("ready after %v; %d KiB of its own at rest, with the program file %d, at most %d",
			took, resident, p.kib(t, "VmRSS"), p.kib(t, "VmHWM"))
		if resident > gateResident {
			t.Errorf("%d KiB of its own at rest, want at most %d", resident, gateResident)
		}
		if err := p.command.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = p.command.Wait() // killed
		if best <= gateReady {
			return
		}
	}
	t.Errorf("ready after %v at best, want %v", best, gateReady)
}

// kib reads a line of /proc/PID/status.
func (p *process) kib(t *testing.T, name string) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.Fields(value)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in /proc", name)
	return 0
}

// The server holds no credential of the cluster and has nothing with which to use one.
func TestNothingOfKubernetesIsLinked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 100 {
		t.Fatalf("only %d packages listed", len(deps))
	}
	for _, dep := range deps {
		for _, forbidden := range []string{"k8s.io/", "sigs.k8s.io/", "channellink.dev/operator/api", "channellink.dev/operator/internal", "channellink.dev/operator/controllers", "net/http/pprof"} {
			if strings.HasPrefix(dep, forbidden) {
				t.Errorf("%s is linked", dep)
			}
		}
	}
}

func TestRunRefuses(t *testing.T) {
	write := func(content string) []string {
		v := secretfiletest.NewVolume(t, map[string]string{config.SettingsFile: content})
		return []string{"--settings-dir", v.Dir}
	}
	for name, tc := range map[string]struct {
		reason, says string
		args         []string
	}{
		"no settings":     {"nothing can be served", "settings.json", []string{"--settings-dir", t.TempDir()}},
		"other release":   {"the halves of two releases must not guess", "version 999", write(`{"version": 999}`)},
		"unknown flag":    {"a flag that does nothing would be believed in", "--colour", []string{"--colour"}},
		"stray argument":  {"a command that does not exist", `"link"`, []string{"link"}},
		"unknown level":   {"logs would be missing when they are wanted", "logLevel", write(`{"version":1,"logLevel":"loud","network":{},"store":{"sqlite":{"dir":"/nowhere"},"auditRetention":"1h"},"channels":[]}`)},
		"not an address":  {"a port that nobody finds", "nonsense", append(write(`{"version":1,"network":{},"store":{"sqlite":{"dir":"/nowhere"},"auditRetention":"1h"},"channels":[]}`), "--public-address", "nonsense")},
		"not a publicURL": {"its path and host decide what is served", "publicURL", write(`{"version":1,"network":{},"store":{"sqlite":{"dir":"/nowhere"},"auditRetention":"1h"},"channels":[{"uid":"u","publicURL":"link.vision.example"}]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel() // what is not refused ends at once
			err := run(ctx, tc.args, nil, new(bytes.Buffer), io.Discard)
			if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(tc.says, "--")) {
				t.Errorf("got %v, want an error about %s: %s", err, tc.says, tc.reason)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"--version"}, nil, &out, io.Discard); err != nil || out.String() != version+"\n" {
		t.Errorf("got %q and %v, want the version", out.String(), err)
	}
}
