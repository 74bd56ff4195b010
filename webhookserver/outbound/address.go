package outbound

import (
	"encoding/binary"
	"net/netip"
)

// class is how far away an address is, from harmless to never.
type class int

const (
	public  class = iota
	private       // a company's network: open unless DenyPrivate
	local         // this host and its link: refused unless AllowLocal
	never         // no service of the company's answers there
)

// ranges lists the special addresses of the IANA registries; the first match
// counts, so a metadata service inside a private range stays refused.
var ranges = []struct {
	class    class
	prefixes []netip.Prefix
}{
	{never, prefixes(
		"0.0.0.0/8",                                                   // "this network": Linux connects 0.0.0.0 to itself
		"192.0.0.0/24",                                                // protocol assignments, and a metadata service (Oracle)
		"224.0.0.0/4",                                                 // multicast
		"240.0.0.0/4",                                                 // reserved, and 255.255.255.255
		"::/128",                                                      // unspecified: Linux connects it to itself
		"ff00::/8",                                                    // multicast
		"64:ff9b:1::/48",                                              // local NAT64 (RFC 8215): where the IPv4 address sits is private knowledge
		"100::/64",                                                    // discard
		"169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", // metadata: most clouds, ECS, EKS
		"169.254.0.23/32", "169.254.42.42/32", // metadata: Tencent, Scaleway
		"100.100.100.200/32", "168.63.129.16/32", // metadata: Alibaba, Azure
		"fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128", "fd00:42::42/128",
		"fe80::a9fe:a9fe/128", // metadata: OpenStack
	)},
	{local, prefixes("127.0.0.0/8", "169.254.0.0/16", "::1/128", "fe80::/10")},
	{never, prefixes("::/96")}, // IPv4-compatible: deprecated (RFC 4291); after ::1
	{private, prefixes(
		"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"100.64.0.0/10",         // carrier-grade NAT; some clusters' pods
		"198.18.0.0/15",         // benchmarking
		"fc00::/7", "fec0::/10", // unique local, and its predecessor
	)},
}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// classify returns the class of one address that embeds no other.
func classify(addr netip.Addr) class {
	for _, r := range ranges {
		for _, p := range r.prefixes {
			if p.Contains(addr) {
				return r.class
			}
		}
	}
	return public
}

// allows judges an address and every address inside it. Listed says that
// AllowHosts names the host it was found under.
func (p Policy) allows(addr netip.Addr, listed bool) bool {
	addr = addr.WithZone("").Unmap()
	if !p.allowsOne(addr, listed) {
		return false
	}
	for _, inner := range embedded(addr) {
		if !p.allowsOne(inner, listed) {
			return false
		}
	}
	return true
}

func (p Policy) allowsOne(addr netip.Addr, listed bool) bool {
	for _, prefix := range p.Deny {
		if prefix.Contains(addr) {
			return false
		}
	}
	switch classify(addr) {
	case public:
		return true
	case private:
		return listed || !p.DenyPrivate
	case local:
		return listed || p.AllowLocal
	default:
		return false
	}
}

var (
	nat64  = netip.MustParsePrefix("64:ff9b::/96")
	siit   = netip.MustParsePrefix("::ffff:0:0:0/96")
	sixto4 = netip.MustParsePrefix("2002::/16")
	teredo = netip.MustParsePrefix("2001::/32")
)

// embedded returns the IPv4 addresses that a gateway would take out of an IPv6
// address and send the packets to.
func embedded(addr netip.Addr) []netip.Addr {
	if !addr.Is6() {
		return nil
	}
	b := addr.As16()
	switch {
	case nat64.Contains(addr), siit.Contains(addr): // RFC 6052, and RFC 2765 before it: the last 32 bits
		return []netip.Addr{ipv4(b[12:])}
	case sixto4.Contains(addr): // RFC 3056: after the prefix
		return []netip.Addr{ipv4(b[2:])}
	case teredo.Contains(addr): // RFC 4380: the server, and the client inverted
		client := [4]byte{^b[12], ^b[13], ^b[14], ^b[15]}
		return []netip.Addr{ipv4(b[4:]), netip.AddrFrom4(client)}
	}
	if id := binary.BigEndian.Uint32(b[8:12]); id&^0x02000000 == 0x00005efe {
		return []netip.Addr{ipv4(b[12:])} // RFC 5214: ISATAP interface identifier
	}
	return nil
}

func ipv4(b []byte) netip.Addr {
	return netip.AddrFrom4([4]byte(b[:4]))
}
