//go:build apiserver

package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/linkscmd"
	"channellink.dev/operator/webhookserver/store"
)

const lineUser = "U206d25c2ea6bd87c17655609a1c37cb8"

// pod is the server's pod as far as `kubectl exec` is concerned: its own command, on a store of its own.
type pod struct {
	dir  string
	args []string // of the last kubectl
}

func newPod(t *testing.T) *pod {
	t.Helper()
	p := &pod{dir: t.TempDir()}
	settings := config.Settings{
		Version: config.Version,
		Store:   config.Store{SQLite: &config.SQLite{Dir: p.dir}, AuditRetention: config.Duration(time.Hour)},
		Channels: []config.Channel{{
			UID: "0b7c1f52-0a51-4c0e-9d5c-8f2a6f1f9a11", Namespace: "hr", Name: "vision-hr", Platform: "LINE", PageID: "507oftxz",
			DisplayName: "Vision HR", PublicURL: "https://link.example.com/hr",
			LINE: &config.LINE{ChannelSecret: &config.File{Field: "line.channelSecretRef", Path: "/x"}},
			OIDC: config.OIDC{IssuerURL: "https://sso.example.com", ClientID: "chatbot", Scopes: []string{"openid"}, UserClaim: "email"},
		}},
	}
	data, err := json.Marshal(settings)
	if err == nil {
		err = os.WriteFile(filepath.Join(p.dir, config.SettingsFile), data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 31, 9, 30, 1, 0, time.UTC)
	opened, err := store.OpenSQLite(t.Context(), store.SQLiteOptions{Path: filepath.Join(p.dir, store.DatabaseFile)})
	if err != nil {
		t.Fatal(err)
	}
	var links []link.Link
	for i, user := range []string{lineUser, "U91eeaf62d0e4b1c3a5f7d9e8b6c4a2f1"} {
		links = append(links, link.Link{
			Channel: "LINE/507oftxz", UserID: user, Confirmed: true, LinkedAt: at.Add(time.Duration(i) * time.Hour),
			Identity: link.Identity{Issuer: "https://sso.example.com", Subject: "00u1a2b3c4d5e6", Account: []string{"j.dupont", "m.tanaka"}[i] + "@vision.example"},
		})
	}
	_, err = opened.Import(t.Context(), links, at.Add(2*time.Hour))
	if err == nil {
		_, err = opened.Unlink(t.Context(), link.Unlink{
			Channel: "LINE/507oftxz", UserID: links[1].UserID, At: at.Add(3 * time.Hour), By: "AccountUnlink hr/leaver", Why: "HR-1234 leaver",
		}, at.Add(3*time.Hour))
	}
	if err = errors.Join(err, opened.Close()); err != nil {
		t.Fatal(err)
	}
	return p
}

// kubectl is `kubectl exec`.
func (p *pod) kubectl(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	p.args = args
	command := args[slices.Index(args, "--")+1:]
	return linkscmd.Run(ctx, append(command[2:], "-settings-dir", p.dir), linkscmd.Env{In: in, Out: out, Err: errOut, Now: time.Now})
}

func TestLinks(t *testing.T) {
	d := newDesk(t, "vision-hr")
	p := newPod(t)
	d.kubectl = p.kubectl
	d.golden(t, "links", "links vision-hr", nil)
	want := []string{"exec", "deploy/vision-hr", "--container=server", "--namespace=" + d.namespace, "--kubeconfig=" + d.kubeconfig, "--",
		"/webhookserver", "links", "list"}
	if diff := cmp.Diff(want, p.args); diff != "" {
		t.Errorf("kubectl was run with (-want +got):\n%s", diff)
	}

	// kubectl finds the cluster as the same person.
	d.run(t, "links vision-hr --as=jane --as-group=system:masters --as-group=b")
	if diff := cmp.Diff([]string{"--as=jane", "--as-group=system:masters", "--as-group=b"}, p.args[4:7]); diff != "" {
		t.Errorf("kubectl was run with (-want +got):\n%s", diff)
	}

	// A user's id is never an argument: the API server's audit log keeps those.
	d.in = lineUser + "\n"
	got := d.run(t, "links vision-hr --audit --one-user")
	if got.failure != nil || strings.Count(got.out, "\n") != 2 || !strings.Contains(got.out, "imported") || slices.Contains(p.args, lineUser) || !slices.Contains(p.args, "--stdin") {
		t.Errorf("one user: %v, %q, run with %q", got.failure, got.out, p.args)
	}
	d.golden(t, "links-audit", "links vision-hr --audit", nil)
	got = d.run(t, "links vision-hr -o json")
	if got.failure != nil || !strings.Contains(got.out, `"account":"j.du…mple"`) {
		t.Errorf("as JSON: %v\n%s", got.failure, got.out)
	}
	for _, args := range []string{"", " --audit", " -o json", " --audit -o json"} {
		if got := d.run(t, "links vision-hr"+args); strings.Contains(got.all, lineUser) || strings.Contains(got.all, "00u1a2b3c4d5e6") {
			t.Errorf("a user is named in full:\n%s", got.all)
		}
	}
	if got := d.run(t, "links vision-hr --one-user"); got.failure == nil {
		t.Error("--one-user alone is taken")
	}
}

// A server of another release that names users is not repeated.
func TestLinksAreMasked(t *testing.T) {
	d := newDesk(t, "vision-hr")
	for _, line := range []string{`{"user":"` + lineUser + `"}`, lineUser} {
		d.kubectl = func(_ context.Context, _ []string, _ io.Reader, out, _ io.Writer) error {
			_, err := io.WriteString(out, `{"user":"U206…7cb8"}`+"\n"+line+"\n")
			return err
		}
		for _, args := range []string{"", " -o json"} {
			if got := d.run(t, "links vision-hr"+args); got.failure == nil || strings.Contains(got.all, lineUser) {
				t.Errorf("%s: %v\n%s", line, got.failure, got.all)
			}
		}
	}
}
