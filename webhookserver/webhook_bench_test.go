package webhookserver_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"testing"
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

// webhookGate: what the server adds (routes, limits, ids, metrics, keys looked at twice) costs a tenth of a call at most.
const webhookGate = 0.9

// BenchmarkWebhook holds a webhook call without store beside the bare handler.
func BenchmarkWebhook(b *testing.B) {
	for name, header := range map[string]http.Header{"verified": byLINE(benchEvent), "forged": byLINE(benchEvent + " ")} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, quiet)
			w.untilReady(b)
			request := requestBytes(b, "/hr/webhook", benchEvent, header)
			beside(b, newCaller(b, w.Public, request), newCaller(b, bareServer(b, bareWebhook), request), webhookGate)
		})
	}
}
