package tracing

import (
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	resourcev1 "go.opentelemetry.io/proto/otlp/resource/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
)

// sent are the attributes that leave the process: of closed sets all of them, but for random ids and for the hosts that the
// settings name. None can hold a path or a query.
var sent = map[attribute.Key]bool{
	"channellink.channel":       true,
	"channellink.port":          true,
	"channellink.request":       true,
	"error.type":                true,
	"http.request.method":       true,
	"http.response.status_code": true,
	"http.route":                true,
	"server.address":            true,
	"service.name":              true,
	"service.version":           true,
}

// encode makes the message of OTLP. Events, links and descriptions of statuses, which are free text, are left out.
func encode(spans []sdktrace.ReadOnlySpan) *tracev1.TracesData {
	if len(spans) == 0 {
		return &tracev1.TracesData{}
	}
	var scopes []*tracev1.ScopeSpans
	byName := map[string]*tracev1.ScopeSpans{}
	for _, s := range spans {
		name := s.InstrumentationScope().Name
		scope, ok := byName[name]
		if !ok {
			scope = &tracev1.ScopeSpans{Scope: &commonv1.InstrumentationScope{Name: name}}
			byName[name], scopes = scope, append(scopes, scope)
		}
		scope.Spans = append(scope.Spans, encodeSpan(s))
	}
	return &tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{
		// All spans are of one Provider, and so of one resource.
		Resource:   &resourcev1.Resource{Attributes: encodeAttributes(spans[0].Resource().Attributes())},
		ScopeSpans: scopes,
	}}}
}

func encodeSpan(s sdktrace.ReadOnlySpan) *tracev1.Span {
	traceID, spanID := s.SpanContext().TraceID(), s.SpanContext().SpanID()
	out := &tracev1.Span{
		TraceId:           traceID[:],
		SpanId:            spanID[:],
		Name:              s.Name(),
		Kind:              encodeKind(s.SpanKind()),
		StartTimeUnixNano: nanos(s.StartTime()),
		EndTimeUnixNano:   nanos(s.EndTime()),
		Attributes:        encodeAttributes(s.Attributes()),
		Status:            &tracev1.Status{Code: encodeCode(s.Status().Code)},
	}
	if parent := s.Parent().SpanID(); parent.IsValid() {
		out.ParentSpanId = parent[:]
	}
	return out
}

func encodeAttributes(attributes []attribute.KeyValue) []*commonv1.KeyValue {
	out := make([]*commonv1.KeyValue, 0, len(attributes))
	for _, a := range attributes {
		if !sent[a.Key] {
			continue
		}
		value := &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: a.Value.String()}}
		if a.Value.Type() == attribute.INT64 {
			value = &commonv1.AnyValue{Value: &commonv1.AnyValue_IntValue{IntValue: a.Value.AsInt64()}}
		}
		out = append(out, &commonv1.KeyValue{Key: string(a.Key), Value: value})
	}
	return out
}

func encodeKind(kind trace.SpanKind) tracev1.Span_SpanKind {
	switch kind {
	case trace.SpanKindServer:
		return tracev1.Span_SPAN_KIND_SERVER
	case trace.SpanKindClient:
		return tracev1.Span_SPAN_KIND_CLIENT
	default:
		return tracev1.Span_SPAN_KIND_INTERNAL
	}
}

func encodeCode(code codes.Code) tracev1.Status_StatusCode {
	if code == codes.Error {
		return tracev1.Status_STATUS_CODE_ERROR
	}
	return tracev1.Status_STATUS_CODE_UNSET
}

// nanos is a time as OTLP has it. A span is of now, long after 1970.
func nanos(t time.Time) uint64 {
	return uint64(t.UnixNano())
}
