package webhookserver

import (
	"runtime"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize"
)

// metrics are the process's own registry. No label holds anything that a caller chooses: routes are patterns, methods and
// codes are classed, channels and fields come from the settings (C87).
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	evicted  *prometheus.CounterVec
	logins   *prometheus.CounterVec
	hookMetrics
	callMetrics
	serviceMetrics
}

// requestBuckets are seconds: below a millisecond for what is answered from memory, up to the 5 s of a call to an upstream.
var requestBuckets = []float64{.001, .005, .025, .1, .5, 1, 2.5, 5, 10}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_http_requests_total",
			Help: "Requests by port, route pattern, method and status code.",
		}, []string{"port", "route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "channellink_http_request_duration_seconds", Buckets: requestBuckets,
			Help: "Time from the end of a request's header to the end of its handler.",
		}, []string{"port", "route"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_admin_refusals_total",
			Help: "Admin requests whose token was refused, by reason.",
		}, []string{"reason"}),
		evicted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_connections_evicted_total",
			Help: "Silent connections that were closed to make room for new ones, by port.",
		}, []string{"port"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_login_steps_total",
			Help: "Steps of logins by channel, step and how they ended; ok, or the reason why not.",
		}, []string{"channel", "step", "reason"}),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.seconds, m.refused, m.evicted, m.logins,
		stateCollector{s},
	)
	m.hookMetrics = newHookMetrics(m.registry)
	m.serviceMetrics = newServiceMetrics(m.registry)
	m.callMetrics = newCallMetrics(m.registry)
	return m
}

func (m *metrics) observe(port, route, method string, code int, took time.Duration) {
	m.requests.WithLabelValues(port, route, methodClass(method), strconv.Itoa(code)).Inc()
	m.seconds.WithLabelValues(port, route).Observe(took.Seconds())
}

// observeLogin counts how a step ended. Steps and reasons are closed sets.
func (m *metrics) observeLogin(channel, step string, reason authorize.Reason) {
	m.logins.WithLabelValues(channel, step, string(reason)).Inc()
}

// methodClass bounds the label: a client may invent methods.
func methodClass(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "DELETE":
		return method
	}
	return "other"
}

// stateCollector tells at each scrape what the admin API tells the operator.
type stateCollector struct{ server *Server }

var (
	buildInfoDesc = prometheus.NewDesc("channellink_build_info",
		"Always 1; the labels say which release runs.", []string{"version", "goversion"}, nil)
	readyDesc = prometheus.NewDesc("channellink_ready",
		"1 if the server reports itself ready.", nil, nil)
	storeUpDesc = prometheus.NewDesc("channellink_store_up",
		"1 if the store could serve when it was last asked.", nil, nil)
	referenceDesc = prometheus.NewDesc("channellink_reference_state",
		"1 for the state in which the file of a reference is, 0 for the others.", []string{"channel", "field", "state"}, nil)
	issuerDesc = prometheus.NewDesc("channellink_issuer_state",
		"1 for the state in which the issuer is, 0 for the others.", []string{"channel", "state"}, nil)
	issuerAgeDesc = prometheus.NewDesc("channellink_issuer_metadata_age_seconds",
		"Age of the issuer's metadata in use; absent while there is none.", []string{"channel"}, nil)
	linksDesc = prometheus.NewDesc("channellink_links",
		"Links by state, counted once a minute; unconfirmed ones stay pending for two days.", []string{"channel", "state"}, nil)
	openSessionsDesc = prometheus.NewDesc("channellink_login_sessions_open",
		"Logins that are neither over nor expired, counted once a minute; at 50,000 no more are begun.", []string{"channel"}, nil)
)

var referenceStates = []adminapi.ReferenceState{
	adminapi.ReferencePresent, adminapi.ReferenceMissing, adminapi.ReferenceEmpty, adminapi.ReferenceInvalid, adminapi.ReferenceVanished,
}

var issuerStates = []adminapi.IssuerState{
	adminapi.IssuerPending, adminapi.IssuerDiscovered, adminapi.IssuerStale, adminapi.IssuerFailed,
}

// Describe implements prometheus.Collector.
func (stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfoDesc, readyDesc, storeUpDesc, referenceDesc, issuerDesc, issuerAgeDesc, linksDesc, openSessionsDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	s := c.server
	gauge(buildInfoDesc, 1, s.version, runtime.Version())
	gauge(readyDesc, truth(len(s.waitingFor()) == 0))
	gauge(storeUpDesc, truth(s.store.State().State == adminapi.StoreOpen))
	for _, served := range s.channels {
		for _, r := range s.referencesOf(served) {
			now := r.state()
			for _, state := range referenceStates {
				gauge(referenceDesc, truth(state == now), served.Name, r.field, string(state))
			}
		}
		now := served.issuer.State().State
		for _, state := range issuerStates {
			gauge(issuerDesc, truth(state == now), served.Name, string(state))
		}
		if age, ok := served.issuer.Age(s.now()); ok {
			gauge(issuerAgeDesc, age.Seconds(), served.Name)
		}
		if counted := served.tally.Load(); counted != nil {
			for state, n := range counted.links {
				gauge(linksDesc, float64(n), served.Name, string(state))
			}
			gauge(openSessionsDesc, float64(counted.openSessions), served.Name)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
