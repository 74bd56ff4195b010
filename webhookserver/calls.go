package webhookserver

import (
	"context"
	"net/http"
	"net/url"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// defaultCalls bounds the calls of a channel to an upstream that has no bound of its own in the settings: what a busy login
// page makes, and a hundredth of what LINE allows.
var defaultCalls = outbound.Limit{PerSecond: 20, Burst: 40}

// platformCalls is the way to the chat platforms and BotBonnie: one guarded client for all channels, and a token bucket and
// a breaker for each channel and upstream.
type platformCalls struct {
	client *outbound.Client
	gates  *outbound.Gates
	count  func(c *channel, to target, status int, err error)
}

func newPlatformCalls(network config.Network, channels []config.Channel, count func(*channel, target, int, error)) *platformCalls {
	limits := map[outbound.Key]outbound.Limit{}
	for _, c := range channels {
		if c.BotBonnie == nil {
			continue
		}
		if u, err := url.Parse(c.BotBonnie.APIEndpoint); err == nil {
			rate := c.BotBonnie.MaxCallsPerSecond
			limits[outbound.Key{Channel: c.UID, Upstream: u.Hostname()}] = outbound.Limit{PerSecond: rate, Burst: int(rate)}
		}
	}
	return &platformCalls{
		count:  count,
		client: outbound.New(outbound.Options{Policy: policy(network)}),
		gates: outbound.NewGates(outbound.GateOptions{Limit: func(k outbound.Key) outbound.Limit {
			if limit, ok := limits[k]; ok && limit.PerSecond > 0 {
				return limit
			}
			return defaultCalls
		}}),
	}
}

func policy(network config.Network) outbound.Policy {
	return outbound.Policy{
		AllowLocal: network.AllowLocal, AllowHTTPLocalhost: network.AllowLocal, DenyPrivate: network.DenyPrivate, Deny: network.Deny,
	}
}

// backendPolicy is the policy for the company's own backends (services, webhook.forwardTo), which are often in the cluster.
func backendPolicy(network config.Network) outbound.Policy {
	p := policy(network)
	p.AllowHTTPCluster = true
	return p
}

// of returns the way for one channel. Its calls wait for a token as long as their context lets them.
func (p *platformCalls) of(c *channel) func(*http.Request) (*outbound.Response, error) {
	send := p.asking(c, func() error { return nil })
	return func(req *http.Request) (*outbound.Response, error) {
		resp, err := send(req)
		if err == nil && resp.Status >= http.StatusInternalServerError {
			return nil, &outbound.Error{Reason: outbound.BadStatus, Host: req.URL.Hostname(), Status: resp.Status}
		}
		return resp, err
	}
}

// asking is as of, but for two things: leave is called when a call's turn has come, and an error of its ends the call before
// it leaves; and an answer with a 5xx comes back whole.
func (p *platformCalls) asking(c *channel, leave func() error) func(*http.Request) (*outbound.Response, error) {
	upstreams := c.upstreams()
	return func(req *http.Request) (*outbound.Response, error) {
		key := outbound.Key{Channel: c.UID, Upstream: req.URL.Hostname()}
		var resp *outbound.Response
		var refused error
		err := p.gates.Do(req.Context(), key, func(ctx context.Context) (err error) {
			if refused = leave(); refused != nil {
				return &outbound.Error{Reason: outbound.Canceled} // the breaker learns nothing from it
			}
			if resp, err = p.client.Do(req.WithContext(ctx)); err == nil && resp.Status >= http.StatusInternalServerError {
				err = &outbound.Error{Reason: outbound.BadStatus, Host: key.Upstream, Status: resp.Status} // for the breaker
			}
			return err
		})
		if refused != nil {
			return nil, refused
		}
		status := 0
		if resp != nil {
			status, err = resp.Status, nil
		}
		p.count(c, targetOf(upstreams, req.URL), status, err)
		return resp, err
	}
}

// newest returns the value of a reference to send; nil for a reference that is not made.
func (c *channel) newest(f *config.File) func() (secretfile.Secret, bool) {
	ref, ok := c.reference(f)
	if !ok {
		return nil
	}
	return func() (secretfile.Secret, bool) { return ref.file.Load().Newest() }
}

// all returns a function for the values of a reference, newest first; nil for one that is not made.
func (c *channel) all(f *config.File) func() []secretfile.Secret {
	ref, ok := c.reference(f)
	if !ok {
		return nil
	}
	return func() []secretfile.Secret { return ref.file.Load().Values() }
}

// values returns the values of a reference to check with; nothing for one that is not made.
func (c *channel) values(f *config.File) []secretfile.Secret {
	ref, ok := c.reference(f)
	if !ok {
		return nil
	}
	return ref.file.Load().Values()
}
