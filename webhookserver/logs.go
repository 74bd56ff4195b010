package webhookserver

import (
	"context"
	"log/slog"
	"net/http"
	"regexp"

	"go.opentelemetry.io/otel/trace"
)

// requestIDHeader carries the id that joins an answer and its log lines. It is always ours: one that a client chose could
// make two requests look like one.
const requestIDHeader = "X-Request-Id"

// requestContext is the context of a request that has names: ours, and the one that a proxy in front gave it, if any. It is a
// context of its own because every request has one.
type requestContext struct {
	context.Context //nolint:containedctx // it is one itself
	ours, given     string
}

type requestKey struct{}

// Value implements [context.Context].
func (c *requestContext) Value(key any) any {
	if key == (requestKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// proxyRequestID is what ingress controllers make: a UUID (Envoy), or 32 hexadecimal digits (nginx). Nothing else is taken
// into the log, since the header is the client's where no proxy sets it: no line can be forged with it, and no user's id
// looks like one.
var proxyRequestID = regexp.MustCompile(`^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// givenRequestID is the id under which a proxy knows the request; empty without one that is well-formed.
func givenRequestID(h http.Header) string {
	given := h[requestIDHeader]
	if len(given) != 1 || len(given[0]) > 36 || !proxyRequestID.MatchString(given[0]) {
		return ""
	}
	return given[0]
}

// newLog returns a logger whose lines say which request they are about.
func newLog(h slog.Handler) *slog.Logger { return slog.New(requestHandler{h}) }

// requestHandler adds to a line what its context knows of the request, so that no caller has to hand it on.
type requestHandler struct{ slog.Handler }

// Handle implements [slog.Handler].
func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if request, ok := ctx.Value(requestKey{}).(*requestContext); ok {
		r.AddAttrs(slog.String("request", request.ours))
		if request.given != "" {
			r.AddAttrs(slog.String("proxyRequest", request.given))
		}
	}
	if span := trace.SpanContextFromContext(ctx); span.IsSampled() {
		r.AddAttrs(slog.String("trace", span.TraceID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}

// logOf is the log of what belongs to a channel.
func (s *Server) logOf(c *channel) *slog.Logger { return s.log.With("channel", c.Name) }
