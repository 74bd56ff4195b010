package webhookserver_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// benchEvent is a message, as most calls are: 271 bytes, about nothing of ours.
const benchEvent = `{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[{"type":"message","mode":"active","timestamp":1700000000000,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZR","source":{"type":"user","userId":"U206d25c2ea6bd87c17655609a1c37cb8"},"message":{"type":"text","text":"hello"}}]}`

// bareHeaders are those that the claims want of every answer (C18, C19), and that the bare handler sends, too: what is
// measured is the way through the server, not the length of its answers.
var bareHeaders = http.Header{
	"Cache-Control": {"no-store"}, "Content-Security-Policy": {"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"},
	"Content-Type": {"text/plain; charset=utf-8"}, "Referrer-Policy": {"no-referrer"}, "X-Content-Type-Options": {"nosniff"},
	"X-Frame-Options": {"DENY"}, "X-Request-Id": {"ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
}

// bareWebhook is the least that any receiver of LINE's calls does: read, verify, decode, answer.
func bareWebhook(w http.ResponseWriter, r *http.Request) {
	maps.Copy(w.Header(), bareHeaders)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	given, err := base64.StdEncoding.DecodeString(r.Header.Get("X-Line-Signature"))
	h := hmac.New(sha256.New, []byte(lineSecret))
	h.Write(body)
	if err != nil || !hmac.Equal(h.Sum(nil), given) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var delivery struct {
		Destination string `json:"destination"`
		Events      []struct {
			Type      string `json:"type"`
			Timestamp int64  `json:"timestamp"`
			ID        string `json:"webhookEventId"`
			Source    struct {
				Type   string `json:"type"`
				UserID string `json:"userId"`
			} `json:"source"`
			Link struct {
				Result string `json:"result"`
				Nonce  string `json:"nonce"`
			} `json:"link"`
		} `json:"events"`
	}
	if err := json.Unmarshal(body, &delivery); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// The gate of BenchmarkWebhook: what the server adds (routes, limits, ids, metrics, keys looked at twice) costs a tenth of a
// call at most. Two runs of one program differ by the slack.
const (
	webhookGate  = 0.9
	webhookSlack = 0.02
	webhookCalls = 5000 // from so many on the median is worth judging
)

// BenchmarkWebhook holds a webhook call without store beside the bare handler, call by call in turns, on loopback.
func BenchmarkWebhook(b *testing.B) {
	for name, header := range map[string]http.Header{"verified": byLINE(benchEvent), "forged": byLINE(benchEvent + " ")} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, quiet)
			w.untilReady(b)
			listener := listen(b)
			bare := &http.Server{ // with the time-outs that any server on the internet needs
				Handler: http.HandlerFunc(bareWebhook), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
			}
			go func() { _ = bare.Serve(listener) }()
			defer func() { _ = bare.Close() }()

			ours := newCaller(b, strings.TrimPrefix(w.Public, "http://"), header)
			theirs := newCaller(b, listener.Addr().String(), header)
			for range 200 { // connections, pools and the branch predictor
				ours.call(b)
				theirs.call(b)
			}
			var own, floor []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				ours.call(b)
				between := time.Now()
				theirs.call(b)
				own, floor = append(own, between.Sub(began)), append(floor, time.Since(between))
			}
			// The median knows nothing of what else the machine does.
			slices.Sort(own)
			slices.Sort(floor)
			call, bareCall := own[len(own)/2], floor[len(floor)/2]
			b.ReportMetric(float64(call.Nanoseconds()), "ns/call")
			b.ReportMetric(float64(bareCall.Nanoseconds()), "ns/bare")
			ratio := float64(bareCall) / float64(call)
			b.ReportMetric(ratio, "of-bare")
			if ratio < webhookGate-webhookSlack && len(own) >= webhookCalls {
				b.Errorf("%.2f of what the bare handler does, want %.2f", ratio, webhookGate)
			}
		})
	}
}

// caller sends one prepared request again and again over one connection, so that what is measured is the server.
type caller struct {
	conn    net.Conn
	request []byte
	answer  []byte
}

func newCaller(tb testing.TB, address string, header http.Header) *caller {
	tb.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close() })
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, "http://"+visionHost+"/hr/webhook", strings.NewReader(benchEvent))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header = header.Clone()
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	var request bytes.Buffer
	if err := req.Write(&request); err != nil {
		tb.Fatal(err)
	}
	return &caller{conn: conn, request: request.Bytes(), answer: make([]byte, 4096)}
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
