package outbound

import (
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/outbound/outboundtest"
)

// tripwire listens on loopback and counts the connections that reach it.
func tripwire(t *testing.T) (port string, hits *atomic.Int64) {
	t.Helper()
	hits = new(atomic.Int64)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	listeners := []net.Listener{listener}
	if six, err := net.Listen("tcp", net.JoinHostPort("::1", port)); err == nil {
		listeners = append(listeners, six)
	}
	for _, l := range listeners {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				hits.Add(1)
				_ = conn.Close()
			}
		}()
		t.Cleanup(func() { _ = l.Close(); <-done })
	}
	return port, hits
}

// C49: a host in a ChannelLink cannot make the server connect to itself, its
// node, the API server or a metadata service, however it is written.
func TestRefusedHosts(t *testing.T) {
	port, hits := tripwire(t)
	names := outboundtest.Hosts(map[string]string{
		"loopback.evil.example":    "127.0.0.1",
		"loopback6.evil.example":   "::1",
		"mapped.evil.example":      "::ffff:127.0.0.1",
		"metadata.evil.example":    "169.254.169.254",
		"nat64.evil.example":       "64:ff9b::7f00:1",
		"both.evil.example":        "127.0.0.1 ::1",
		"zero.evil.example":        "0.0.0.0",
		"metadata.google.internal": "169.254.169.254",
		"*.localhost":              "127.0.0.1",
		"localhost":                "127.0.0.1",
	})
	client := New(Options{Policy: Policy{}, Resolver: names})
	t.Cleanup(client.CloseIdleConnections)

	hosts := []struct {
		reason string
		host   string
		want   Reason
	}{
		{"loopback", "127.0.0.1", AddressRefused},
		{"all of 127/8 is loopback", "127.8.8.8", AddressRefused},
		{"the final dot changes nothing", "127.0.0.1.", AddressRefused},
		{"loopback v6", "[::1]", AddressRefused},
		{"loopback v6 in full", "[0:0:0:0:0:0:0:1]", AddressRefused},
		{"mapped loopback", "[::ffff:127.0.0.1]", AddressRefused},
		{"mapped loopback in hex", "[::ffff:7f00:1]", AddressRefused},
		{"compatible loopback", "[::127.0.0.1]", AddressRefused},
		{"compatible public address: deprecated", "[::8.8.8.8]", AddressRefused},
		{"unspecified connects to this host", "0.0.0.0", AddressRefused},
		{"this network", "0.1.2.3", AddressRefused},
		{"unspecified v6", "[::]", AddressRefused},
		{"mapped unspecified", "[::ffff:0.0.0.0]", AddressRefused},
		{"cloud metadata", "169.254.169.254", AddressRefused},
		{"cloud metadata, mapped", "[::ffff:169.254.169.254]", AddressRefused},
		{"ECS task metadata", "169.254.170.2", AddressRefused},
		{"EKS pod identity", "169.254.170.23", AddressRefused},
		{"EKS pod identity v6", "[fd00:ec2::23]", AddressRefused},
		{"EC2 metadata v6", "[fd00:ec2::254]", AddressRefused},
		{"Google metadata v6", "[fd20:ce::254]", AddressRefused},
		{"OpenStack metadata v6", "[fe80::a9fe:a9fe]", AddressRefused},
		{"Alibaba metadata, inside carrier-grade NAT", "100.100.100.200", AddressRefused},
		{"Azure wire server, a public address", "168.63.129.16", AddressRefused},
		{"Oracle metadata", "192.0.0.192", AddressRefused},
		{"link-local", "169.254.1.1", AddressRefused},
		{"node-local DNS", "169.254.20.10", AddressRefused},
		{"link-local v6", "[fe80::1]", AddressRefused},
		{"a zone is free text", "[fe80::1%25eth0]", InvalidURL},
		{"multicast", "224.0.0.1", AddressRefused},
		{"multicast v6", "[ff02::1]", AddressRefused},
		{"reserved", "240.0.0.1", AddressRefused},
		{"broadcast", "255.255.255.255", AddressRefused},
		{"discard", "[100::1]", AddressRefused},
		{"NAT64 to loopback", "[64:ff9b::127.0.0.1]", AddressRefused},
		{"NAT64 to metadata", "[64:ff9b::a9fe:a9fe]", AddressRefused},
		{"local NAT64", "[64:ff9b:1::7f00:1]", AddressRefused},
		{"6to4 of loopback", "[2002:7f00:1::]", AddressRefused},
		{"6to4 of metadata", "[2002:a9fe:a9fe::1]", AddressRefused},
		{"Teredo client loopback, inverted", "[2001:0:808:808::80ff:fffe]", AddressRefused},
		{"Teredo server loopback", "[2001:0:7f00:1::f7f7:f7f7]", AddressRefused},
		{"translated loopback", "[::ffff:0:127.0.0.1]", AddressRefused},
		{"ISATAP of loopback", "[2001:db8::5efe:7f00:1]", AddressRefused},
		{"ISATAP of metadata, universal bit", "[2001:db8::200:5efe:a9fe:a9fe]", AddressRefused},
		{"decimal", "2130706433", AddressRefused},
		{"hex", "0x7f000001", AddressRefused},
		{"upper-case hex", "0X7F000001", AddressRefused},
		{"octal with dots", "0177.0.0.1", AddressRefused},
		{"hex with dots", "0x7f.0.0.0x1", AddressRefused},
		{"short", "127.1", AddressRefused},
		{"bare zero", "0", AddressRefused},
		{"bare 0x", "0x", AddressRefused},
		{"five parts", "127.0.0.1.1", AddressRefused},
		{"full-width digits: IDNA makes 127.0.0.1 of them", "１２７.０.０.１", InvalidURL},
		{"circled digits", "①②⑦.0.0.1", InvalidURL},
		{"ideographic full stops", "127。0。0。1", InvalidURL},
		{"percent-encoded", "%31%32%37.0.0.1", InvalidURL},
		{"localhost", "localhost", AddressRefused},
		{"localhost, case and dot", "LocalHost.", AddressRefused},
		{"below localhost", "dex.localhost", AddressRefused},
		{"the API server", "kubernetes.default", AddressRefused},
		{"the API server, one label", "kubernetes", AddressRefused},
		{"the API server in full", "kubernetes.default.svc.cluster.local", AddressRefused},
		{"Google metadata by name", "metadata.google.internal", AddressRefused},
		{"a name of loopback", "loopback.evil.example", AddressRefused},
		{"a name of loopback v6", "loopback6.evil.example", AddressRefused},
		{"a name of mapped loopback", "mapped.evil.example", AddressRefused},
		{"a name of metadata", "metadata.evil.example", AddressRefused},
		{"a name of NAT64 loopback", "nat64.evil.example", AddressRefused},
		{"a name of both loopbacks", "both.evil.example", AddressRefused},
		{"a name of the unspecified address", "zero.evil.example", AddressRefused},
		{"no such name", "nowhere.example", DNSFailed},
	}
	for _, tc := range hosts {
		t.Run(tc.host, func(t *testing.T) {
			_, err := client.Get(t.Context(), "https://"+tc.host+":"+port+"/x")
			if !errors.Is(err, tc.want) {
				t.Errorf("%s: got %v, want %s", tc.reason, err, tc.want)
			}
		})
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("loopback saw %d connections, want 0", n)
	}
}

