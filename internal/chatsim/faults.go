package chatsim

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Fault makes the next requests below a path go wrong.
type Fault struct {
	// Path is a prefix, for example /v2/bot/profile.
	Path string `json:"path"`
	// About lets it strike only where query or body hold this text, for example a user's id; empty for everywhere.
	About string `json:"about,omitempty"`
	// Status is answered instead, for example 500 or 429; 0 answers garbage with 200 when Delay is 0 as well.
	Status int `json:"status,omitempty"`
	// Delay holds the answer back, in milliseconds.
	Delay int `json:"delay,omitempty"`
	// RetryAfter is the header of that name, in seconds.
	RetryAfter int `json:"retryAfter,omitempty"`
	// Body is answered instead of garbage, for example {"errorCode":500,"errorMessage":"…"}.
	Body string `json:"body,omitempty"`
	// Done has the request take effect before the fault answers: what was asked for is done, and nobody is told.
	Done bool `json:"done,omitempty"`
	// Times is how many requests it is for; 0 stands for one.
	Times int `json:"times,omitempty"`
}

// withFaults answers a request, or lets the fault that is due answer it.
func (s *Simulator) withFaults(w http.ResponseWriter, r *http.Request) {
	f, ok := s.takeFault(r)
	if !ok {
		s.routes.ServeHTTP(w, r)
		return
	}
	judge(r.Context()).user = f.About
	if f.Done {
		s.routes.ServeHTTP(&unheard{header: http.Header{}}, r)
	}
	if f.Delay > 0 {
		held := time.NewTimer(time.Duration(f.Delay) * time.Millisecond)
		defer held.Stop()
		select {
		case <-held.C:
		case <-r.Context().Done():
			return
		}
		if f.Status == 0 && f.Body == "" {
			s.routes.ServeHTTP(w, r)
			return
		}
	}
	judge(r.Context()).refusal = "a fault that was asked for"
	w.Header().Set("Content-Type", "application/json")
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	w.WriteHeader(cmp.Or(f.Status, http.StatusOK))
	_, _ = io.WriteString(w, cmp.Or(f.Body, `{"garbage": [`)) // a caller that is gone has nobody left to tell
}

// takeFault finds the fault that is due for a request.
func (s *Simulator) takeFault(r *http.Request) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if !strings.HasPrefix(r.URL.Path, f.Path) || !holds(r, f.About) {
			continue
		}
		if f.Times--; f.Times <= 0 {
			s.faults = append(s.faults[:i], s.faults[i+1:]...)
		}
		return *f, true
	}
	return Fault{}, false
}

// holds reports whether query or body of a request hold a text.
func holds(r *http.Request, text string) bool {
	if text == "" || strings.Contains(r.URL.RawQuery, text) || strings.Contains(r.URL.Path, text) {
		return true
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body)) // whoever answers reads it again
	return err == nil && bytes.Contains(body, []byte(text))
}

// unheard is an answer that reaches nobody.
type unheard struct{ header http.Header }

// Header implements http.ResponseWriter.
func (u *unheard) Header() http.Header { return u.header }

// Write implements http.ResponseWriter.
func (*unheard) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (*unheard) WriteHeader(int) {}
