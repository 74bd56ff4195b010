package webhookserver_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// benchEvent is a message, as most calls are: 271 bytes, about nothing of ours.
const benchEvent = `{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[{"type":"message","mode":"active","timestamp":1700000000000,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZR","source":{"type":"user","userId":"U206d25c2ea6bd87c17655609a1c37cb8"},"message":{"type":"text","text":"hello"}}]}`

// bareWebhook is the least that any receiver of LINE's calls does: read, verify, decode, answer.
func bareWebhook(w http.ResponseWriter, r *http.Request) {
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

// BenchmarkWebhook holds a webhook call without store beside the bare handler, call by call in turns, on loopback. The gate
// is a ratio of 0.9 or more: what the server adds (routes, limits, safe headers, metrics) costs a tenth at most.
func BenchmarkWebhook(b *testing.B) {
	for name, header := range map[string]http.Header{"verified": byLINE(benchEvent), "forged": byLINE(benchEvent + " ")} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, quiet)
			w.untilReady(b)
			listener := listen(b)
			bare := &http.Server{Handler: http.HandlerFunc(bareWebhook), ReadHeaderTimeout: time.Second}
			go func() { _ = bare.Serve(listener) }()
			defer func() { _ = bare.Close() }()

			ours := newCaller(b, strings.TrimPrefix(w.Public, "http://"), header)
			theirs := newCaller(b, listener.Addr().String(), header)
			for range 200 { // connections, pools and the branch predictor
				ours.call(b)
				theirs.call(b)
			}
			var own, floor time.Duration
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				ours.call(b)
				between := time.Now()
				theirs.call(b)
				own += between.Sub(began)
				floor += time.Since(between)
			}
			b.ReportMetric(float64(own.Nanoseconds())/float64(b.N), "ns/call")
			b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N), "ns/bare")
			b.ReportMetric(float64(floor)/float64(own), "of-bare")
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
