package webhookserver_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"channellink.dev/operator/webhookserver"
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/logtest"
	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	visionUID  = "0b7c1f52-0a51-4c0e-9d5c-8f2a6f1f9a11"
	visionHost = "link.vision.example"
	visionName = "Vision <HR>"

	fieldClientSecret  = "oidc.clientSecretRef"
	fieldChannelSecret = "line.channelSecretRef"

	// canary is in every secret that a test mounts; it must be in nothing that the server says.
	canary = "CANARY-9b1d"
)

// world is a server on loopback, with everything around it.
type world struct {
	Public, Ops, Admin string // base URLs

	References *secretfiletest.Volume
	Settings   *secretfiletest.Volume
	Issuer     *issuertest.Issuer
	Signer     *adminapi.Signer

	files  map[string]string
	keys   []byte
	logs   *logtest.Buffer
	level  slog.Level
	traces trace.TracerProvider
	public net.Listener
	stop   context.CancelFunc
	ended  chan error
}

type option func(*world, *config.Settings)

// without leaves out the file of a reference.
func without(field string) option {
	return func(w *world, _ *config.Settings) { delete(w.files, field) }
}

// quiet has the server log as it does by default, for what is measured.
func quiet(w *world, _ *config.Settings) { w.level = slog.LevelInfo }

// newWorld starts a server for a LINE channel with a client secret and a channel secret, on SQLite.
func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	w := &world{
		Issuer: issuertest.New(t),
		files:  map[string]string{fieldClientSecret: canary + "-client\n", fieldChannelSecret: canary + "-channel\n"},
		logs:   &logtest.Buffer{},
		level:  slog.LevelDebug,
		ended:  make(chan error, 1),
	}
	var key ed25519.PrivateKey
	key, w.Signer = newSigner(t)
	w.keys = keysFile(t, key)

	w.References = secretfiletest.NewVolume(t, nil)
	file := func(field string) *config.File {
		return &config.File{Field: field, Path: w.References.Path(field)}
	}
	settings := config.Settings{
		Version: config.Version,
		Network: config.Network{AllowLocal: true},
		Store: config.Store{
			SQLite:         &config.SQLite{Dir: t.TempDir()},
			AuditRetention: config.Duration(9600 * time.Hour),
		},
		Channels: []config.Channel{{
			UID: visionUID, Namespace: "hr", Name: "vision-hr", Platform: "LINE", PageID: "507oftxz",
			DisplayName: visionName, PublicURL: "https://" + visionHost + "/hr",
			LINE: &config.LINE{ChannelSecret: file(fieldChannelSecret)},
			OIDC: config.OIDC{
				IssuerURL: w.Issuer.URL, ClientID: "chatbot", Scopes: []string{"openid"}, UserClaim: "sub",
				ClientSecret: file(fieldClientSecret), ClientSecretIssuer: file("issuer"),
			},
		}},
	}
	for _, o := range options {
		o(w, &settings)
	}
	w.References.Publish(t, w.files)
	w.Settings = secretfiletest.NewVolume(t, map[string]string{config.OperatorKeysFile: string(w.keys)})
	w.start(t, settings)
	return w
}

func (w *world) start(t testing.TB, settings config.Settings) {
	t.Helper()
	server, err := webhookserver.New(webhookserver.Config{
		Settings:         settings,
		SettingsHash:     strings.Repeat("5", 64),
		OperatorKeysPath: w.Settings.Path(config.OperatorKeysFile),
		Version:          "0.1.0",
		Now:              time.Now,
		Log:              slog.New(slog.NewJSONHandler(w.logs, &slog.HandlerOptions{Level: w.level})),
		Traces:           w.traces,
	})
	if err != nil {
		t.Fatal(err)
	}
	listeners := webhookserver.Listeners{Public: listen(t), Ops: listen(t), Admin: listen(t)}
	w.public = listeners.Public
	w.Public = "http://" + listeners.Public.Addr().String()
	w.Ops = "http://" + listeners.Ops.Addr().String()
	w.Admin = "http://" + listeners.Admin.Addr().String()

	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w.stop = stop
	go func() { w.ended <- server.Serve(ctx, listeners, 0) }()
	t.Cleanup(func() {
		stop()
		if err := <-w.ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		if text := w.logs.String(); strings.Contains(text, canary) {
			t.Errorf("a secret is in the log:\n%s", text) // C65
		}
	})
}

