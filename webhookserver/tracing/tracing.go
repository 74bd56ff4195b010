package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Variables of the environment that turn tracing on (OpenTelemetry protocol exporter, "endpoint URLs for OTLP/HTTP"): the
// first gets the path /v1/traces, the second is used as it is and wins. The SDK itself reads OTEL_TRACES_SAMPLER,
// OTEL_TRACES_SAMPLER_ARG and OTEL_BSP_*.
const (
	EndpointVariable       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	TracesEndpointVariable = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
)

// tracesPath is where a collector takes traces.
const tracesPath = "/v1/traces"

// sendTimeout bounds one call of the collector. It is the specification's default.
const sendTimeout = 10 * time.Second

// URL is where the environment wants spans to be sent: empty for nowhere.
func URL(getenv func(string) string) (string, error) {
	name, value := TracesEndpointVariable, getenv(TracesEndpointVariable)
	if value == "" {
		name, value = EndpointVariable, getenv(EndpointVariable)
	}
	if value == "" {
		return "", nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		// The value is not quoted: it may hold a password.
		return "", fmt.Errorf("%s: want a URL with http or https, a host and no password", name)
	}
	if name == EndpointVariable {
		return strings.TrimSuffix(value, "/") + tracesPath, nil
	}
	return value, nil
}

// Options say where spans are sent and whose they are.
type Options struct {
	// URL of the collector, path included.
	URL string
	// Service and Version are those of the process.
	Service, Version string
	// Log is told when the collector stops taking spans, and when it takes them again; not of each failure.
	Log *slog.Logger
}

// Provider makes spans and sends them in the background.
type Provider struct {
	*sdktrace.TracerProvider
	client *http.Client
}

// New returns a Provider; call [Provider.Shutdown] at its end. A collector that is down costs spans and nothing else: they
// wait in a queue of bounded length and are dropped when that is full.
func New(o Options) *Provider {
	client := &http.Client{
		Timeout:       sendTimeout,
		Transport:     &http.Transport{Proxy: nil, MaxConnsPerHost: 1, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Provider{
		client: client,
		TracerProvider: sdktrace.NewTracerProvider(
			sdktrace.WithBatcher(&exporter{url: o.URL, client: client, log: o.Log}),
			sdktrace.WithResource(resource.NewSchemaless(
				attribute.String("service.name", o.Service), attribute.String("service.version", o.Version))),
		),
	}
}

// Shutdown sends what is left and ends the Provider.
func (p *Provider) Shutdown(ctx context.Context) error {
	defer p.client.CloseIdleConnections()
	return p.TracerProvider.Shutdown(ctx)
}
