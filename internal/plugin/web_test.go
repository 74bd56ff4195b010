package plugin

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// A demo's names are this machine's own, whatever its resolver and its proxy know of them; redirects are left alone.
func TestNamesOfThisMachine(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
	}))
	t.Cleanup(server.Close)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("NO_PROXY", "")
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://hr.localhost:"+port+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := newHTTPClient().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Errorf("%d, want the redirect itself", resp.StatusCode)
	}
	if got := loopback("hr.localhost.example:443"); got != "hr.localhost.example:443" {
		t.Errorf("another's name is dialled as %s", got)
	}
}

// Who answers with another protocol, for which nobody has asked, is not listened to: no time limit would end that.
func TestAnotherProtocolIsNotListenedTo(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("taking the connection: %v", err)
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: silence\r\n\r\n")
	}))
	t.Cleanup(server.Close)
	s := &session{Env: Env{HTTP: newHTTPClient()}}
	status := make(chan int, 1)
	go func() {
		got, _ := s.get(t.Context(), server.URL) // after an error it is 0
		status <- got.status
	}()
	select {
	case got := <-status:
		if got != http.StatusSwitchingProtocols {
			t.Errorf("got %d", got)
		}
	case <-time.After(2 * callTimeout):
		t.Error("the answer is listened to still")
	}
}
