package plugin

import (
	"context"
	"fmt"
	"strings"

	"channellink.dev/operator/api/v1alpha1"
)

// platforms are whom the server calls with a token of the channel's, by their name in its metrics.
var platforms = []struct{ target, name string }{{"botbonnie", botBonnie}, {"line", "LINE"}, {"graph", "Graph"}}

// checkTraffic says what the server's pods have seen so far: whether anybody has called, and how calls to the platforms ended.
// It is nothing where no pod runs or the user may not ask the pods: then others say so, or the server's metrics do.
func (s *session) checkTraffic(ctx context.Context, l *v1alpha1.ChannelLink) []check {
	seen, err := s.count(ctx, l)
	if err != nil {
		return nil
	}
	var checks []check
	if e := l.Status.Endpoints; e != nil && (e.Webhook != "" || e.Linked != "") {
		checks = append(checks, callsSoFar(l, seen.taken))
	}
	for _, p := range platforms {
		if c, some := callsTo(p.name, seen.made[p.target]); some {
			checks = append(checks, c)
		}
	}
	return checks
}

// callsSoFar judges the calls of platforms; a login page that a person opens is none.
func callsSoFar(l *v1alpha1.ChannelLink, taken calls) check {
	c := check{Name: "Calls so far", Result: unknownResult}
	answered := map[string]int{}
	for call, n := range taken {
		if route, code, _ := strings.Cut(call, " → "); route != "GET /authorize" {
			answered[code] += n
		}
	}
	well, unsigned, foreign := answered["200"], answered["401"], answered["403"]
	switch {
	case well > 0:
		c.Result, c.Message = wellResult, fmt.Sprintf("%d taken", well)
		if unsigned+foreign > 0 {
			c.Message += fmt.Sprintf(", %d refused", unsigned+foreign)
		}
	case unsigned > 0:
		c.Result, c.Message, c.Do = failedResult, fmt.Sprintf("all %d answered 401", unsigned), wrongSignature
	case foreign > 0:
		c.Result, c.Message, c.Do = failedResult, fmt.Sprintf("all %d answered 403", foreign), wrongPage
	default:
		c.Message = "none since the pods started"
		c.Do = callIt(l) + " With --wait-for-call 2m the doctor tells how it is answered."
	}
	return c
}

// callsTo tells of the calls to a platform; false if there were none. That they ended badly is no failure now: what was amiss may
// have been mended since.
func callsTo(name string, made calls) (c check, some bool) {
	c = check{Name: "Calls to " + name, Result: unknownResult}
	well, refused, away := made["2xx"], made["4xx"], made["5xx"]+made["timeout"]+made["unreachable"]
	switch {
	case well+refused+away == 0:
		return check{}, false
	case well > 0:
		c.Result, c.Message = wellResult, fmt.Sprintf("%d went well", well)
		if refused+away > 0 {
			c.Message += fmt.Sprintf(", %d did not", refused+away)
		}
	case refused > 0:
		c.Message = fmt.Sprintf("none went well: %d refused", refused)
		c.Do = "The server's log has them."
	default:
		c.Message = fmt.Sprintf("none went well: %d without an answer", away)
		c.Do = "See that pods reach " + name + ": NetworkPolicies, a proxy, DNS."
	}
	return c, true
}
