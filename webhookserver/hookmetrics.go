package webhookserver

import (
	"github.com/prometheus/client_golang/prometheus"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/signature"
)

// hookMetrics count what platforms tell of links. Every label is of a closed set, or from the settings.
type hookMetrics struct {
	refusals *prometheus.CounterVec
	events   *prometheus.CounterVec
	lookups  *prometheus.CounterVec
	noRoom   prometheus.Counter
	unlinks  *prometheus.CounterVec
}

// givenUp is what came of an event that failed again and again.
const givenUp = "given up"

func newHookMetrics(registry prometheus.Registerer) hookMetrics {
	m := hookMetrics{
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_signature_refusals_total",
			Help: "Calls of platforms that were refused for their signature or key, by channel and reason.",
		}, []string{"channel", "reason"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_link_events_total",
			Help: "What platforms told of links, by channel, kind and what came of it.",
		}, []string{"channel", "kind", "outcome"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "channellink_confirmation_lookups_total",
			Help: "Look-ups at BotBonnie for links that wait for their confirmation, by channel and result.",
		}, []string{"channel", "result"}),
		noRoom: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "channellink_bodies_without_room_total",
			Help: "Large bodies that were sent away because others took all the memory that unverified bodies may take.",
		}),
	}
	m.unlinks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "channellink_unlink_steps_total",
		Help: "Users whom a platform was to be told of for a revocation, by channel and what came of it: a state, or the cause for which they wait.",
	}, []string{"channel", "result"})
	registry.MustRegister(m.refusals, m.events, m.lookups, m.noRoom, m.unlinks)
	return m
}

func (m hookMetrics) forged(channel string, reason signature.Refusal) {
	m.refusals.WithLabelValues(channel, string(reason)).Inc()
}

func (m hookMetrics) linkEvent(channel, kind, outcome string) {
	m.events.WithLabelValues(channel, kind, outcome).Inc()
}

// ignored counts the parts of a batch that are no event of this channel.
func (m hookMetrics) ignored(channel string, b event.Batch) {
	m.events.WithLabelValues(channel, "any", "foreign").Add(float64(b.Foreign))
	m.events.WithLabelValues(channel, "any", "unreadable").Add(float64(b.Skipped))
}

// unlinked counts a step of a revocation. States and causes are closed sets.
func (m hookMetrics) unlinked(channel, result string) {
	m.unlinks.WithLabelValues(channel, result).Inc()
}

func (m hookMetrics) lookup(channel, result string) {
	m.lookups.WithLabelValues(channel, result).Inc()
}
