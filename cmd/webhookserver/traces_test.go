package main

import (
	"crypto/ed25519"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/secretfile/secretfiletest"
	"channellink.dev/operator/webhookserver/tracing"
	"channellink.dev/operator/webhookserver/tracing/tracingtest"
)

// The environment turns tracing on, as the operator sets it; what was not sent yet when the pod is told to stop is sent then.
func TestTraces(t *testing.T) {
	collector := tracingtest.New(t)
	t.Setenv(tracing.EndpointVariable, collector.URL)
	key, err := adminapi.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := adminapi.NewKeySet(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, settingsVolume(t, secretfiletest.NewVolume(t, nil), keys), "--ready-drain", "0s")
	p.untilCode(t, p.Public+"/hr/webhook?userId=U206d25c2ea6bd87c17655609a1c37cb8", http.StatusNotFound)
	p.untilCode(t, p.Ops+"/healthz", http.StatusOK)
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.command.Wait(); err != nil {
		t.Fatal(err)
	}
	spans := collector.Spans()
	if len(spans) == 0 || strings.Contains(collector.Raw(), "U206d25c2") {
		t.Fatalf("the collector has %+v", spans)
	}
	if slices.ContainsFunc(spans, func(s tracingtest.Span) bool {
		return s.Resource["service.name"] != "channellink-server" || s.Resource["service.version"] != "0.1.0" || s.Kind != "server" || s.Name != "/"
	}) {
		t.Errorf("the collector has %+v", spans)
	}
}

// A mistake in the environment is said at once, not found out by missing spans.
func TestTracesWrong(t *testing.T) {
	getenv := func(string) string { return "collector:4317" }
	if provider, _, err := traces(getenv, nil); err == nil || provider != nil {
		t.Errorf("%v, %v", provider, err)
	}
	provider, stop, err := traces(func(string) string { return "" }, nil)
	if err != nil || provider != nil {
		t.Errorf("off: %v, %v", provider, err)
	}
	stop()
}
