package outbound

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Policy says where a [Client] may go. The zero value is the strictest that
// still reaches a company's private network. Its fields come from flags of the
// operator: nothing in a ChannelLink widens them.
type Policy struct {
	// AllowLocal opens loopback and link-local addresses, and the names under
	// localhost. Metadata services stay refused.
	AllowLocal bool
	// AllowHTTPLocalhost accepts http for localhost and *.localhost.
	AllowHTTPLocalhost bool
	// AllowHTTPCluster accepts http for Services of the cluster by their whole name:
	// SERVICE.NAMESPACE.svc, with or without the cluster's domain. It is for calls
	// to a company's own backends, where plain http is usual, and never for an
	// issuer or a chat platform. Hosts that neither field names need https.
	AllowHTTPCluster bool
	// DenyPrivate refuses private, carrier-grade NAT and unique local addresses,
	// which are open by default because company issuers live there.
	DenyPrivate bool
	// AllowHosts lists hosts ("sso.vision.example", "*.vision.example") whose
	// local and private addresses are open whatever the fields above say.
	// Metadata services and Deny stay refused.
	AllowHosts []string
	// Deny lists address ranges that are refused always, such as the API
	// server's own address.
	Deny []netip.Prefix
}

// maxHostLength is the longest name that DNS can carry (RFC 1035 section 2.3.4).
const maxHostLength = 253

// CheckURL parses raw and judges all that can be judged without a look-up. Its
// error is an [Error] with reason [InvalidURL], [SchemeRefused] or [AddressRefused].
func (p Policy) CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, &Error{Reason: InvalidURL} // err quotes the whole URL
	}
	if err := p.check(u); err != nil {
		return nil, err
	}
	return u, nil
}

func (p Policy) check(u *url.URL) error {
	host := normalHost(u.Hostname())
	fail := func(r Reason) error { return &Error{Reason: r, Host: showHost(host)} }

	if u.Opaque != "" || u.User != nil || u.Fragment != "" || !validPort(u.Port()) {
		return fail(InvalidURL)
	}
	addr, literal := parseAddr(host)
	if addr.Zone() != "" || !literal && !validName(host) {
		return fail(InvalidURL)
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && p.AllowHTTPLocalhost && isLocalhost(host):
	case u.Scheme == "http" && p.AllowHTTPCluster && isService(host):
	default:
		return fail(SchemeRefused)
	}
	listed := p.listed(host)
	switch {
	case literal && !p.allows(addr, listed):
		return fail(AddressRefused)
	case !literal && endsInNumber(host):
		// 2130706433, 0x7f.1 and 0177.0.0.1 are addresses to a C resolver and
		// to a browser (WHATWG URL, "ends in a number"), names to Go.
		return fail(AddressRefused)
	case isLocalhost(host) && !p.AllowLocal && !listed:
		return fail(AddressRefused)
	case isAPIServer(host) && !listed:
		return fail(AddressRefused)
	}
	return nil
}

// listed reports whether AllowHosts names the host.
func (p Policy) listed(host string) bool {
	for _, entry := range p.AllowHosts {
		entry = normalHost(entry)
		if suffix, ok := strings.CutPrefix(entry, "*"); ok && strings.HasPrefix(suffix, ".") {
			if strings.HasSuffix(host, suffix) && len(host) > len(suffix) {
				return true
			}
		} else if entry == host {
			return true
		}
	}
	return false
}

func normalHost(host string) string {
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func parseAddr(host string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(host)
	return addr, err == nil
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// validName accepts the bytes of a host name. Others are refused, not converted:
// IDNA mapping turns full-width digits into an address after the check.
func validName(host string) bool {
	if host == "" || len(host) > maxHostLength {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, nameBytes) != "" {
			return false
		}
	}
	return true
}

const nameBytes = "abcdefghijklmnopqrstuvwxyz0123456789-_"

func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(last, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// isService reports whether host has the form of a Service's whole name, or of a pod's
// below it. What follows "svc" is the cluster's domain, which nobody tells a pod for
// certain. The form is no promise of an address in the cluster: that is judged when it
// is dialled, as for every host.
func isService(host string) bool {
	labels := strings.Split(host, ".")
	return slices.Index(labels, "svc") >= 2
}

// isAPIServer reports whether host is a name of the cluster's API server. Its
// address looks like any private one; [Policy].Deny refuses that too.
func isAPIServer(host string) bool {
	switch host {
	case "kubernetes", "kubernetes.default", "kubernetes.default.svc":
		return true
	}
	return strings.HasPrefix(host, "kubernetes.default.svc.")
}

// showHost returns host as an error may show it. A host can come out of an
// upstream's document, so what is not plainly a name or an address stays unsaid.
func showHost(host string) string {
	if addr, literal := parseAddr(host); literal {
		return addr.WithZone("").String() // a zone is free text
	}
	if validName(host) {
		return host
	}
	return ""
}
