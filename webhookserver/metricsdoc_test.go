package webhookserver_test

import (
	"flag"
	"net/http"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/metricstest"
)

var updateMetrics = flag.Bool("update-metrics", false, "write the table of docs/metrics.md anew")

// The page says of the server's metrics what a scrape does: no more, and no less. All of them are there before anything has
// happened but probes.
func TestMetricsDoc(t *testing.T) {
	old, line := newOldBot(t), newSettingsAt(t)
	w, _, _ := servedWorld(t, nil, forwarding(old, time.Second), observingLINE(line), func(w *world, _ *config.Settings) {
		w.files[fieldLINEToken] = canary + "-token\n"
	})
	w.untilStatus(t, "counted links", func(s adminapi.Status) bool { return s.Links != nil })
	scrape := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body
	metricstest.Lint(t, scrape, "channellink_")
	metricstest.Documented(t, "server", scrape, *updateMetrics, "channellink_")
}
