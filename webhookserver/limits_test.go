package webhookserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener is a listener whose connections are pipes, which work in a bubble where time is faked.
type pipeListener struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{accepted: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.accepted:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

func (l *pipeListener) dial() net.Conn {
	near, far := net.Pipe()
	l.accepted <- far
	return near
}

// bare is a server without channels: what is tested here comes before any of them.
func bare() *Server {
	s := &Server{now: time.Now, log: slog.New(slog.DiscardHandler)}
	s.metrics = newMetrics(s)
	return s
}

// listening runs the HTTP server of a public port with at most maxConns connections and the given handler at every path.
func listening(t *testing.T, maxConns int, handler http.HandlerFunc) *pipeListener {
	t.Helper()
	s := bare()
	routes := mount([]route{{elsewhere, handler, false}}, writeProblemPage)
	server := s.httpServer(port{"public", muxed(routes), writeProblemPage}, maxConns)
	listener := newPipeListener()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended with %v", err)
		}
	})
	return listener
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// hear reads one answer.
func hear(t *testing.T, conn net.Conn) *http.Response {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp
}

// untilClosed returns how long the other side kept the connection open.
func untilClosed(t *testing.T, conn net.Conn) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func answerOK(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") }

// C41: whoever is slow is cut off after a time that does not depend on him.
func TestSlowClients(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		said   string
		answer int // 0: none
		within time.Duration
	}{
		"silence":         {"a connection that says nothing", "", 0, readHeaderTimeout},
		"half a header":   {"slowloris", "GET / HTTP/1.1\r\nHost: x\r\nX-", 0, readHeaderTimeout},
		"half a body":     {"slow body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", 408, readTimeout},
		"half a chunk":    {"slow chunked body", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", 408, readTimeout},
		"no next request": {"an idle connection", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 200, idleTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := listening(t, 10, answerOK).dial()
				began := time.Now()
				if tc.said != "" {
					say(t, conn, tc.said)
				}
				if tc.answer != 0 {
					if resp := hear(t, conn); resp.StatusCode != tc.answer {
						t.Errorf("got %d, want %d: %s", resp.StatusCode, tc.answer, tc.reason)
					}
				}
				untilClosed(t, conn)
				// net/http lingers for half a second after it has answered, so that the answer arrives.
				if took := time.Since(began); took < tc.within || took > tc.within+time.Second {
					t.Errorf("closed after %v, want %v: %s", took, tc.within, tc.reason)
				}
			})
		})
	}
}

// C40: of a body that is too large nothing is read beyond the limit, whatever was announced.
func TestLargeBodies(t *testing.T) {
	chunk := "1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n"
	for name, tc := range map[string]struct {
		reason, header, piece string
		most                  int // bytes of body that the server may take
	}{
		"announced": {"1 GiB in the header", "Content-Length: 1073741824", strings.Repeat("x", 4096), 300 << 10},
		"endless":   {"chunks without an end", "Transfer-Encoding: chunked", chunk, 400 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn := listening(t, 10, answerOK).dial()
				say(t, conn, "POST / HTTP/1.1\r\nHost: x\r\n"+tc.header+"\r\n\r\n")
				taken := make(chan int)
				go func() {
					total := 0
					for {
						n, err := io.WriteString(conn, tc.piece)
						if total += n; err != nil {
							taken <- total
							return
						}
					}
				}()
				resp := hear(t, conn)
				if resp.StatusCode != http.StatusRequestEntityTooLarge || !resp.Close {
					t.Errorf("got %d and close %t, want 413 and close: %s", resp.StatusCode, resp.Close, tc.reason)
				}
				untilClosed(t, conn)
				if n := <-taken; n > tc.most {
					t.Errorf("%d bytes were taken, want at most %d", n, tc.most)
				}
			})
		})
	}
}

// C40: what follows a body shorter than was sent is another request, and a bad one; the first is answered.
func TestLyingContentLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := listening(t, 10, answerOK).dial()
		go func() {
			_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcdef\r\n\r\n")
		}()
		reader := bufio.NewReader(conn)
		for _, want := range []int{http.StatusOK, http.StatusBadRequest} {
			resp, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, resp.Body); err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != want {
				t.Errorf("got %d, want %d", resp.StatusCode, want)
			}
		}
		untilClosed(t, conn)
	})
}

// A handler may take longer than a body may: the body's deadline ends with the body.
func TestBodyDeadlineEndsWithTheBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn := listening(t, 10, func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
				writeText(w, http.StatusTeapot, "canceled")
			case <-time.After(2 * readTimeout):
				writeText(w, http.StatusOK, "ok")
			}
		}).dial()
		say(t, conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
		if resp := hear(t, conn); resp.StatusCode != http.StatusOK {
			t.Errorf("got %d, want 200", resp.StatusCode)
		}
		_ = conn.Close()
	})
}

// C41: with all connections taken by silent clients, a new one is served at once and the oldest silent one goes.
func TestSilentConnectionsMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 5
		listener := listening(t, limit, answerOK)
		var silent []net.Conn
		for range limit {
			silent = append(silent, listener.dial())
			synctest.Wait()
		}
		began := time.Now()
		for range 3 {
			conn := listener.dial()
			say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if resp := hear(t, conn); resp.StatusCode != http.StatusOK {
				t.Errorf("got %d, want 200", resp.StatusCode)
			}
			synctest.Wait()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the others had to wait %v", took)
		}
		for i, conn := range silent {
			_ = conn.SetReadDeadline(time.Now().Add(time.Second))
			_, err := conn.Read(make([]byte, 1))
			if gone, want := errors.Is(err, io.EOF), i < 3; gone != want {
				t.Errorf("silent connection %d: gone %t, want %t", i, gone, want)
			}
		}
	})
}

// C41: a connection that is being served is never cut for a new one; the new one has to come again.
func TestServedConnectionsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		listener := listening(t, 2, func(w http.ResponseWriter, _ *http.Request) {
			<-release
			writeText(w, http.StatusOK, "ok")
		})
		busy := []net.Conn{listener.dial(), listener.dial()}
		for _, conn := range busy {
			say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		}
		synctest.Wait()
		if took := untilClosed(t, listener.dial()); took != 0 {
			t.Errorf("the connection too many was kept for %v", took)
		}
		close(release)
		for _, conn := range busy {
			if resp := hear(t, conn); resp.StatusCode != http.StatusOK {
				t.Errorf("got %d, want 200", resp.StatusCode)
			}
		}
	})
}

// C65: a panic is answered with a page, and what it was about stays out of the log unless the runtime says it.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := bare()
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		routes := mount([]route{{elsewhere, func(http.ResponseWriter, *http.Request) { panic("secret-7d1f") }, false}}, writeProblemPage)
		handler := s.handler(port{"public", muxed(routes), writeProblemPage})
		listener := newPipeListener()
		server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
		go func() { _ = server.Serve(listener) }()
		conn := listener.dial()
		say(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp := hear(t, conn); resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("got %d %v, want a page with 500", resp.StatusCode, resp.Header)
		}
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if text := log.String(); !strings.Contains(text, "handler panicked") || strings.Contains(text, "secret-7d1f") {
			t.Errorf("the log says:\n%s", text)
		}
	})
}
