package webhookserver

import (
	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/services"
	"channellink.dev/operator/webhookserver/signature"
)

// The series that alerts and dashboards watch are there from the start, at 0: of a counter that comes into being at 1,
// Prometheus cannot tell that it grew.
var (
	firstSignatureRefusals = []signature.Refusal{
		signature.NoSecret, signature.Missing, signature.Duplicated, signature.Malformed, signature.Mismatch, signature.Downgraded,
	}
	firstAdminRefusals = []adminapi.Refusal{
		adminapi.RefusedMissing, adminapi.RefusedKey, adminapi.RefusedSignature, adminapi.RefusedAudience,
		adminapi.RefusedExpired, adminapi.RefusedFuture, adminapi.RefusedReplayed,
	}
	firstEvents = map[event.Kind]link.Outcome{
		event.Linked: link.Activated, event.Refused: link.Burnt, event.Unlinked: link.Removed,
	}
	firstUnlinkResults = []string{
		string(adminapi.UnlinkDone), string(adminapi.UnlinkFailed), string(adminapi.UnlinkCredentialsRejected), string(adminapi.UnlinkUpstreamFailed),
	}
	firstLogins = map[string][]authorize.Reason{
		"begin": {authorize.OK, authorize.TooManySessions, authorize.IssuerUnknown},
		"link":  {authorize.OK},
	}
)

// begin makes them.
func (m *metrics) begin(channels []*channel) {
	for _, refusal := range firstAdminRefusals {
		m.refused.WithLabelValues(string(refusal))
	}
	for _, c := range channels {
		m.beginHooks(c)
		for step, reasons := range firstLogins {
			for _, reason := range reasons {
				m.logins.WithLabelValues(c.Name, step, string(reason))
			}
		}
		for _, service := range c.Services {
			for _, outcome := range []services.Outcome{services.Answered, services.NotLinked, services.Failed} {
				m.serviceMetrics.calls.WithLabelValues(c.Name, service.Name, string(outcome))
			}
			m.serviceMetrics.seconds.WithLabelValues(c.Name, service.Name)
		}
		for _, to := range c.targets() {
			for _, class := range []string{"2xx", "4xx", "5xx", "timeout", "unreachable"} {
				m.callMetrics.calls.WithLabelValues(c.Name, string(to), class)
			}
		}
	}
}

func (m *metrics) beginHooks(c *channel) {
	for _, refusal := range firstSignatureRefusals {
		m.refusals.WithLabelValues(c.Name, string(refusal))
	}
	for kind, outcome := range firstEvents {
		m.events.WithLabelValues(c.Name, string(kind), string(outcome))
		m.events.WithLabelValues(c.Name, string(kind), givenUp)
	}
	m.ignored(c.Name, event.Batch{})
	for _, result := range firstUnlinkResults {
		m.unlinks.WithLabelValues(c.Name, result)
	}
	if c.confirmer != nil {
		for _, result := range []string{"ok", "failed"} {
			m.lookups.WithLabelValues(c.Name, result)
		}
	}
}

// targets are whom calls of the channel are for.
func (c *channel) targets() []target {
	all := []target{targetIssuer}
	for _, u := range c.upstreams() {
		all = append(all, u.target)
	}
	if c.bot != nil {
		all = append(all, targetForward)
	}
	if c.siblings != nil {
		all = append(all, targetSibling)
	}
	return all
}
