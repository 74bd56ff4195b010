// Package tracingtest is an OpenTelemetry collector for tests: it takes spans as a real one does, decoding the request with the
// types of the collector's own protocol.
package tracingtest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it came.
type Span struct {
	Name, Kind, Scope, Trace, ID, Parent string
	Failed                               bool
	Attributes, Resource                 map[string]string
}

// Receiver is a collector on loopback.
type Receiver struct {
	*httptest.Server
	mu     sync.Mutex
	spans  []Span
	raw    []byte
	status int
}

// New starts a Receiver that ends with the test.
func New(tb testing.TB) *Receiver {
	tb.Helper()
	r := &Receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil || req.Method != http.MethodPost || req.URL.Path != "/v1/traces" || req.Header.Get("Content-Type") != "application/x-protobuf" {
			tb.Errorf("the collector got %s %s of %s, %v", req.Method, req.URL, req.Header.Get("Content-Type"), err)
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
		w.WriteHeader(r.take(tb, body))
	}))
	tb.Cleanup(r.Close)
	return r
}

// Answer sets the status of the answers that follow; with another than 200 spans are not taken.
func (r *Receiver) Answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// Spans are those that came so far, and Raw the bytes in which they did.
func (r *Receiver) Spans() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Span(nil), r.spans...)
}

// Raw is every byte that came.
func (r *Receiver) Raw() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return string(r.raw)
}

func (r *Receiver) take(tb testing.TB, body []byte) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status != http.StatusOK {
		return r.status
	}
	var request collectorv1.ExportTraceServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		tb.Errorf("the collector cannot read the spans: %v", err)
		return http.StatusBadRequest
	}
	r.raw = append(r.raw, body...)
	for _, from := range request.GetResourceSpans() {
		for _, scope := range from.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				r.spans = append(r.spans, Span{
					Name: s.GetName(), Kind: kinds[s.GetKind()], Scope: scope.GetScope().GetName(),
					Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
					Failed:     s.GetStatus().GetCode() == tracev1.Status_STATUS_CODE_ERROR,
					Attributes: values(s.GetAttributes()), Resource: values(from.GetResource().GetAttributes()),
				})
				if s.GetStartTimeUnixNano() == 0 || s.GetEndTimeUnixNano() < s.GetStartTimeUnixNano() {
					tb.Errorf("%s lasts from %d to %d", s.GetName(), s.GetStartTimeUnixNano(), s.GetEndTimeUnixNano())
				}
			}
		}
	}
	return http.StatusOK
}

var kinds = map[tracev1.Span_SpanKind]string{
	tracev1.Span_SPAN_KIND_SERVER: "server", tracev1.Span_SPAN_KIND_CLIENT: "client", tracev1.Span_SPAN_KIND_INTERNAL: "internal",
}

func values(attributes []*commonv1.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range attributes {
		switch v := a.GetValue().GetValue().(type) {
		case *commonv1.AnyValue_StringValue:
			out[a.GetKey()] = v.StringValue
		case *commonv1.AnyValue_IntValue:
			out[a.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		}
	}
	return out
}
