package webhookserver

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// tracerName is the instrumentation scope of the spans of requests.
const tracerName = "channellink.dev/operator/webhookserver"

// opsPort is where probes and scrapes come.
const opsPort = "ops"

// startSpan begins the span of a request, if spans are wanted; those of the calls that it leads to hang below it. It is always
// the root of a trace: a `traceparent` from outside would let any client choose what is sampled. Probes and scrapes have none.
func (s *Server) startSpan(ctx context.Context, p port) (context.Context, trace.Span) {
	if s.tracer == nil || p.name == opsPort {
		return ctx, trace.SpanFromContext(ctx) // records nothing
	}
	return s.tracer.Start(ctx, p.name, trace.WithSpanKind(trace.SpanKindServer), trace.WithNewRoot())
}

// endSpan says how the request was answered. A span has neither path nor query nor address: those tell of people.
func endSpan(span trace.Span, p port, method, id string, by served, code int) {
	if !span.IsRecording() {
		return
	}
	span.SetName(by.route)
	span.SetAttributes(
		attribute.String("channellink.port", p.name),
		attribute.String("channellink.request", id),
		attribute.String("http.request.method", methodClass(method)),
		attribute.String("http.route", by.route),
		attribute.Int("http.response.status_code", code),
	)
	if by.channel != nil {
		span.SetAttributes(attribute.String("channellink.channel", by.channel.Name))
	}
	if code >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}
