package webhookserver

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requestMetrics count what the three ports answer. Ports, patterns, method classes and codes are closed sets.
type requestMetrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	mu    sync.RWMutex
	known map[answered]answerMetrics // looking series up by their labels costs as much as verifying a signature
}

// answered is one kind of answer.
type answered struct {
	port, route, method string
	code                int
}

type answerMetrics struct {
	count   prometheus.Counter
	seconds prometheus.Observer
}

// requestBuckets are seconds: below a millisecond for what is answered from memory, up to the 5 s of a call to an upstream.
var requestBuckets = []float64{.001, .005, .025, .1, .5, 1, 2.5, 5, 10}

func newRequestMetrics(registry prometheus.Registerer) *requestMetrics {
	m := &requestMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_http_requests_total",
			Help: "Requests by port, route pattern, method and status code.",
		}, []string{"port", "route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "channellink_http_request_duration_seconds", Buckets: requestBuckets,
			Help: "Time from the end of a request's header to the end of its handler.",
		}, []string{"port", "route"}),
		known: map[answered]answerMetrics{},
	}
	registry.MustRegister(m.requests, m.seconds)
	return m
}

func (m *requestMetrics) observe(port, route, method string, code int, took time.Duration) {
	of := m.of(answered{port, route, methodClass(method), code})
	of.count.Inc()
	of.seconds.Observe(took.Seconds())
}

func (m *requestMetrics) of(a answered) answerMetrics {
	m.mu.RLock()
	found, ok := m.known[a]
	m.mu.RUnlock()
	if !ok {
		found = answerMetrics{
			count:   m.requests.WithLabelValues(a.port, a.route, a.method, strconv.Itoa(a.code)),
			seconds: m.seconds.WithLabelValues(a.port, a.route),
		}
		m.mu.Lock()
		m.known[a] = found
		m.mu.Unlock()
	}
	return found
}

// methodClass bounds the label: a client may invent methods.
func methodClass(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE":
		return method
	}
	return "other"
}
