package main

import (
	"context"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"channellink.dev/operator/webhookserver/tracing"
)

// lastSpans is how long the process waits at its end for a collector to take what is left.
const lastSpans = 5 * time.Second

// traces turns tracing on, if the environment says where to; otherwise there is no provider. Stop is to be called at the end.
func traces(getenv func(string) string, log *slog.Logger) (provider trace.TracerProvider, stop func(), err error) {
	url, err := tracing.URL(getenv)
	if err != nil || url == "" {
		return nil, func() {}, err
	}
	made := tracing.New(tracing.Options{URL: url, Service: "channellink-server", Version: version, Log: log})
	log.Info("tracing", "collector", url)
	return made, func() {
		ctx, cancel := context.WithTimeout(context.Background(), lastSpans)
		defer cancel()
		if err := made.Shutdown(ctx); err != nil {
			log.Warn("last spans not sent", "error", err)
		}
	}, nil
}
