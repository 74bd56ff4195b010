package webhookserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
)

// port is one of the three, and how its callers are answered.
type port struct {
	name string
	// serve answers and says which route did, and for which channel if there is one.
	serve func(http.ResponseWriter, *http.Request) served
	// problem answers in the form that the port's callers understand.
	problem problemWriter
}

// served says what answered a request.
type served struct {
	route   string
	channel *channel
}

// handler surrounds a port with what every request gets: an id, safe headers, a count, a log line, and an answer even when
// a handler panics.
func (s *Server) handler(p port) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := s.now()
		id := newRequestID()
		setSafeHeaders(w.Header())
		w.Header()[requestIDHeader] = []string{id}
		ctx, span := s.startSpan(&requestContext{r.Context(), id, givenRequestID(r.Header)}, p)
		r = r.WithContext(ctx)
		a := &answer{ResponseWriter: w}

		by := s.guarded(p, a, r)

		endSpan(span, p, r.Method, id, by, a.status())
		took := s.now().Sub(began)
		s.metrics.requests.observe(p.name, by.route, r.Method, a.status(), took)
		if s.log.Enabled(r.Context(), slog.LevelDebug) {
			hops := 0
			if by.channel != nil {
				hops = int(by.channel.TrustedProxyHops)
			}
			s.log.DebugContext(r.Context(), "request", "port", p.name, "route", by.route,
				"method", methodClass(r.Method), "code", a.status(), "took", took.String(), "client", clientIP(r, hops))
		}
	})
}

// guarded serves and turns a panic into a page. Of the panic's value only a runtime error is logged, because any other could
// hold what a user sent.
func (s *Server) guarded(p port, a *answer, r *http.Request) (by served) {
	by.route = elsewhere
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		what := fmt.Sprintf("%T", value)
		if fault, ok := value.(runtime.Error); ok {
			what = fault.Error()
		}
		s.log.ErrorContext(r.Context(), "handler panicked", "port", p.name,
			"panic", what, "stack", string(debug.Stack()))
		if a.code != 0 {
			panic(http.ErrAbortHandler) // half an answer is out: break it off visibly
		}
		p.problem(a, r, http.StatusInternalServerError)
	}()
	if !clean(r.URL.Path) || hidesSlash(r.URL) {
		p.problem(a, r, http.StatusNotFound)
		return by
	}
	return p.serve(a, r)
}

// muxed serves a port whose routes need no channel.
func muxed(mux *http.ServeMux) func(http.ResponseWriter, *http.Request) served {
	return func(w http.ResponseWriter, r *http.Request) served {
		mux.ServeHTTP(w, r)
		return served{route: r.Pattern}
	}
}

// answer remembers the status code.
type answer struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	if a.code == 0 && code >= http.StatusOK {
		a.code = code
	}
	a.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.code == 0 {
		a.code = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) status() int {
	if a.code == 0 {
		return http.StatusOK // what net/http sends for a handler that wrote nothing
	}
	return a.code
}

// receive copies a body of at most limit bytes to dst, within readTimeout. After an error the connection is closed with
// the answer, because the rest of the body stands in it; bodyProblem gives the code to answer with.
func receive(w http.ResponseWriter, r *http.Request, dst io.Writer, limit int64) error {
	if r.Body == http.NoBody {
		return nil
	}
	err := copyBody(w, r, dst, limit)
	if err != nil {
		w.Header().Set("Connection", "close")
	}
	return err
}

func copyBody(w http.ResponseWriter, r *http.Request, dst io.Writer, limit int64) error {
	src, err := limited(w, r, limit)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return err
}

// limited is the body as far as the limit lets it be read.
func limited(w http.ResponseWriter, r *http.Request, limit int64) (io.Reader, error) {
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit} // before anything is read, and before 100 Continue
	}
	if r.ContentLength >= 0 {
		return r.Body, nil // it ends there
	}
	return http.MaxBytesReader(w, r.Body, limit), nil
}

// bodyProblem is the status code for a body that could not be received.
func bodyProblem(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, errNoRoom) {
		return http.StatusServiceUnavailable
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}
