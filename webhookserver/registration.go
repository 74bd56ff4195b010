package webhookserver

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/secretfile"
)

// When the platform is asked how it is set up.
const (
	// lookEvery is how often while all is well, and lookAgain while it is not: somebody is setting it up.
	lookEvery = 5 * time.Minute
	lookAgain = time.Minute
	// registrationPatience bounds one look with all its calls.
	registrationPatience = 15 * time.Second
	// registrationKept is how long an answer counts when no new one can be had: what is set at the platform seldom changes.
	registrationKept = time.Hour

	// testDelay is how long after the server was ready the first test waits: the cluster has to send calls here first.
	testDelay = 20 * time.Second
	// testEvery is how often a test is repeated that went well. One that failed is repeated after testAgain, and then each
	// time after twice the pause, up to testSlowest: 9 in the worst hour of a replica, of the 60 that LINE allows a channel.
	testEvery   = 6 * time.Hour
	testAgain   = time.Minute
	testSlowest = 10 * time.Minute
)

// registrar finds out how the platform is set up to call a channel (webhook.registration: Observe). It changes nothing there.
type registrar struct {
	// look asks the platform. The error is the platform's that did not answer.
	look func(context.Context) (adminapi.Registration, error)
	// test has the platform call the webhook; nil where the platform has no such test.
	test func(context.Context) (adminapi.Registration, error)
	// token is the access token that the platform is asked with.
	token *secretfile.File
	// ready reports whether the server serves.
	ready func() bool
	now   func() time.Time
	log   *slog.Logger

	current atomic.Pointer[adminapi.Registration]
	seenAt  time.Time // when the platform last answered; what follows is run's alone, too
	tests   struct {
		last     adminapi.Registration // its state is InPlace, or TestFailed
		due      time.Time             // zero before the server was ready
		failures int
	}
}

// newRegistrar returns the registrar of a channel, or nil when nobody asks for it.
func (s *Server) newRegistrar(c *channel) *registrar {
	if !c.Webhook.Observe {
		return nil
	}
	r := &registrar{ready: s.started.Load, now: s.now, log: s.log.With("channel", c.Name)}
	ours := []string{strings.TrimRight(c.PublicURL, "/") + "/webhook"}
	do := s.calls.of(c)
	switch {
	case c.Messenger != nil && c.Messenger.PageAccessToken != nil:
		graph := &messenger.Graph{
			Endpoint: c.Messenger.GraphEndpoint, PageID: c.PageID,
			Token: c.newest(c.Messenger.PageAccessToken), AppSecrets: c.all(c.Messenger.AppSecret), Do: do,
		}
		// One app has one webhook, be it that of a sibling, who hands the calls on.
		ours = append(ours, c.Messenger.SiblingWebhooks...)
		r.token = s.files.File(c.Messenger.PageAccessToken.Path)
		r.look = func(ctx context.Context) (adminapi.Registration, error) { return registeredAtMeta(ctx, graph, ours) }
	case c.LINE != nil && c.LINE.ChannelAccessToken != nil:
		api := &line.API{Endpoint: c.LINE.APIEndpoint, Token: c.newest(c.LINE.ChannelAccessToken), Do: do}
		r.token = s.files.File(c.LINE.ChannelAccessToken.Path)
		r.look = func(ctx context.Context) (adminapi.Registration, error) { return registeredAtLINE(ctx, api, ours) }
		r.test = func(ctx context.Context) (adminapi.Registration, error) { return testedByLINE(ctx, api, ours[0]) }
	default:
		return nil // the resource's schema asks for a token
	}
	r.current.Store(&adminapi.Registration{State: adminapi.RegistrationPending})
	return r
}

// State is what the operator is told; nil when nobody asks for it.
func (r *registrar) State() *adminapi.Registration {
	if r == nil {
		return nil
	}
	return r.current.Load()
}

// run looks until ctx is done, and at once when the token has changed.
func (r *registrar) run(ctx context.Context) {
	for ctx.Err() == nil {
		token, changed := r.token.Watch()
		var pause <-chan time.Time
		if token.Usable() {
			now := r.observe(ctx)
			r.current.Store(&now)
			pause = time.After(r.nextLook(now))
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-pause: // never, while there is no token
		}
	}
}

// observe looks once, and has the platform make its test when that is due and everything else is in place.
func (r *registrar) observe(ctx context.Context) adminapi.Registration {
	ctx, cancel := context.WithTimeout(ctx, registrationPatience)
	defer cancel()
	seen, err := r.look(ctx)
	if err == nil && seen.State == adminapi.RegistrationInPlace && r.test != nil {
		r.takeTest(ctx)
		if r.tests.last.State == adminapi.RegistrationTestFailed {
			seen = r.tests.last
		}
	}
	switch {
	case err == nil:
		r.seenAt = r.now()
		return seen
	case errors.Is(err, link.ErrTokenRejected):
		return adminapi.Registration{State: adminapi.RegistrationTokenRejected}
	}
	r.log.WarnContext(ctx, "platform does not say how it is set up", "error", err)
	if r.now().Sub(r.seenAt) < registrationKept {
		return *r.current.Load()
	}
	return adminapi.Registration{State: adminapi.RegistrationUnreachable}
}

