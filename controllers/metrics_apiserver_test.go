//go:build apiserver

package controllers_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"channellink.dev/operator/controllers"
	"channellink.dev/operator/webhookserver/metricstest"
)

var updateMetrics = flag.Bool("update-metrics", false, "write the operator's table of docs/metrics.md anew")

// The page says of the operator's metrics what a scrape of one that leads does: no more, and no less.
func TestMetricsDoc(t *testing.T) {
	o := newOperator(t)
	o.options.Metrics, o.options.Version = metrics.Registry, "0.1.0"
	address := freeAddress(t)
	scheme, err := controllers.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	options := manager.Options{
		Scheme: scheme, Cache: controllers.CacheOptions(nil), Metrics: server.Options{BindAddress: address}, HealthProbeBindAddress: "0",
	}
	options.Controller.SkipNameValidation = new(true)
	if o.options.MayAsk, err = controllers.ElectLeader(&options, o.config, o.namespace); err != nil {
		t.Fatal(err)
	}
	mgr, err := ctrl.NewManager(o.config, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := controllers.Setup(ctx, mgr, o.options); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the manager ended: %v", err)
		}
	}()
	link := create(t, "line", env.Namespace(t))
	o.ready(t, link)

	scrape := ""
	NewWithT(t).Eventually(func() error {
		scrape, err = fetch(t.Context(), "http://"+address+"/metrics")
		if err != nil {
			return err
		}
		if want := `channellink_operator_channellinks{ready="True",reason="Ready"} `; !strings.Contains(scrape, want) || strings.Contains(scrape, want+"0") {
			return fmt.Errorf("no ChannelLink is ready:\n%s", scrape)
		}
		return nil
	}).Should(Succeed())
	metricstest.Lint(t, scrape, "channellink_")
	metricstest.Documented(t, "operator", scrape, *updateMetrics,
		"channellink_", "controller_runtime_reconcile_", "leader_election_", "rest_client_", "workqueue_")
	for _, name := range []string{link.Name, link.Namespace} { // C87
		if strings.Contains(scrape, `"`+name+`"`) {
			t.Errorf("a label holds %s", name)
		}
	}
	if strings.Contains(scrape, `channellink_operator_status_requests_total{result="answered"} 0`+"\n") {
		t.Error("no answer is counted")
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func fetch(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