// C49: what each field of the policy opens and closes.
func TestPolicyAllows(t *testing.T) {
	cases := []struct {
		reason string
		policy Policy
		host   string // as AllowHosts sees it
		addr   string
		want   bool
	}{
		{"public", Policy{}, "", "93.184.216.34", true},
		{"public v6", Policy{}, "", "2606:2800:220:1::1", true},
		{"company issuers live in private ranges", Policy{}, "", "10.1.2.3", true},
		{"unique local", Policy{}, "", "fd12::1", true},
		{"carrier-grade NAT", Policy{}, "", "100.64.0.1", true},
		{"NAT64 of a public address: clusters without IPv4", Policy{}, "", "64:ff9b::808:808", true},
		{"one flag denies private", Policy{DenyPrivate: true}, "", "10.1.2.3", false},
		{"and 172.16/12", Policy{DenyPrivate: true}, "", "172.31.255.255", false},
		{"but not past it", Policy{DenyPrivate: true}, "", "172.32.0.1", true},
		{"and unique local", Policy{DenyPrivate: true}, "", "fd12::1", false},
		{"and carrier-grade NAT", Policy{DenyPrivate: true}, "", "100.64.0.1", false},
		{"and mapped private", Policy{DenyPrivate: true}, "", "::ffff:10.0.0.1", false},
		{"and NAT64 of private", Policy{DenyPrivate: true}, "", "64:ff9b::a00:1", false},
		{"but not public", Policy{DenyPrivate: true}, "", "93.184.216.34", true},
		{"local is opened", Policy{AllowLocal: true}, "", "127.0.0.1", true},
		{"link-local too", Policy{AllowLocal: true}, "", "fe80::1", true},
		{"metadata never", Policy{AllowLocal: true}, "", "169.254.169.254", false},
		{"unspecified never", Policy{AllowLocal: true}, "", "0.0.0.0", false},
		{"a listed host may be private", Policy{DenyPrivate: true, AllowHosts: []string{"sso.corp"}}, "sso.corp", "10.0.0.1", true},
		{"or local", Policy{AllowHosts: []string{"sso.corp"}}, "sso.corp", "127.0.0.1", true},
		{"but not metadata", Policy{AllowHosts: []string{"sso.corp"}}, "sso.corp", "169.254.169.254", false},
		{"another host is not listed", Policy{AllowHosts: []string{"sso.corp"}}, "evil.corp", "127.0.0.1", false},
		{"wildcard", Policy{AllowHosts: []string{"*.corp"}}, "a.b.corp", "127.0.0.1", true},
		{"wildcard is not the name itself", Policy{AllowHosts: []string{"*.corp"}}, "corp", "127.0.0.1", false},
		{"nor a longer label", Policy{AllowHosts: []string{"*.corp"}}, "evilcorp", "127.0.0.1", false},
		{"a denied range beats all", Policy{AllowLocal: true, AllowHosts: []string{"sso.corp"}, Deny: []netip.Prefix{netip.MustParsePrefix("10.96.0.1/32")}}, "sso.corp", "10.96.0.1", false},
		{"also inside NAT64", Policy{Deny: []netip.Prefix{netip.MustParsePrefix("10.96.0.1/32")}}, "", "64:ff9b::a60:1", false},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			got := tc.policy.allows(netip.MustParseAddr(tc.addr), tc.policy.listed(tc.host))
			if got != tc.want {
				t.Errorf("allows(%s) = %t, want %t", tc.addr, got, tc.want)
			}
		})
	}
}

