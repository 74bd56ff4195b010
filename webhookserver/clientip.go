package webhookserver

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientIP is the address that a request comes from. Of X-Forwarded-For only the last hops entries count, one for each
// proxy that the operator was told of: whatever stands before them, the client may have written itself. Other forwarding
// headers are never read.
func clientIP(r *http.Request, hops int) netip.Addr {
	var peer netip.Addr
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		peer = addr.Addr().Unmap()
	}
	if hops <= 0 {
		return peer
	}
	var entries []string
	for _, line := range r.Header.Values("X-Forwarded-For") {
		entries = append(entries, strings.Split(line, ",")...)
	}
	if len(entries) == 0 {
		return peer
	}
	entry := strings.TrimSpace(entries[max(0, len(entries)-hops)])
	addr, err := netip.ParseAddr(entry)
	if err != nil {
		return peer // a proxy that is trusted writes addresses; this came from somewhere else
	}
	return addr.Unmap()
}
