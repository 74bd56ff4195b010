package webhookserver

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"channellink.dev/operator/webhookserver/services"
)

// serviceMetrics count what comes of personalised services. Services are named in the settings, outcomes are a closed set.
type serviceMetrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
}

// serviceBuckets are seconds: a look-up alone takes a millisecond, the slowest backend 5 s.
var serviceBuckets = []float64{.005, .025, .1, .25, .5, 1, 2, 3, 5}

func newServiceMetrics(registry prometheus.Registerer) serviceMetrics {
	m := serviceMetrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_service_calls_total",
			Help: "Verified calls of personalised services by channel, service and what came of them.",
		}, []string{"channel", "service", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "channellink_service_duration_seconds", Buckets: serviceBuckets,
			Help: "Time from the verified call of a service to its answer, by channel and service.",
		}, []string{"channel", "service"}),
	}
	registry.MustRegister(m.calls, m.seconds)
	return m
}

func (m serviceMetrics) served(channel, service string, outcome services.Outcome, took time.Duration) {
	m.calls.WithLabelValues(channel, service, string(outcome)).Inc()
	m.seconds.WithLabelValues(channel, service).Observe(took.Seconds())
}
