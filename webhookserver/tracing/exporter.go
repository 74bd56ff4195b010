package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/proto"
)

// maxAnswer is how much of a collector's answer is read, so that its connection can be used again.
const maxAnswer = 64 << 10

// exporter posts spans. A batch that is not taken is not sent again: traces are a sample, and a collector that is short of
// breath is not helped by more.
type exporter struct {
	url    string
	client *http.Client
	log    *slog.Logger

	failing bool // only the batcher's one goroutine sends
}

// ExportSpans implements [sdktrace.SpanExporter]. Its error is always nil: the SDK would print it past the log.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.send(ctx, spans)
	switch {
	case err != nil && !e.failing:
		e.log.WarnContext(ctx, "spans not taken", "error", err)
	case err == nil && e.failing:
		e.log.InfoContext(ctx, "spans taken again")
	}
	e.failing = err != nil
	return nil
}

func (e *exporter) send(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	// TracesData has the bytes of an ExportTraceServiceRequest, whose package would bring gRPC along.
	body, err := proto.Marshal(encode(spans))
	if err != nil {
		return fmt.Errorf("encode spans: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return errors.New("call the collector: not a URL")
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := e.client.Do(req)
	if err != nil {
		if failed, ok := errors.AsType[*url.Error](err); ok {
			err = failed.Err // without the URL
		}
		return fmt.Errorf("call the collector: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		// What comes with it stays unread: after a 101 it would come without a time limit.
		return fmt.Errorf("call the collector: answered %d", resp.StatusCode)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // what it holds matters to nobody
	return nil
}

// Shutdown implements [sdktrace.SpanExporter].
func (e *exporter) Shutdown(context.Context) error { return nil }
