package tracing_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"channellink.dev/operator/webhookserver/outbound/outboundtest"
	"channellink.dev/operator/webhookserver/tracing"
	"channellink.dev/operator/webhookserver/tracing/tracingtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestURL(t *testing.T) {
	for _, c := range []struct {
		reason, endpoint, traces, want string
		bad                            bool
	}{
		{reason: "off, which is the default"},
		{reason: "the base of a collector", endpoint: "http://otel.observability:4318", want: "http://otel.observability:4318/v1/traces"},
		{reason: "with a slash", endpoint: "https://otel.vision.example/", want: "https://otel.vision.example/v1/traces"},
		{reason: "below a path", endpoint: "https://otel.vision.example/a", want: "https://otel.vision.example/a/v1/traces"},
		{reason: "that of traces is used as it is and wins", endpoint: "http://a", traces: "http://b/x", want: "http://b/x"},
		{reason: "the port of gRPC without a scheme", endpoint: "otel.observability:4317", bad: true},
		{reason: "no host", endpoint: "http://", bad: true},
		{reason: "a password would stand in the log", traces: "https://me:secret@otel.example", bad: true},
		{reason: "no URL", endpoint: "http://a b:x", bad: true},
	} {
		got, err := tracing.URL(func(name string) string {
			return map[string]string{tracing.EndpointVariable: c.endpoint, tracing.TracesEndpointVariable: c.traces}[name]
		})
		if got != c.want || (err != nil) != c.bad {
			t.Errorf("%s: %q, %v", c.reason, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error quotes the value: %v", c.reason, err)
		}
	}
}

func newProvider(r *tracingtest.Receiver, log *bytes.Buffer) *tracing.Provider {
	return tracing.New(tracing.Options{
		URL: r.URL + "/v1/traces", Service: "channellink-server", Version: "0.1.0", Log: slog.New(slog.NewTextHandler(log, nil)),
	})
}

// A collector can read what is sent, and nothing is sent that is not on the list: neither an attribute with a query, as
// instrumentation libraries set them, nor an event, a link or a status in words. // C27
func TestSpans(t *testing.T) {
	const canary = "CANARY-3f7a"
	r := tracingtest.New(t)
	p := newProvider(r, &bytes.Buffer{})
	ctx, request := p.Tracer("server").Start(t.Context(), "GET /callback", trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.route", "GET /callback"), attribute.Int("http.response.status_code", 303),
			attribute.String("url.full", "https://link.vision.example/callback?code="+canary),
			attribute.String("url.query", "state="+canary), attribute.String("user_agent.original", canary),
			attribute.StringSlice("http.request.header.cookie", []string{canary})))
	_, call := p.Tracer("outbound").Start(ctx, "POST sso.vision.example", trace.WithSpanKind(trace.SpanKindClient))
	call.AddEvent(canary)
	call.AddLink(trace.Link{SpanContext: request.SpanContext(), Attributes: []attribute.KeyValue{attribute.String("x", canary)}})
	call.SetStatus(codes.Error, canary)
	call.End()
	_, inner := p.Tracer("server").Start(ctx, "inner")
	inner.End()
	request.End()
	if err := p.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}

	resource := map[string]string{"service.name": "channellink-server", "service.version": "0.1.0"}
	traceID := request.SpanContext().TraceID().String()
	requestID := request.SpanContext().SpanID().String()
	want := []tracingtest.Span{
		{Name: "POST sso.vision.example", Kind: "client", Scope: "outbound", Trace: traceID, ID: call.SpanContext().SpanID().String(),
			Parent: requestID, Failed: true, Attributes: map[string]string{}, Resource: resource},
		{Name: "inner", Kind: "internal", Scope: "server", Trace: traceID, ID: inner.SpanContext().SpanID().String(),
			Parent: requestID, Attributes: map[string]string{}, Resource: resource},
		{Name: "GET /callback", Kind: "server", Scope: "server", Trace: traceID, ID: requestID, Resource: resource,
			Attributes: map[string]string{"http.route": "GET /callback", "http.response.status_code": "303"}},
	}
	if diff := cmp.Diff(want, r.Spans()); diff != "" {
		t.Errorf("what the collector got (-want +got):\n%s", diff)
	}
	if strings.Contains(r.Raw(), canary) {
		t.Error("something left that is not on the list")
	}
}

// A collector that takes nothing costs two lines of log, of which neither holds an address, and no error.
func TestCollectorAway(t *testing.T) {
	r := tracingtest.New(t)
	log := &bytes.Buffer{}
	p := newProvider(r, log)
	span := func() {
		t.Helper()
		_, s := p.Tracer("server").Start(t.Context(), "GET /")
		s.End()
		if err := p.ForceFlush(t.Context()); err != nil {
			t.Error(err)
		}
	}
	r.Answer(http.StatusServiceUnavailable)
	span()
	span()
	r.Answer(http.StatusOK)
	span()
	r.Close()
	span()
	if err := p.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	if got := strings.Count(log.String(), "\n"); got != 3 || strings.Count(log.String(), "spans not taken") != 2 || strings.Contains(log.String(), "/v1/traces") {
		t.Errorf("the log:\n%s", log)
	}
	if got := len(r.Spans()); got != 1 {
		t.Errorf("%d spans were taken, want that of the good time", got)
	}
}

// A collector that changes the protocol is one that takes nothing: its connection, which no time limit would close any more,
// is closed at once.
func TestCollectorSwitches(t *testing.T) {
	switcher := outboundtest.NewSwitcher(t)
	log := &bytes.Buffer{}
	p := tracing.New(tracing.Options{URL: switcher.URL + "/v1/traces", Service: "channellink-server", Log: slog.New(slog.NewTextHandler(log, nil))})
	_, s := p.Tracer("server").Start(t.Context(), "GET /")
	s.End()
	if err := p.ForceFlush(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case <-switcher.Left:
	case <-time.After(20 * time.Second):
		t.Error("the connection is left open")
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "answered 101") {
		t.Errorf("the log:\n%s", log)
	}
}
