// Package wire lets the sample programs tell the simulator of the requests between themselves and the server, so that its page
// shows the whole wire. What is told has no body, no query and no header: only who asked whom for what, and what came of it.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// Entry is one request, in the form in which the simulator takes it at POST /sim/requests.
type Entry struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Channel string `json:"channel,omitempty"`
	Method  string `json:"method"`
	Path    string `json:"path"`
	// Signed names the header with a signature: of the body, or Authorization for a signed token.
	Signed string `json:"signed,omitempty"`
	// Credentials are ok or wrong; empty when the request had none.
	Credentials string `json:"credentials,omitempty"`
	Status      int    `json:"status"`
}

// Bounds of what is told: a simulator that is away must cost the program nothing.
const (
	queued   = 64
	tellTime = 2 * time.Second
)

// Reporter tells of requests. A nil Reporter tells nobody.
type Reporter struct {
	name, url string
	entries   chan Entry
}

// New returns a reporter for the program of that name, which tells the simulator at the base URL; nil when that is empty. Run
// has to run.
func New(name, simulator string) *Reporter {
	if simulator == "" {
		return nil
	}
	return &Reporter{name, simulator + "/sim/requests", make(chan Entry, queued)}
}

// Run tells until the context ends.
func (r *Reporter) Run(ctx context.Context) {
	if r == nil {
		return
	}
	client := &http.Client{Timeout: tellTime}
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-r.entries:
			r.tell(ctx, client, e)
		}
	}
}

func (r *Reporter) tell(ctx context.Context, client *http.Client, e Entry) {
	body, err := json.Marshal(e)
	if err != nil {
		return // strings and numbers: never
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return // no simulator, no page to show it on
	}
	if resp, err := client.Do(req); err == nil {
		_ = resp.Body.Close()
	}
}

// add never waits: when the queue is full the entry is lost.
func (r *Reporter) add(e Entry) {
	select {
	case r.entries <- e:
	default:
	}
}

type channelKey struct{}

// About says which channel a request is about that Took was given, and what is asked for in its context.
func About(ctx context.Context, channel string) {
	if about, ok := ctx.Value(channelKey{}).(*string); ok {
		*about = channel
	}
}

// Took tells of a request that the program was sent.
func (r *Reporter) Took(from string, next http.Handler) http.Handler {
	if r == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		status := statusWriter{w, http.StatusOK}
		req = req.WithContext(context.WithValue(req.Context(), channelKey{}, new(string)))
		next.ServeHTTP(&status, req)
		r.add(entry(from, r.name, "", req, status.status))
	})
}

// Asks tells of the requests that the program sends to another, about the channel; empty for that of the request that is
// being answered.
func (r *Reporter) Asks(to, channel string, next http.RoundTripper) http.RoundTripper {
	if r == nil {
		return next
	}
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := next.RoundTrip(req)
		status := 0
		if err == nil {
			status = resp.StatusCode
		}
		r.add(entry(r.name, to, channel, req, status))
		return resp, err
	})
}

func entry(from, to, channel string, req *http.Request, status int) Entry {
	e := Entry{From: from, To: to, Channel: channel, Method: req.Method, Path: req.URL.Path, Status: status}
	if about, ok := req.Context().Value(channelKey{}).(*string); ok && channel == "" {
		e.Channel = *about
	}
	for _, name := range []string{"Authorization", "X-Line-Signature", "X-Hub-Signature-256", "X-Hub-Signature"} {
		value := req.Header.Get(name)
		if value == "" {
			continue
		}
		if name != "Authorization" || strings.Count(value, ".") == 2 { // a JWT has three parts
			e.Signed = name
		}
		e.Credentials = "ok"
		if status == http.StatusUnauthorized {
			e.Credentials = "wrong"
		}
	}
	return e
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