// C52: https only, but for localhost under the operator's flag.
func TestCheckURL(t *testing.T) {
	demo := Policy{AllowLocal: true, AllowHTTPLocalhost: true}
	cases := []struct {
		reason string
		policy Policy
		url    string
		want   Reason
	}{
		{"https", Policy{}, "https://sso.vision.example/realms/x?y=z", ""},
		{"a port", Policy{}, "https://sso.vision.example:8443/", ""},
		{"an address", Policy{}, "https://10.0.0.7/", ""},
		{"http", Policy{}, "http://sso.vision.example/", SchemeRefused},
		{"http on localhost needs the flag", Policy{AllowLocal: true}, "http://localhost/", SchemeRefused},
		{"with it", demo, "http://localhost:5556/dex", ""},
		{"and below it", demo, "http://dex.localhost:8080/dex", ""},
		{"not for a look-alike", demo, "http://localhost.evil.example/", SchemeRefused},
		{"not for another suffix", demo, "http://evillocalhost/", SchemeRefused},
		{"not for loopback by number", demo, "http://127.0.0.1/", SchemeRefused},
		{"not for the rest", demo, "http://sso.vision.example/", SchemeRefused},
		{"other schemes", demo, "file:///etc/passwd", InvalidURL},
		{"gopher", demo, "gopher://localhost/", SchemeRefused},
		{"no scheme", demo, "//localhost/", SchemeRefused},
		{"opaque", demo, "https:localhost", InvalidURL},
		{"user information hides the host", Policy{}, "https://sso.vision.example@evil.example/", InvalidURL},
		{"a fragment is not sent", Policy{}, "https://sso.vision.example/#x", InvalidURL},
		{"port 0", Policy{}, "https://sso.vision.example:0/", InvalidURL},
		{"port too large", Policy{}, "https://sso.vision.example:65536/", InvalidURL},
		{"no host", Policy{}, "https:///x", InvalidURL},
		{"an empty label", Policy{}, "https://a..b/", InvalidURL},
		{"a backslash", Policy{}, `https://a\b/`, InvalidURL},
		{"a space", Policy{}, "https://a b/", InvalidURL},
		{"a control character", Policy{}, "https://a/\x00", InvalidURL},
		{"empty", Policy{}, "", InvalidURL},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := tc.policy.CheckURL(tc.url)
			if got := ReasonOf(err); got != tc.want {
				t.Errorf("CheckURL(%q) = %v, want reason %q", tc.url, err, tc.want)
			}
		})
	}
}

