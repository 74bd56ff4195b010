package webhookserver_test

import (
	"bytes"
	"maps"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Two runs of one program differ by the slack, and from so many calls on a median is worth judging.
const (
	benchSlack = 0.02
	benchCalls = 2000
)

// beside holds a call of the server beside one of a floor, call by call in turns, and reports the medians and the allocations
// of both, clients and upstreams included. The benchmark fails when the floor takes less than the gate's part of the server's
// time; a gate of 0 is none.
func beside(b *testing.B, ours, floor *caller, gate float64) {
	b.Helper()
	for range 2 { // connections, pools and the branch predictor
		ours.allocations(b)
		floor.allocations(b)
	}
	var own, bare []time.Duration
	for b.Loop() {
		began := time.Now()
		ours.call(b)
		between := time.Now()
		floor.call(b)
		own, bare = append(own, between.Sub(began)), append(bare, time.Since(between))
	}
	// The median knows nothing of what else the machine does.
	slices.Sort(own)
	slices.Sort(bare)
	call, bareCall := own[len(own)/2], bare[len(bare)/2]
	ratio := float64(bareCall) / float64(call)
	b.ReportMetric(float64(call.Nanoseconds()), "ns/call")
	b.ReportMetric(float64(bareCall.Nanoseconds()), "ns/floor")
	b.ReportMetric(ratio, "of-floor")
	b.ReportMetric(ours.allocations(b), "allocs/call")
	b.ReportMetric(floor.allocations(b), "allocs/floor")
	if ratio < gate-benchSlack && len(own) >= benchCalls {
		b.Errorf("%.2f of what the floor does, want %.2f", ratio, gate)
	}
}

// bareServer serves a floor with the time-outs that any server on the internet needs, and returns its address.
func bareServer(b *testing.B, handler http.HandlerFunc) string {
	b.Helper()
	listener := listen(b)
	server := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			maps.Copy(w.Header(), bareHeaders)
			handler(w, r)
		}),
	}
	go func() { _ = server.Serve(listener) }()
	b.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

// bareHeaders are those that the claims want of every answer (C18, C19), and that a floor sends, too: what is measured is
// the way through the server, not the length of its answers.
var bareHeaders = http.Header{
	"Cache-Control": {"no-store"}, "Content-Security-Policy": {"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"},
	"Content-Type": {"text/plain; charset=utf-8"}, "Referrer-Policy": {"no-referrer"}, "X-Content-Type-Options": {"nosniff"},
	"X-Frame-Options": {"DENY"}, "X-Request-Id": {"ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
}

// caller sends one prepared request again and again over one connection, so that what is measured is the server.
type caller struct {
	conn    net.Conn
	request []byte
	answer  []byte
}

// newCaller dials the address of a world or a floor for a request.
func newCaller(tb testing.TB, address string, request []byte) *caller {
	tb.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(address, "http://"))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	return &caller{conn: conn, request: request, answer: make([]byte, 8192)}
}

// requestBytes is a request to the world's public host as it is on the wire: a POST of JSON, unless the header says
// otherwise, or a GET when there is no body.
func requestBytes(tb testing.TB, path, body string, header http.Header) []byte {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://"+visionHost+path, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header = header.Clone()
	if body != "" {
		req.Method = http.MethodPost
		if req.Header.Get("Content-Type") == "" {
			req.Header.Set("Content-Type", "application/json")
		}
	}
	var request bytes.Buffer
	if err := req.Write(&request); err != nil {
		tb.Fatal(err)
	}
	return request.Bytes()
}

// call makes one call. An answer comes in one segment, which is all that is looked at.
func (c *caller) call(tb testing.TB) {
	if _, err := c.conn.Write(c.request); err != nil {
		tb.Fatal(err)
	}
	n, err := c.conn.Read(c.answer)
	if err != nil || !bytes.HasPrefix(c.answer[:n], []byte("HTTP/1.1 ")) {
		tb.Fatalf("%q, %v", c.answer[:n], err)
	}
}

// wantOK fails unless one call is answered with 200 and the given words.
func (c *caller) wantOK(tb testing.TB, words string) {
	tb.Helper()
	c.call(tb)
	if answer := string(c.answer); !strings.HasPrefix(answer, "HTTP/1.1 200 ") || !strings.Contains(answer, words) {
		tb.Fatalf("%s\n%s", c.request, answer)
	}
}

// allocations are those of the whole process for one call.
func (c *caller) allocations(tb testing.TB) float64 {
	const calls = 300
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		c.call(tb)
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / calls
}
