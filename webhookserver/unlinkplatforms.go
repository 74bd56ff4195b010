package webhookserver

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/unlink"
)

// maxRetryAfter bounds what a platform can ask for: longer than any limit lasts, and shorter than anybody waits.
const maxRetryAfter = 24 * time.Hour

// botBonnieUnlinks tells BotBonnie.
type botBonnieUnlinks struct {
	server  *Server
	channel *channel
}

// Credential implements unlink.Platform.
func (b botBonnieUnlinks) Credential() (secretfile.Secret, bool) {
	return b.channel.newest(&b.channel.BotBonnie.APIToken)()
}

// Unlink implements unlink.Platform.
func (b botBonnieUnlinks) Unlink(ctx context.Context, userID string, actions []link.RevocationAction, leave func() error) error {
	c := b.channel
	api := b.server.botBonnieAPI(c)
	api.Do = b.server.calls.asking(c, leave)
	resp, err := api.Unlink(ctx, botBonniePlatform(c), c.PageID, userID, actions)
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*botbonnie.RefusedError](err); ok {
		return refusedInBody(refused, resp, b.server.now())
	}
	return callError(err, resp, b.server.now())
}

// refusedInBody is for an answer with status 2xx whose body says no: by a status of its own, which means what it would mean
// in HTTP, or by an errorCode, which is final.
func refusedInBody(refused *botbonnie.RefusedError, resp *outbound.Response, now time.Time) error {
	failure := &unlink.CallError{Cause: unlink.Rejected, Status: resp.Status, RetryAfter: retryAfter(resp, now)}
	if !refused.Coded {
		failure.Cause = unlink.CauseOf(refused.Status)
	}
	return failure
}

// graphUnlinks tells Messenger.
type graphUnlinks struct {
	server  *Server
	channel *channel
}

// Credential implements unlink.Platform.
func (g graphUnlinks) Credential() (secretfile.Secret, bool) {
	return g.channel.newest(g.channel.Messenger.PageAccessToken)()
}

// Unlink implements unlink.Platform. Messenger knows no actions.
func (g graphUnlinks) Unlink(ctx context.Context, userID string, _ []link.RevocationAction, leave func() error) error {
	graph := g.server.graph(g.channel)
	var answered *outbound.Response
	ask := g.server.calls.asking(g.channel, leave)
	graph.Do = func(req *http.Request) (_ *outbound.Response, err error) {
		answered, err = ask(req)
		return answered, err
	}
	err := graph.Unlink(ctx, userID)
	if err == nil {
		return nil
	}
	refused, ok := errors.AsType[*messenger.GraphError](err)
	if !ok {
		return callError(err, answered, g.server.now())
	}
	return &unlink.CallError{
		Cause: graphCause(refused), Status: refused.Status, RetryAfter: max(refused.RetryAfter, retryAfter(answered, g.server.now())),
	}
}

// graphCause is what a refusal of Graph's means: its code says more than its status, but for a 5xx.
func graphCause(e *messenger.GraphError) unlink.Cause {
	switch {
	case e.Temporary():
		return unlink.UpstreamFailed
	case errors.Is(e, link.ErrRateLimited):
		return unlink.RateLimited
	case errors.Is(e, link.ErrTokenRejected):
		return unlink.CredentialsRejected
	case errors.Is(e, link.ErrUserUnreachable): // with status 403, but about this user alone
		return unlink.Rejected
	}
	return unlink.CauseOf(e.Status)
}

// callError is what an error of a call means; what is none of package outbound's comes back as it is, because it came from
// leave.
func callError(err error, resp *outbound.Response, now time.Time) error {
	failure := unlink.Failure(err)
	if failure == nil {
		return err
	}
	failure.RetryAfter = retryAfter(resp, now)
	return failure
}

// retryAfter reads how long an answer asks to be left alone (RFC 9110 section 10.2.3): seconds, or a date.
func retryAfter(resp *outbound.Response, now time.Time) time.Duration {
	if resp == nil {
		return 0
	}
	value := strings.TrimSpace(resp.Header.Get("Retry-After"))
	var wait time.Duration
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