// takeTest has the platform test the webhook, if it is time. When it cannot say, what it said last counts on.
func (r *registrar) takeTest(ctx context.Context) {
	now := r.now()
	if r.tests.due.IsZero() && r.ready() {
		r.tests.due = now.Add(testDelay)
	}
	if r.tests.due.IsZero() || now.Before(r.tests.due) {
		return
	}
	result, err := r.test(ctx)
	switch {
	case err != nil:
		r.log.WarnContext(ctx, "platform does not test the webhook", "error", err)
		r.tests.due = now.Add(testSlowest)
		return
	case result.State == adminapi.RegistrationInPlace:
		r.tests.failures, r.tests.due = 0, now.Add(jitter(testEvery))
	default:
		r.log.WarnContext(ctx, "platform's test of the webhook failed", "test", result.Test, "code", result.HTTPStatus)
		r.tests.due = now.Add(min(testAgain<<r.tests.failures, testSlowest))
		r.tests.failures = min(r.tests.failures+1, 10)
	}
	r.tests.last = result
}

// nextLook is the pause before the next look.
func (r *registrar) nextLook(seen adminapi.Registration) time.Duration {
	switch {
	case seen.State != adminapi.RegistrationInPlace && seen.State != adminapi.RegistrationSubscribed:
		return jitter(lookAgain)
	case r.test != nil && r.tests.due.IsZero():
		return testDelay // the first test is still to come
	case r.test != nil && r.tests.due.Before(r.now().Add(lookEvery)):
		return max(r.tests.due.Sub(r.now()), time.Second)
	}
	return jitter(lookEvery)
}

func registeredAtLINE(ctx context.Context, api *line.API, ours []string) (adminapi.Registration, error) {
	set, err := api.Webhook(ctx)
	state := adminapi.RegistrationInPlace
	switch {
	case errors.Is(err, line.ErrNoWebhook):
		state, err = adminapi.RegistrationNoURL, nil
	case !isOneOf(set.URL, ours):
		state = adminapi.RegistrationOtherURL
	case !set.Active:
		state = adminapi.RegistrationInactive
	}
	return adminapi.Registration{State: state}, err
}

// lineTests are LINE's reasons in the words of the admin API.
var lineTests = map[line.TestReason]adminapi.RegistrationTest{
	line.TestCouldNotConnect: adminapi.TestCouldNotConnect,
	line.TestTimedOut:        adminapi.TestTimedOut,
	line.TestBadStatus:       adminapi.TestBadStatus,
}

func testedByLINE(ctx context.Context, api *line.API, webhook string) (adminapi.Registration, error) {
	went, err := api.TestWebhook(ctx, webhook)
	if err != nil || went.Success {
		return adminapi.Registration{State: adminapi.RegistrationInPlace}, err
	}
	failed := adminapi.Registration{State: adminapi.RegistrationTestFailed, Test: lineTests[went.Reason]}
	switch failed.Test {
	case "":
		failed.Test = adminapi.TestFailedSomehow
	case adminapi.TestBadStatus:
		failed.HTTPStatus = went.Status
	}
	return failed, nil
}

func registeredAtMeta(ctx context.Context, graph *messenger.Graph, ours []string) (adminapi.Registration, error) {
	set, err := graph.Subscription(ctx)
	state := adminapi.RegistrationInPlace
	switch {
	case set.App != nil && set.App.URL == "":
		state = adminapi.RegistrationNoURL
	case set.App != nil && !isOneOf(set.App.URL, ours):
		state = adminapi.RegistrationOtherURL
	case set.App != nil && !set.App.Active:
		state = adminapi.RegistrationInactive
	case !set.Page || set.App != nil && !set.App.Linking:
		state = adminapi.RegistrationNotSubscribed
	case set.App == nil:
		state = adminapi.RegistrationSubscribed
	}
	return adminapi.Registration{State: state}, err
}

// isOneOf reports whether two ways of writing a URL mean one address: scheme and host are the same in any case, with or
// without the scheme's own port; path and query to the letter.
func isOneOf(raw string, ours []string) bool {
	return slices.ContainsFunc(ours, func(own string) bool { return raw != "" && normalURL(raw) == normalURL(own) })
}

func normalURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	if port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; port != "" {
		u.Host = strings.TrimSuffix(u.Host, port)
	}
	return u.String()
}
