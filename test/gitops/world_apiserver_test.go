//go:build apiserver

package gitops_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/controllers"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/internal/testenv"
	"channellink.dev/operator/webhookserver"
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
)

// patience bounds the wait for what must happen, on a machine that has other work.
const patience = time.Minute

// env is the cluster that each test begins with.
var env *testenv.Environment

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	SetDefaultEventuallyTimeout(patience)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	os.Exit(testenv.Run(m, &env))
}

// cluster is an API server with the operator at work. What it lacks are pods: startServer starts a server in one's place.
type cluster struct {
	*testenv.Environment
	namespace string
	doors     *doors
	options   controllers.Options
	stop      func()
}

// newCluster starts an operator, which ends with the test, and makes the namespace of the channels.
func newCluster(t *testing.T, env *testenv.Environment) *cluster {
	t.Helper()
	c := &cluster{
		Environment: env, namespace: env.Namespace(t),
		doors: &doors{client: adminapi.NewClient(time.Now), byChannel: map[string]string{}},
	}
	c.options = controllers.Options{
		Operator: desired.Operator{
			ServerImage: "registry.example/channellink/webhookserver:0.1.0", Namespace: env.Namespace(t),
			Network: config.Network{AllowLocal: true}, // the issuer is on this machine
		},
		Asker: c.doors, Unlinker: c.doors, PendingInterval: 50 * time.Millisecond, ReadyInterval: 200 * time.Millisecond,
	}
	c.start(t)
	t.Cleanup(func() { c.stop() })
	return c
}

// start starts the operator; stop, which it sets, waits until the operator has ended.
func (c *cluster) start(t *testing.T) {
	t.Helper()
	scheme, err := controllers.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	options := manager.Options{
		Scheme: scheme, Cache: controllers.CacheOptions([]string{c.namespace, c.options.Operator.Namespace}), Logger: logr.Discard(),
		Metrics: metrics.Options{BindAddress: "0"}, HealthProbeBindAddress: "0",
	}
	options.Controller.SkipNameValidation = new(true) // one operator after the other in this process
	mgr, err := ctrl.NewManager(c.Config, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	if err := controllers.Setup(ctx, mgr, c.options); err != nil {
		cancel()
		t.Fatal(err)
	}
	c.stop = inBackground(t, "the operator", cancel, func() error { return mgr.Start(ctx) })
}

// inBackground runs what ends after cancel; the returned function cancels and waits for that.
func inBackground(t *testing.T, what string, cancel context.CancelFunc, run func() error) (stop func()) {
	ended := make(chan error, 1)
	go func() { ended <- run() }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s ended: %v", what, err)
		}
	})
}

// doors lead the operator to the servers of this test, which it would find by the cluster's DNS.
type doors struct {
	client *adminapi.Client

	mu        sync.Mutex
	byChannel map[string]string
}

func (d *doors) open(channel, baseURL string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byChannel[channel] = baseURL
}

func (d *doors) to(target adminapi.Target) (adminapi.Target, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	target.BaseURL = d.byChannel[target.Audience]
	if target.BaseURL == "" {
		return adminapi.Target{}, adminapi.ErrUnreachable
	}
	return target, nil
}

// Status implements controllers.Asker.
func (d *doors) Status(ctx context.Context, target adminapi.Target, signer *adminapi.Signer) (adminapi.Status, error) {
	at, err := d.to(target)
	if err != nil {
		return adminapi.Status{}, err
	}
	return d.client.Status(ctx, at, signer)
}

// Unlink implements controllers.Unlinker.
func (d *doors) Unlink(ctx context.Context, target adminapi.Target, signer *adminapi.Signer, id string, request adminapi.Unlink) (adminapi.UnlinkResult, error) {
	at, err := d.to(target)
	if err != nil {
		return adminapi.UnlinkResult{}, err
	}
	return d.client.Unlink(ctx, at, signer, id, request)
}

// server is a real one, with its store.
type server struct {
	settingsDir string
	stop        func()
}

// mounted is a file below config.ReferencesDir in the settings.
var mounted = regexp.MustCompile(regexp.QuoteMeta(config.ReferencesDir) + `/([^"]+)`)

// startServer does what the Deployment of the ChannelLink is for: it runs the server with the settings that the operator has
// written, and with its data in this folder.
func (c *cluster) startServer(t *testing.T, link *v1alpha1.ChannelLink, data string) *server {
	t.Helper()
	key := client.ObjectKey{Namespace: link.Namespace, Name: names.Base(link)}
	settings, deployment := &corev1.ConfigMap{}, &appsv1.Deployment{}
	NewWithT(t).Eventually(func(g Gomega) {
		g.Expect(c.Client.Get(t.Context(), key, deployment)).To(Succeed())
		g.Expect(c.Client.Get(t.Context(), key, settings)).To(Succeed())
		g.Expect(settings.Data[config.OperatorKeysFile]).To(ContainSubstring(`"kid"`))
	}).Should(Succeed())

	// The same files as in a pod, elsewhere.
	text := settings.Data[config.SettingsFile]
	secrets := map[string]string{}
	for _, match := range mounted.FindAllStringSubmatch(text, -1) {
		secrets[match[1]] = "a secret of at least thirty-two bytes\n"
	}
	text = strings.ReplaceAll(text, config.ReferencesDir, secretfiletest.NewVolume(t, secrets).Dir)
	text = strings.ReplaceAll(text, config.DataDir, data)
	volume := secretfiletest.NewVolume(t, map[string]string{
		config.SettingsFile: text, config.OperatorKeysFile: settings.Data[config.OperatorKeysFile],
	})
	parsed, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	running, err := webhookserver.New(webhookserver.Config{
		Settings: parsed, SettingsHash: deployment.Spec.Template.Annotations[names.AnnotationSettingsHash],
		OperatorKeysPath: filepath.Join(volume.Dir, config.OperatorKeysFile), Version: "0.1.0",
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	listeners := webhookserver.Listeners{Public: listen(t), Ops: listen(t), Admin: listen(t)}
	c.doors.open(string(link.UID), "http://"+listeners.Admin.Addr().String())
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &server{settingsDir: volume.Dir}
	s.stop = inBackground(t, "the server", cancel, func() error { return running.Serve(ctx, listeners, 0) })
	t.Cleanup(s.stop)
	NewWithT(t).Eventually(func() (int, error) { return ask(t.Context(), "http://"+listeners.Ops.Addr().String()+"/readyz") }).
		Should(Equal(http.StatusOK), "the server must become ready")
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicas"}},
	}
	if err := c.Client.Status().Update(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(ctx context.Context, url string) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}
