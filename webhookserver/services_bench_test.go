package webhookserver_test

import (
	"bytes"
	"net/http"
	"net/http/httputil"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"
)

// BenchmarkService holds a service call beside a bare reverse proxy that looks up the same link first, call by call in
// turns, on loopback and to the same backend. What the server adds is the signature of the call, the signed assertion, the
// guard, and an answer that is read, checked and written anew.
func BenchmarkService(b *testing.B) {
	w, upstream, kept := servedWorld(b, nil, quiet)
	kept.linkedSince(b, lineUser, time.Now().Add(-time.Hour))
	target, err := url.Parse(upstream.URL)
	if err != nil {
		b.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	listener := listen(b)
	bare := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if _, err := kept.ActiveLink(r.Context(), kept.channel, lineUser, time.Time{}); err != nil {
			rw.WriteHeader(http.StatusNotFound)
			return
		}
		proxy.ServeHTTP(rw, r)
	})}
	go func() { _ = bare.Serve(listener) }()
	defer func() { _ = bare.Close() }()

	body := moduleCall(lineUser, `,"user":{"id":"3xxxxxxxxxxxd","created":1505360797321,"name":"陳邦妮","locale":"zh_TW"},"userParams":{"input":"天"}`)
	const path = "/hr/services/leave-balance?k=urlkey&fields=user,userParams"
	dial := func(address string) *caller {
		c := newCaller(b, address, http.Header{})
		c.request = requestBytes(b, path, body, byBotBonnie(body))
		return c
	}
	ours, theirs := dial(strings.TrimPrefix(w.Public, "http://")), dial(listener.Addr().String())
	allocations := func(c *caller) float64 {
		const calls = 300
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range calls {
			c.call(b)
		}
		runtime.ReadMemStats(&after)
		return float64(after.Mallocs-before.Mallocs) / calls
	}
	for range 2 { // connections, pools and the branch predictor
		allocations(ours)
		allocations(theirs)
	}
	own, floor := time.Duration(0), time.Duration(0)
	for b.Loop() {
		began := time.Now()
		ours.call(b)
		between := time.Now()
		theirs.call(b)
		own += between.Sub(began)
		floor += time.Since(between)
	}
	b.ReportMetric(float64(own.Nanoseconds())/float64(b.N), "ns/call")
	b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N), "ns/proxy")
	b.ReportMetric(float64(floor)/float64(own), "of-proxy")
	b.ReportMetric(allocations(ours), "allocs/call") // those of the backend, 40 or so, included in both
	b.ReportMetric(allocations(theirs), "allocs/proxy")
}

// requestBytes is a call of BotBonnie's as it is on the wire.
func requestBytes(b *testing.B, path, body string, header http.Header) []byte {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+visionHost+path, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header = header.Clone()
	req.Header.Set("Content-Type", "application/json")
	var request bytes.Buffer
	if err := req.Write(&request); err != nil {
		b.Fatal(err)
	}
	return request.Bytes()
}