// C49, C52: what plain http to the cluster's own Services opens, and what stays shut.
func TestHTTPInCluster(t *testing.T) {
	backends := Policy{AllowHTTPCluster: true}
	cases := []struct {
		reason string
		policy Policy
		url    string
		want   Reason
	}{
		{"a Service", backends, "http://hr.vision.svc/leave?from=chat", ""},
		{"on a port", backends, "http://hr.vision.svc:8080/", ""},
		{"with the cluster's domain", backends, "http://hr.vision.svc.cluster.local/", ""},
		{"with a domain of several labels, absolute", backends, "http://hr.vision.svc.k8s.vision.example./", ""},
		{"in capitals", backends, "http://HR.vision.SVC/", ""},
		{"one pod of a headless Service", backends, "http://hr-0.hr.vision.svc/", ""},
		{"https is never worse", backends, "https://hr.vision.svc/", ""},
		{"other calls have no such way", Policy{}, "http://hr.vision.svc/", SchemeRefused},
		{"nor has localhost by this field", backends, "http://localhost/", SchemeRefused},
		{"nor does localhost's field open it", Policy{AllowLocal: true, AllowHTTPLocalhost: true}, "http://hr.vision.svc/", SchemeRefused},
		{"a short name may be anybody's", backends, "http://hr/", SchemeRefused},
		{"without svc it may be a host of the company", backends, "http://hr.vision/", SchemeRefused},
		{"svc is no namespace's suffix", backends, "http://hr.visionsvc/", SchemeRefused},
		{"a Service has a namespace", backends, "http://hr.svc/", SchemeRefused},
		{"nor does a host of that name", backends, "http://svc/", SchemeRefused},
		{"a host outside", backends, "http://hr.vision.example/", SchemeRefused},
		{"an address has no name", backends, "http://10.0.0.7/", SchemeRefused},
		{"metadata by number", backends, "http://169.254.169.254/", SchemeRefused},
		{"the API server", backends, "http://kubernetes.default.svc/", AddressRefused},
		{"the API server in full", backends, "http://kubernetes.default.svc.cluster.local:443/", AddressRefused},
		{"other schemes", backends, "gopher://hr.vision.svc/", SchemeRefused},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			_, err := tc.policy.CheckURL(tc.url)
			if got := ReasonOf(err); got != tc.want {
				t.Errorf("CheckURL(%q) = %v, want reason %q", tc.url, err, tc.want)
			}
		})
	}
}

// C49: a Service can be named for any address (ExternalName, an Endpoints object by hand): the address is judged, not the
// name.
func TestServiceOfForbiddenAddress(t *testing.T) {
	client := New(Options{Policy: Policy{AllowHTTPCluster: true}, Resolver: outboundtest.Hosts(map[string]string{
		"metadata.vision.svc": "169.254.169.254",
		"local.vision.svc":    "127.0.0.1",
		"node.vision.svc":     "fe80::1",
	})})
	t.Cleanup(client.CloseIdleConnections)
	for _, host := range []string{"metadata", "local", "node"} {
		if _, err := client.Get(t.Context(), "http://"+host+".vision.svc/"); !errors.Is(err, AddressRefused) {
			t.Errorf("%s: got %v, want %s", host, err, AddressRefused)
		}
	}
}

// C50: the address that is dialled is judged, so a name whose second answer is
// another one gains nothing.
func TestRebinding(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close") // the next call looks the name up again
	}))
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	inner, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inner.Close() })

	var flipped atomic.Bool
	names := outboundtest.Resolver(func(string) []netip.Addr {
		if flipped.Load() {
			return []netip.Addr{netip.MustParseAddr("127.0.0.2")}
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	})
	client := New(Options{
		Policy: Policy{
			AllowLocal: true, // the good address of this test is loopback; the bad one is denied
			Deny:       []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		},
		Resolver: names,
		Roots:    func() *x509.CertPool { return rootsOf(server) },
	})
	t.Cleanup(client.CloseIdleConnections)

	target := "https://example.com:" + port + "/" // a name in the test certificate
	if _, err := client.Get(t.Context(), target); err != nil {
		t.Fatalf("first answer: %v", err)
	}
	flipped.Store(true)
	for range 3 {
		if _, err := client.Get(t.Context(), target); !errors.Is(err, AddressRefused) {
			t.Fatalf("flipped answer: got %v, want %s", err, AddressRefused)
		}
	}
	if err := inner.(*net.TCPListener).SetDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if conn, err := inner.Accept(); err == nil {
		_ = conn.Close()
		t.Error("the inner host saw a connection, want none")
	}
}

func rootsOf(server *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return pool
}
