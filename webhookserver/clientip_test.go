package webhookserver

import (
	"net/http"
	"testing"
)

// C25: an address that a client writes itself never counts.
func TestClientIP(t *testing.T) {
	for name, tc := range map[string]struct {
		reason  string
		hops    int
		headers http.Header
		want    string
	}{
		"no proxy":             {"the peer is the client", 0, nil, "192.0.2.1"},
		"no proxy, header":     {"nobody who is trusted wrote it", 0, http.Header{"X-Forwarded-For": {"203.0.113.9"}}, "192.0.2.1"},
		"one proxy":            {"the proxy wrote the last entry", 1, http.Header{"X-Forwarded-For": {"203.0.113.9"}}, "203.0.113.9"},
		"one proxy, forged":    {"what stands before it came with the request", 1, http.Header{"X-Forwarded-For": {"198.51.100.7, 203.0.113.9"}}, "203.0.113.9"},
		"one proxy, two lines": {"lines are one list (RFC 9110 section 5.3)", 1, http.Header{"X-Forwarded-For": {"198.51.100.7", "203.0.113.9"}}, "203.0.113.9"},
		"two proxies":          {"the outer one saw the client", 2, http.Header{"X-Forwarded-For": {"198.51.100.7, 203.0.113.9, 10.0.0.1"}}, "203.0.113.9"},
		"one of two proxies":   {"a request from between the two", 2, http.Header{"X-Forwarded-For": {"203.0.113.9"}}, "203.0.113.9"},
		"proxy, no header":     {"a request from within the cluster", 1, nil, "192.0.2.1"},
		"proxy, not an IP":     {"proxies write addresses", 1, http.Header{"X-Forwarded-For": {"unknown"}}, "192.0.2.1"},
		"other headers":        {"they are never read", 1, http.Header{"Forwarded": {"for=203.0.113.9"}, "X-Real-Ip": {"203.0.113.9"}}, "192.0.2.1"},
		"IPv6":                 {"both families", 1, http.Header{"X-Forwarded-For": {"2001:db8::7"}}, "2001:db8::7"},
		"mapped IPv4":          {"one address, one form", 1, http.Header{"X-Forwarded-For": {"::ffff:203.0.113.9"}}, "203.0.113.9"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: "192.0.2.1:4711", Header: tc.headers}
			if got := clientIP(r, tc.hops).String(); got != tc.want {
				t.Errorf("got %s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}
