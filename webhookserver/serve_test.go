package webhookserver_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// A server that is told to stop says so, answers what comes meanwhile, and ends without cutting off what it has begun.
func TestGracefulStop(t *testing.T) {
	w := newWorld(t)
	w.untilReady(t)

	// A request whose body is on its way when the server is told to stop.
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.Public, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /hr HTTP/1.1\r\nHost: "+visionHost+"\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" { // so the handler has begun to read
		t.Fatalf("the server says %q, %v", line, err)
	}
	if _, err := answers.Discard(len("\r\n")); err != nil {
		t.Fatal(err)
	}
	w.stop()
	eventually(t, func() error {
		if !strings.Contains(w.logs.String(), `"msg":"stopping"`) {
			return fmt.Errorf("not stopping yet")
		}
		return nil
	})
	if _, err := io.WriteString(conn, "abcd"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("the request in flight was cut off: %v", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the request in flight: %d, want 200", resp.StatusCode)
	}
	err = <-w.ended
	if err != nil {
		t.Errorf("the server ended with %v", err)
	}
	w.ended <- err                                                   // for the cleanup
	if _, err := w.public.Accept(); !errors.Is(err, net.ErrClosed) { // by now the port may be somebody else's
		t.Errorf("the public port is still open: %v", err)
	}
}

// C41: more silent connections than the server keeps do not shut a client out, and the number that stays is bounded.
func TestFloodOfSilentConnections(t *testing.T) {
	const flood = 2500 // the server keeps 2048
	w := newWorld(t)
	w.untilReady(t)
	address := strings.TrimPrefix(w.Public, "http://")
	for range flood {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	if a := w.get(t, "/hr"); a.Code != http.StatusOK {
		t.Errorf("got %d, want 200", a.Code)
	}
	eventually(t, func() error {
		if text := do(t, http.MethodGet, w.Ops+"/metrics", nil).Body; strings.Contains(text, `channellink_connections_evicted_total{port="public"} 0`) {
			return errors.New("nobody had to make room")
		}
		return nil
	})
}
