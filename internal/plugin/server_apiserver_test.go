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

// realServer is the server of vision-line and vision-hr, with its public and its operations port.
type realServer struct{ public, ops string }

func startServer(t *testing.T, secret string) realServer {
	t.Helper()
	dir := t.TempDir()
	file := func(field, value string) config.File {
		path := filepath.Join(dir, field)
		if err := os.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return config.File{Field: field, Path: path}
	}
	line, apiSecret := file("line.channelSecretRef", secret+"-line"), file("botBonnie.apiSecretRef", secret+"-secret")
	oidc := config.OIDC{IssuerURL: "http://localhost:1", ClientID: "chatbot", Scopes: []string{"openid"}, UserClaim: "sub"}
	server, err := webhookserver.New(webhookserver.Config{
		Settings: config.Settings{
			Version: config.Version,
			Network: config.Network{AllowLocal: true},
			Store:   config.Store{SQLite: &config.SQLite{Dir: dir}, AuditRetention: config.Duration(time.Hour)},
			Channels: []config.Channel{{
				UID: "0b7c1f52-0a51-4c0e-9d5c-8f2a6f1f9a11", Namespace: "hr", Name: "vision-line", Platform: "LINE", PageID: "@vision",
				DisplayName: "Vision", PublicURL: "https://link.example.com/line",
				LINE: &config.LINE{ChannelSecret: &line}, OIDC: oidc,
			}, {
				UID: "5f6b8f0e-2c1c-4b0d-8a4e-7d2f6c1b9e22", Namespace: "hr", Name: "vision-hr", Platform: "LINE", PageID: "507oftxz",
				DisplayName: "Vision HR", PublicURL: "https://link.example.com/hr",
				BotBonnie: &config.BotBonnie{
					BotID: "bot-M-BOieOXZ", APIToken: file("botBonnie.apiTokenSecretRef", secret+"-token"), APISecret: &apiSecret,
					MaxCallsPerSecond: 10, APIEndpoint: "http://localhost:1", RedirectEndpoint: "http://localhost:1/account/link",
				},
				OIDC: oidc,
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
	d := newDesk(t, "vision-line", "vision-hr")
	wellServed(d)
	server := startServer(t, canary)
	d.hosts.direct(server.public)
	for _, event := range []string{
		"vision-line verify", "vision-line message", "vision-line failed --code=0123456789", "vision-line linked --code=0123456789 --user=" + lineUser,
		"vision-hr verify", "vision-hr linked --user=" + lineUser, "vision-hr unlinked --user=" + lineUser,
	} {
		if got := d.run(t, "simulate "+event+" --to=http://"+server.public); got.failure != nil || !strings.Contains(got.out, "200: taken") {
			t.Errorf("%s: %v\n%s", event, got.failure, got.all)
		}
	}
	if got := d.run(t, "simulate vision-hr --to=http://"+server.public); !strings.Contains(got.out, `the bot shows "`) {
		t.Errorf("what the bot shows to nobody is not told: %v\n%s", got.failure, got.all)
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
		if asked == 3 {
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
