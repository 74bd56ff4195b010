package webhookserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"channellink.dev/operator/webhookserver/outbound"
)

// target is whom a call of ours is for. The set is closed, so a target may stand in a metric; the host may not, because it
// can come out of an upstream's answer.
type target string

// The targets.
const (
	targetBotBonnie target = "botbonnie"
	targetGraph     target = "graph"
	targetLINE      target = "line"
	targetIssuer    target = "issuer"
	targetService   target = "service"
	targetForward   target = "forward"
	targetSibling   target = "sibling"
	targetPicture   target = "picture"
)

// upstream is the base of the URLs of a target.
type upstream struct {
	base   string
	target target
}

// upstreams are the bases that the channel's settings name.
func (c *channel) upstreams() []upstream {
	var all []upstream
	if c.BotBonnie != nil {
		all = append(all, upstream{c.BotBonnie.APIEndpoint, targetBotBonnie})
	}
	if c.Messenger != nil {
		all = append(all, upstream{c.Messenger.GraphEndpoint, targetGraph})
	}
	if c.LINE != nil {
		all = append(all, upstream{c.LINE.APIEndpoint, targetLINE})
	}
	for _, service := range c.Services {
		all = append(all, upstream{service.URL, targetService})
	}
	return all
}

// targetOf is whom a URL belongs to: the longest base that it lies below. An address that the settings do not name came from
// a platform, as that of a chat user's picture.
func targetOf(upstreams []upstream, u *url.URL) target {
	address := u.Scheme + "://" + u.Host + u.Path
	found := upstream{target: targetPicture}
	for _, candidate := range upstreams {
		base := strings.TrimRight(candidate.base, "/")
		rest, ok := strings.CutPrefix(address, base)
		if ok && (rest == "" || rest[0] == '/') && len(base) > len(found.base) {
			found = upstream{base, candidate.target}
		}
	}
	return found.target
}

// callMetrics count the calls that the server makes.
type callMetrics struct{ calls *prometheus.CounterVec }

func newCallMetrics(registry prometheus.Registerer) callMetrics {
	m := callMetrics{calls: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "channellink_outbound_calls_total",
		Help: "Calls of the server by channel, whom they were for and how they ended.",
	}, []string{"channel", "target", "class"})}
	registry.MustRegister(m.calls)
	return m
}

// called counts a call that ended with a status, or with an error.
func (m callMetrics) called(channel string, to target, status int, err error) {
	m.calls.WithLabelValues(channel, string(to), classOf(status, err)).Inc()
}

// classOf is how a call ended, as a word of a closed set.
func classOf(status int, err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "timeout"
	}
	if failed, ok := errors.AsType[*outbound.Error](err); ok {
		switch failed.Reason {
		case outbound.BadStatus, outbound.Redirected:
			status = failed.Status
		case outbound.RateLimited, outbound.CircuitOpen:
			return "held" // not sent
		case outbound.InvalidURL, outbound.SchemeRefused, outbound.AddressRefused:
			return "forbidden" // not sent
		case outbound.Canceled:
			return "canceled"
		case outbound.TooLarge, outbound.BadContent:
			return "unusable"
		default:
			return "unreachable"
		}
	} else if err != nil {
		return "unreachable"
	}
	switch {
	case status < http.StatusOK:
		return "unusable"
	case status < http.StatusMultipleChoices:
		return "2xx"
	case status < http.StatusBadRequest:
		return "3xx"
	case status < http.StatusInternalServerError:
		return "4xx"
	default:
		return "5xx"
	}
}
