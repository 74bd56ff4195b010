package chatsim

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Request is one request that the simulator was sent, or that it sent.
type Request struct {
	// ID counts the requests from 1.
	ID int       `json:"id"`
	At time.Time `json:"at"`
	// Sent is true for a webhook or a module call.
	Sent bool `json:"sent,omitempty"`
	// From and To name who asks and who is asked.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Channel is the name of the channel that it is about, where that is known.
	Channel string `json:"channel,omitempty"`
	// User is the id of the chat user whom it is about, where that is known.
	User string `json:"user,omitempty"`
	// Signed names the header that proves who sent it.
	Signed string `json:"signed,omitempty"`
	Method string `json:"method"`
	// Path of what it was sent; the whole URL of what it sent.
	Path string `json:"path"`
	// Credentials says how those of the request were judged: ok, missing or wrong; empty where none are wanted.
	Credentials string `json:"credentials,omitempty"`
	Status      int    `json:"status"`
	// Refusal says in words why it was refused.
	Refusal string `json:"refusal,omitempty"`
	// Query and Body are there when the configuration asks for bodies: they hold tokens.
	Query string `json:"query,omitempty"`
	Body  string `json:"body,omitempty"`
	// Answer is the body of the answer to what it sent.
	Answer string `json:"answer,omitempty"`
}

// maxRecords bounds the memory of a simulator that runs for days; the oldest go first.
const maxRecords = 10_000

// maxBody bounds a request's body. LINE refuses what is larger than 2 MB.
const maxBody = 2 << 20

type recorder struct {
	bodies bool
	// changed is called after each record.
	changed func()

	mu       sync.Mutex
	count    int
	requests []Request
}

type recordKey struct{}

// judgement is what a handler says of its request, for the record.
type judgement struct{ credentials, refusal, channel, user string }

// about says whom a request is about.
func (j *judgement) about(c *channel, u *user) { j.channel, j.user = c.Name, u.ID }

// judge returns the place for what the handler thinks of the request.
func judge(ctx context.Context) *judgement {
	if j, ok := ctx.Value(recordKey{}).(*judgement); ok {
		return j
	}
	return &judgement{}
}

// serve lets next answer and records the request, unless it is one of the control API's.
func (l *recorder) serve(w http.ResponseWriter, r *http.Request, at time.Time, next http.Handler) {
	if strings.HasPrefix(r.URL.Path, "/sim/") || r.URL.Path == "/" {
		next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var j judgement
	status := statusWriter{ResponseWriter: w, status: http.StatusOK}
	next.ServeHTTP(&status, r.WithContext(context.WithValue(r.Context(), recordKey{}, &j)))
	from, to := parties(r)
	l.add(Request{
		At: at, From: from, To: to, Channel: j.channel, User: j.user, Method: r.Method, Path: r.URL.Path, Credentials: j.credentials, Status: status.status,
		Refusal: j.refusal,
		Query:   r.URL.RawQuery, Body: string(body),
	})
}

func (l *recorder) add(r Request) {
	if !l.bodies {
		r.Query, r.Body, r.Answer = "", "", ""
		r.Path, _, _ = strings.Cut(r.Path, "?")
	}
	l.mu.Lock()
	if len(l.requests) == maxRecords {
		l.requests = append(l.requests[:0], l.requests[1:]...)
	}
	l.count++
	r.ID = l.count
	l.requests = append(l.requests, r)
	l.mu.Unlock()
	l.changed()
}

func (l *recorder) all() []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Request{}, l.requests...)
}

// about returns the requests that are about the user, or about his channel and nobody in particular.
func (l *recorder) about(channel, userID string) []Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := []Request{}
	for _, r := range l.requests {
		if r.Channel == channel && (r.User == userID || r.User == "") {
			found = append(found, r)
		}
	}
	return found
}

func (l *recorder) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = nil
}

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
