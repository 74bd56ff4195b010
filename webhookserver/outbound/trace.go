package outbound

import (
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracerName is the instrumentation scope of the spans of calls.
const tracerName = "channellink.dev/operator/webhookserver/outbound"

// traced makes a call under a span of its own, if the one that led to it is recorded. The span names the host: paths and
// queries hold ids, codes and tokens.
func (c *Client) traced(req *http.Request) (*http.Response, error) {
	parent := trace.SpanFromContext(req.Context())
	if !parent.IsRecording() {
		return c.exchange(req)
	}
	host := showHost(normalHost(req.URL.Hostname()))
	ctx, span := parent.TracerProvider().Tracer(tracerName).Start(req.Context(), req.Method+" "+host,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("http.request.method", req.Method), attribute.String("server.address", host)))
	defer span.End()
	if c.propagate {
		req = req.Clone(ctx) // a RoundTripper leaves its caller's header alone
		propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(req.Header))
	}
	resp, err := c.exchange(req)
	if err != nil {
		span.SetAttributes(attribute.String("error.type", string(ReasonOf(err))))
		span.SetStatus(codes.Error, "")
		return nil, err
	}
	span.SetAttributes(attribute.Int("http.response.status_code", resp.StatusCode))
	if resp.StatusCode >= http.StatusBadRequest {
		span.SetStatus(codes.Error, "")
	}
	return resp, nil
}
