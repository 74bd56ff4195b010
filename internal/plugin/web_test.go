package plugin

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
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
