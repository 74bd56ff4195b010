package outboundtest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Switcher is an HTTP server that answers every request with 101 Switching Protocols, for which nobody has asked, and is
// silent from then on. Go's transport hands such a connection over to its caller: no time limit closes it any more.
type Switcher struct {
	// URL of the server, under the name localhost.
	URL string
	// Left gets a value for each connection that the client closes.
	Left <-chan struct{}
}

// NewSwitcher starts a Switcher that ends with the test.
func NewSwitcher(tb testing.TB) Switcher {
	tb.Helper()
	left := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			tb.Errorf("taking the connection: %v", err)
			return
		}
		tb.Cleanup(func() { _ = conn.Close() }) // so that whoever waits for more ends with the test
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: silence\r\n\r\n")
		go func() {
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				left <- struct{}{}
			}
		}()
	}))
	tb.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return Switcher{URL: "http://localhost:" + port, Left: left}
}
