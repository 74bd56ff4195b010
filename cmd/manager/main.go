// Command manager is the operator: it turns ChannelLinks into running servers.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"runtime/debug"
	"strings"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"channellink.dev/operator/controllers"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/webhookserver/config"
)

// version is set by the build.
var version = "dev"

// heapGrowth is by how many percent the heap grows before it is collected, unless GOGC says otherwise. Nearly all of it is
// the cache, which stays: with Go's own 100, half of the resident memory would be waste (docs/performance.md).
const heapGrowth = 50

// flags of the command line.
type flags struct {
	serverImage     string
	namespace       string
	podLabels       string
	watchNamespaces string
	endpointHosts   string
	sharedHosts     bool
	allowLocal      bool
	denyPrivate     bool
	otlpEndpoint    string
	leaderElect     bool
	metricsAddress  string
	healthAddress   string
	logLevel        string
	printVersion    bool
}

func parse(args []string) (flags, error) {
	var f flags
	set := flag.NewFlagSet("manager", flag.ContinueOnError)
	set.StringVar(&f.serverImage, "server-image", "channellink/webhookserver:"+version, "image of the servers whose ChannelLink names none")
	set.StringVar(&f.namespace, "namespace", os.Getenv("POD_NAMESPACE"), "namespace of the operator itself; default: $POD_NAMESPACE")
	set.StringVar(&f.podLabels, "pod-labels", "app.kubernetes.io/name=channellink-operator", "labels of the operator's pods, which alone may reach the servers' admin port: key=value, comma separated")
	set.StringVar(&f.watchNamespaces, "watch-namespaces", "", "namespaces to watch, comma separated; default: all")
	set.StringVar(&f.endpointHosts, desired.FlagAllowEndpointHosts, "", "hosts that may stand in for a chat platform's own, comma separated (for test doubles)")
	set.BoolVar(&f.sharedHosts, "shared-hosts", false, "let ChannelLinks of several namespaces share one host")
	set.BoolVar(&f.allowLocal, desired.FlagAllowLocalAddresses, false, "let servers call loopback and link-local addresses, and accept plain http for localhost and *.localhost (for demos and tests)")
	set.BoolVar(&f.denyPrivate, "deny-private-addresses", false, "refuse servers calls to private address ranges")
	set.StringVar(&f.otlpEndpoint, "otlp-endpoint", os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT"), "base URL of the OpenTelemetry collector that servers send spans to, by OTLP over HTTP; default: $OTEL_EXPORTER_OTLP_ENDPOINT; empty: no tracing")
	set.BoolVar(&f.leaderElect, "leader-elect", true, "elect a leader among the replicas")
	set.StringVar(&f.metricsAddress, "metrics-bind-address", ":8080", "address of /metrics; 0 turns it off")
	set.StringVar(&f.healthAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz")
	set.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	set.BoolVar(&f.printVersion, "version", false, "print the version and exit")
	if err := set.Parse(args); err != nil {
		return f, err
	}
	if f.namespace == "" && !f.printVersion {
		return f, errors.New("no namespace: set --namespace or $POD_NAMESPACE to the operator's own")
	}
	if u, err := url.Parse(f.otlpEndpoint); f.otlpEndpoint != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https") {
		// Servers would not start with it. It is not quoted: it may hold a password.
		return f, errors.New("--otlp-endpoint: want a URL such as http://collector.observability:4318, without a password")
	}
	return f, nil
}

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(heapGrowth)
	}
	f, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil && f.printVersion {
		fmt.Println(version)
		return
	}
	if err == nil {
		err = run(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}

func run(f flags) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level})))

	podLabels, err := pairs(f.podLabels)
	if err != nil {
		return fmt.Errorf("--pod-labels: %w", err)
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	options := manager.Options{
		Scheme:                 scheme,
		Cache:                  controllers.CacheOptions(list(f.watchNamespaces)),
		Metrics:                server.Options{BindAddress: f.metricsAddress},
		HealthProbeBindAddress: f.healthAddress,
	}
	var mayAsk func() bool
	if f.leaderElect {
		if mayAsk, err = controllers.ElectLeader(&options, restConfig, f.namespace); err != nil {
			return err
		}
	}
	mgr, err := ctrl.NewManager(restConfig, options)
	if err != nil {
		return fmt.Errorf("preparing the manager (are the CustomResourceDefinitions installed?): %w", err)
	}
	for name, add := range map[string]func(string, healthz.Checker) error{"healthz": mgr.AddHealthzCheck, "readyz": mgr.AddReadyzCheck} {
		if err := add(name, healthz.Ping); err != nil {
			return err
		}
	}

	ctx := ctrl.SetupSignalHandler()
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Operator: desired.Operator{
			ServerImage: f.serverImage, Namespace: f.namespace, PodLabels: podLabels,
			Network:            config.Network{AllowLocal: f.allowLocal, DenyPrivate: f.denyPrivate},
			AllowEndpointHosts: list(f.endpointHosts),
			OTLPEndpoint:       f.otlpEndpoint,
		},
		SharedHosts: f.sharedHosts,
		MayAsk:      mayAsk,
		Metrics:     metrics.Registry,
		Version:     version,
	})
	if err != nil {
		return err
	}
	if err := mgr.Add(afterRead{mgr.GetCache()}); err != nil {
		return err
	}
	ctrl.Log.Info("Starting the operator", "version", version, "serverImage", f.serverImage, "watchNamespaces", f.watchNamespaces)
	return mgr.Start(ctx)
}

// afterRead gives back what reading all objects took beyond what the cache keeps; the runtime itself would take minutes for it.
type afterRead struct{ cache cache.Cache }

func (a afterRead) Start(ctx context.Context) error {
	if a.cache.WaitForCacheSync(ctx) {
		debug.FreeOSMemory()
	}
	return nil
}

// NeedLeaderElection says that a process does this that waits to lead, too.
func (a afterRead) NeedLeaderElection() bool { return false }

func list(text string) []string {
	var items []string
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func pairs(text string) (map[string]string, error) {
	out := map[string]string{}
	for _, item := range list(text) {
		key, value, ok := strings.Cut(item, "=")
		if !ok {
			return nil, fmt.Errorf("%q: want key=value", item)
		}
		out[key] = value
	}
	return out, nil
}
