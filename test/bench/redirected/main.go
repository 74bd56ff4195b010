// Command redirected is the operator, with the servers of all ChannelLinks at one address: the names of their Services mean
// nothing on the machine that the benchmark runs on. It signs and sends what the operator signs and sends.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"channellink.dev/operator/controllers"
	"channellink.dev/operator/internal/desired"
	"channellink.dev/operator/webhookserver/adminapi"
)

// heapGrowth is cmd/manager's.
const heapGrowth = 50

func main() {
	metrics := flag.String("metrics-bind-address", "", "address of /metrics")
	namespace := flag.String("namespace", "", "the operator's own")
	servers := flag.String("servers", "", "base URL of all servers")
	couriers := flag.Int("couriers", controllers.DefaultCouriers, "calls at once")
	flag.Parse()
	debug.SetGCPercent(heapGrowth)
	if err := run(*metrics, *namespace, *servers, *couriers); err != nil {
		fmt.Fprintln(os.Stderr, "redirected:", err)
		os.Exit(1)
	}
}

func run(metrics, namespace, servers string, couriers int) error {
	ctrl.SetLogger(logr.FromSlogHandler(slog.NewJSONHandler(os.Stderr, nil)))
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	mgr, err := ctrl.NewManager(config, manager.Options{
		Scheme: scheme, Cache: controllers.CacheOptions(nil),
		Metrics: server.Options{BindAddress: metrics}, HealthProbeBindAddress: "0",
	})
	if err != nil {
		return err
	}
	client := redirected{adminapi.NewClient(time.Now), servers}
	ctx := ctrl.SetupSignalHandler()
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Operator: desired.Operator{ServerImage: "channellink/webhookserver:dev", Namespace: namespace},
		Asker:    client, Unlinker: client, Couriers: couriers,
	})
	if err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// redirected asks at one address, whatever the target's is.
type redirected struct {
	*adminapi.Client
	address string
}

// Status implements controllers.Asker.
func (r redirected) Status(ctx context.Context, target adminapi.Target, signer *adminapi.Signer) (adminapi.Status, error) {
	target.BaseURL = r.address
	return r.Client.Status(ctx, target, signer)
}

// Unlink implements controllers.Unlinker.
func (r redirected) Unlink(ctx context.Context, target adminapi.Target, signer *adminapi.Signer, id string, request adminapi.Unlink) (adminapi.UnlinkResult, error) {
	target.BaseURL = r.address
	return r.Client.Unlink(ctx, target, signer, id, request)
}
