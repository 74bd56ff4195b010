//go:build apiserver

package plugin_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"channellink.dev/operator/webhookserver"
	"channellink.dev/operator/webhookserver/config"
)

// realServer is the server of vision-line, with its public and its operations port.
type realServer struct{ public, ops string }

func startServer(t *testing.T, secret string) realServer {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "line-channelsecretref")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server, err := webhookserver.New(webhookserver.Config{
		Settings: config.Settings{
			Version: config.Version,
			Network: config.Network{AllowLocal: true},
			Store:   config.Store{SQLite: &config.SQLite{Dir: dir}, AuditRetention: config.Duration(time.Hour)},
			Channels: []config.Channel{{
				UID: "0b7c1f52-0a51-4c0e-9d5c-8f2a6f1f9a11", Namespace: "hr", Name: "vision-line", Platform: "LINE", PageID: "@vision",
				DisplayName: "Vision", PublicURL: "https://link.example.com/line",
				LINE: &config.LINE{ChannelSecret: &config.File{Field: "line.channelSecretRef", Path: file}},
				OIDC: config.OIDC{IssuerURL: "http://localhost:1", ClientID: "chatbot", Scopes: []string{"openid"}, UserClaim: "sub"},
			}},
		},
		OperatorKeysPath: filepath.Join(dir, config.OperatorKeysFile), Version: "0.1.0", Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	listen := func() net.Listener {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	listeners := webhookserver.Listeners{Public: listen(), Ops: listen(), Admin: listen()}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listeners, 0) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	s := realServer{public: listeners.Public.Addr().String(), ops: listeners.Ops.Addr().String()}
	NewWithT(t).Eventually(func() (int, error) { return s.ask("/readyz", io.Discard) }).WithTimeout(20 * time.Second).Should(Equal(http.StatusOK))
	return s
}

// ask asks the operations port.
func (s realServer) ask(path string, into io.Writer) (int, error) {
	resp, err := http.Get("http://" + s.ops + path)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(into, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// TestAgainstTheServer has the real server take what is simulated, and the doctor read what it counts.
func TestAgainstTheServer(t *testing.T) {
	d := newDesk(t, "vision-line")
	wellServed(d)
	server := startServer(t, canary+"-line")
	d.hosts.direct(server.public)
	for _, event := range []string{"verify", "message", "failed --code=0123456789", "linked --code=0123456789 --user=" + lineUser} {
		if got := d.run(t, "simulate vision-line "+event+" --to=http://"+server.public); got.failure != nil || !strings.Contains(got.out, "200: taken") {
			t.Errorf("%s: %v\n%s", event, got.failure, got.all)
		}
	}
	other := startServer(t, "another")
	d.hosts.direct(other.public)
	refused := func() {
		if got := d.run(t, "simulate vision-line message --to=http://"+other.public); got.failure == nil || !strings.Contains(got.out, "401: the signature is wrong") {
			t.Errorf("%v\n%s", got.failure, got.all)
		}
	}

	d.runningPod(t, "vision-line")
	m := newPodMetrics(t)
	m.read = func(asked int) string {
		if asked == 2 {
			refused() // LINE calls while the doctor waits
		}
		var text strings.Builder
		if _, err := other.ask("/metrics", &text); err != nil {
			t.Error(err)
		}
		return text.String()
	}
	d.kubeconfig = env.Kubeconfig(t, m.config())
	got := d.run(t, "doctor vision-line --wait-for-call=1m")
	if got.failure == nil || !strings.Contains(got.out, "POST /webhook was called and answered 401") {
		t.Errorf("%v\n%s", got.failure, got.all)
	}
}
