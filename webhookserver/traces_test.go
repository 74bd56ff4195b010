package webhookserver_test

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/tracing"
	"channellink.dev/operator/webhookserver/tracing/tracingtest"
)

// tracedTo has the server send its spans to a collector. The provider is flushed by the returned function.
func tracedTo(t *testing.T, r *tracingtest.Receiver) (option, func()) {
	t.Helper()
	provider := tracing.New(tracing.Options{
		URL: r.URL + "/v1/traces", Service: "channellink-server", Version: "0.1.0", Log: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() {
		if err := provider.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return func(w *world, _ *config.Settings) { w.traces = provider }, func() {
		t.Helper()
		if err := provider.ForceFlush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSpansOfALogin has a collector take the spans of requests and of the calls that they lead to, which tell the way of each
// and of nobody. // C27
func TestSpansOfALogin(t *testing.T) {
	collector := tracingtest.New(t)
	traced, flush := tracedTo(t, collector)
	f := newFlow(t, traced)
	f.link(t)
	f.use(t)
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	do(t, http.MethodGet, f.Public+"/hr/", func(r *http.Request) {
		r.Host = visionHost
		r.Header.Set("traceparent", "00-"+theirs+"-b7ad6b7169203331-01")
	})
	flush()

	byID := map[string]tracingtest.Span{}
	for _, s := range collector.Spans() {
		byID[s.ID] = s
	}
	type hop struct{ Request, Call string }
	var hops []hop
	var requests []string
	for _, s := range collector.Spans() {
		switch s.Kind {
		case "server":
			requests = append(requests, s.Name)
			if s.Parent != "" || s.Trace == theirs {
				t.Errorf("%s goes on with somebody else's trace", s.Name)
			}
			if s.Attributes["channellink.port"] == "ops" {
				t.Error("a probe or scrape has a span")
			}
		case "client":
			parent, ok := byID[s.Parent]
			if !ok || parent.Trace != s.Trace {
				t.Errorf("%s hangs below nothing", s.Name)
			}
			hops = append(hops, hop{parent.Name, s.Name})
		}
	}
	for _, want := range []string{"GET /authorize", "GET /callback", "GET /consent/{flow}", "POST /consent/{flow}",
		"POST /botbonnie/linked", "POST /services/{name}", "POST /webhook", "GET /api/v1/users/{userID}", "POST /introspect", "/"} {
		if !slices.Contains(requests, want) {
			t.Errorf("no span of %s among %q", want, requests)
		}
	}
	for _, want := range []hop{{"GET /callback", "POST localhost"}, {"POST /services/{name}", "POST localhost"}} {
		if !slices.Contains(hops, want) {
			t.Errorf("no span of %v among %v", want, hops)
		}
	}
	if names := f.secrets.found(collector.Raw()); len(names) > 0 {
		t.Errorf("the collector was told of %q", names)
	}
	for _, s := range collector.Spans() {
		if s.Name != "POST /introspect" {
			continue
		}
		id := s.Attributes["channellink.request"]
		delete(s.Attributes, "channellink.request")
		want := map[string]string{
			"channellink.channel": "vision-hr", "channellink.port": "public",
			"http.request.method": "POST", "http.route": "POST /introspect", "http.response.status_code": "200",
		}
		if diff := cmp.Diff(want, s.Attributes); diff != "" || len(id) != 26 {
			t.Errorf("introspection, request %q (-want +got):\n%s", id, diff)
		}
	}

	// The company's own service goes on with the trace; the log names it.
	sent := f.backend.seen()[0].Header.Get("traceparent")
	if len(sent) != 55 {
		t.Fatalf("the service was told %q", sent)
	}
	named := false
	for _, l := range f.lines(t, false) {
		named = named || l["trace"] == sent[3:35]
	}
	if !named {
		t.Error("no line of the log names the trace")
	}
}

// Without a collector no trace is begun, and nobody hears of one.
func TestNoSpans(t *testing.T) {
	f := newFlow(t)
	f.link(t)
	f.use(t)
	if got := f.backend.seen()[0].Header.Get("traceparent"); got != "" {
		t.Errorf("the service was told %q", got)
	}
	for _, l := range f.lines(t, false) {
		if _, ok := l["trace"]; ok {
			t.Errorf("a line names a trace: %v", l)
		}
	}
}