func newSigner(t testing.TB) (ed25519.PrivateKey, *adminapi.Signer) {
	t.Helper()
	key, err := adminapi.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := adminapi.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return key, signer
}

// keysFile is the operator-keys.json of the given keys.
func keysFile(t testing.TB, keys ...ed25519.PrivateKey) []byte {
	t.Helper()
	var publics []ed25519.PublicKey
	for _, key := range keys {
		publics = append(publics, key.Public().(ed25519.PublicKey))
	}
	set, err := adminapi.NewKeySet(publics...)
	if err != nil {
		t.Fatal(err)
	}
	data, err := adminapi.MarshalKeys(set)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// mount changes the files of references, as the kubelet does; an empty content takes one away.
func (w *world) mount(t testing.TB, changes map[string]string) {
	t.Helper()
	for field, content := range changes {
		w.files[field] = content
		if content == "" {
			delete(w.files, field)
		}
	}
	w.References.Publish(t, maps.Clone(w.files))
}

// answer is what came back, whole.
type answer struct {
	Code   int
	Header http.Header
	Body   string
}

// do sends a request to a path below base; change may alter it.
func do(t testing.TB, method, url string, change func(*http.Request)) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	if req.ContentLength > 32<<10 {
		req.Header.Set("Expect", "100-continue") // who refuses a large body resets the connection under one that still writes it
	}
	transport := &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	got := answer{Code: resp.StatusCode, Header: resp.Header, Body: string(body)}
	documented(t, req, got)
	return got
}

// announceLarge makes a request announce a body of 1 GiB. None of it is sent before the server asks for it.
func announceLarge(r *http.Request) {
	r.Header.Set("Expect", "100-continue")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader("")), 1<<30
}

// get asks the public port as a browser would.
func (w *world) get(t testing.TB, path string) answer {
	t.Helper()
	return do(t, http.MethodGet, w.Public+path, func(r *http.Request) { r.Host = visionHost })
}

func (w *world) ready(t testing.TB) answer {
	t.Helper()
	return do(t, http.MethodGet, w.Ops+"/readyz", nil)
}

// status asks as the operator does.
func (w *world) status(t testing.TB) (adminapi.Status, error) {
	t.Helper()
	client := adminapi.NewClient(time.Now)
	return client.Status(t.Context(), adminapi.Target{BaseURL: w.Admin, Audience: visionUID}, w.Signer)
}

// untilReady waits until the server says that it is ready.
func (w *world) untilReady(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		if a := w.ready(t); a.Code != http.StatusOK {
			return fmt.Errorf("readyz: %d %s", a.Code, a.Body)
		}
		return nil
	})
}

// untilStatus waits until the status is as wanted.
func (w *world) untilStatus(t testing.TB, want string, is func(adminapi.Status) bool) {
	t.Helper()
	eventually(t, func() error {
		s, err := w.status(t)
		if err != nil {
			return err
		}
		if !is(s) {
			data, _ := json.Marshal(s)
			return fmt.Errorf("want %s, got %s", want, data)
		}
		return nil
	})
}

// reference is the state of a field in a status.
func reference(s adminapi.Status, field string) adminapi.ReferenceState {
	for _, r := range s.References {
		if r.Field == field {
			return r.State
		}
	}
	return "not listed"
}

// eventually asks again and again until there is no error, and fails the test after 20 s with the last one. It asks seldom
// enough for the admin port, which takes 1024 requests a minute and answers 401 to any more.
func eventually(t testing.TB, ask func() error) {
	t.Helper()
	ticker := time.NewTicker(25 * time.Millisecond)
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
