package webhookserver

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize"
)

// metrics are the process's own registry. No label holds anything that a caller chooses: routes are patterns, methods and
// codes are classed, channels and fields come from the settings (C87).
type metrics struct {
	registry *prometheus.Registry
	requests *requestMetrics
	refused  *prometheus.CounterVec
	evicted  *prometheus.CounterVec
	logins   *prometheus.CounterVec
	hookMetrics
	callMetrics
	serviceMetrics
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
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
		m.refused, m.evicted, m.logins,
		stateCollector{s},
	)
	m.requests = newRequestMetrics(m.registry)
	m.hookMetrics = newHookMetrics(m.registry)
	m.serviceMetrics = newServiceMetrics(m.registry)
	m.callMetrics = newCallMetrics(m.registry)
	return m
}

// observeLogin counts how a step ended. Steps and reasons are closed sets.
func (m *metrics) observeLogin(channel, step string, reason authorize.Reason) {
	m.logins.WithLabelValues(channel, step, string(reason)).Inc()
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
	registrationDesc = prometheus.NewDesc("channellink_registration_state",
		"1 for what was last seen of the webhook's registration at the platform, 0 for the others; only where it is observed.", []string{"channel", "state"}, nil)
	linksDesc = prometheus.NewDesc("channellink_links",
		"Links by state, counted once a minute; unconfirmed ones stay pending for two days.", []string{"channel", "state"}, nil)
	openSessionsDesc = prometheus.NewDesc("channellink_login_sessions_open",
		"Logins that are neither over nor expired, counted once a minute. A channel keeps 100,000 at most, those that were over lately included.", []string{"channel"}, nil)
)

var referenceStates = []adminapi.ReferenceState{
	adminapi.ReferencePresent, adminapi.ReferenceMissing, adminapi.ReferenceEmpty, adminapi.ReferenceInvalid, adminapi.ReferenceVanished,
}

var issuerStates = []adminapi.IssuerState{
	adminapi.IssuerPending, adminapi.IssuerDiscovered, adminapi.IssuerStale, adminapi.IssuerFailed,
}

var registrationStates = []adminapi.RegistrationState{
	adminapi.RegistrationPending, adminapi.RegistrationInPlace, adminapi.RegistrationSubscribed, adminapi.RegistrationOtherURL,
	adminapi.RegistrationNoURL, adminapi.RegistrationInactive, adminapi.RegistrationNotSubscribed, adminapi.RegistrationTestFailed,
	adminapi.RegistrationTokenRejected, adminapi.RegistrationUnreachable,
}

// Describe implements prometheus.Collector.
func (stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{buildInfoDesc, readyDesc, storeUpDesc, referenceDesc, issuerDesc, issuerAgeDesc, registrationDesc, linksDesc, openSessionsDesc} {
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
		if seen := served.registrar.State(); seen != nil {
			for _, state := range registrationStates {
				gauge(registrationDesc, truth(state == seen.State), served.Name, string(state))
			}
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
