package plugin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"channellink.dev/operator/api/v1alpha1"
)

// requestIDHeader is in every answer of a server, and in no answer of a gateway that stands in front of nothing.
const requestIDHeader = "X-Request-Id"

// soonDays is how long before its end a certificate is worth a word: what renews by itself does it a month before.
const soonDays = 14

// newHTTPClient returns a client that calls as a browser of this machine does, redirects left alone.
func newHTTPClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	dial, proxy := transport.DialContext, transport.Proxy
	transport.Proxy = func(r *http.Request) (*url.URL, error) {
		if isLocal(r.URL.Hostname()) {
			return nil, nil // no proxy
		}
		return proxy(r)
	}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(ctx, network, loopback(address))
	}
	return &http.Client{
		Transport: transport, Timeout: callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// isLocal tells a name of this machine's own (RFC 6761, section 6.3). Browsers know them, and a demo has such; resolvers mostly
// do not.
func isLocal(name string) bool { return strings.HasSuffix(name, ".localhost") }

// loopback is the address that is dialled for another.
func loopback(address string) string {
	if name, port, err := net.SplitHostPort(address); err == nil && isLocal(name) {
		return net.JoinHostPort("localhost", port)
	}
	return address
}

// answer is what somebody has answered, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
	tls    *tls.ConnectionState // nil over plain http
}

// get asks a URL from this machine.
func (s *session) get(ctx context.Context, rawURL string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return answer{}, err
	}
	return s.do(req)
}

func (s *session) do(req *http.Request) (answer, error) {
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusSwitchingProtocols { // nobody has asked, and the body is a connection that no time limit ends
		return answer{status: resp.StatusCode, header: resp.Header, tls: resp.TLS}, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	return answer{resp.StatusCode, resp.Header, body, resp.TLS}, err
}

// checkPublicURL asks the channel's own page, as a browser would.
func (s *session) checkPublicURL(ctx context.Context, l *v1alpha1.ChannelLink) check {
	c := check{Name: "Public URL", Result: failedResult}
	got, err := s.get(ctx, string(l.Spec.PublicURL)+"/")
	if err != nil {
		c.Message, c.Do = unreached(err, host(string(l.Spec.PublicURL)))
		return c
	}
	switch {
	case got.header.Get(requestIDHeader) == "" && !reachable(l):
		c.Result, c.Message = unknownResult, fmt.Sprintf("something else answers there, with %d, as long as nobody comes to the server", got.status)
	case got.header.Get(requestIDHeader) == "":
		c.Message = fmt.Sprintf("something else answers there, with %d", got.status)
		c.Do = "See that DNS leads to the ingress or gateway of this cluster, and that its route leads to the Service of the channel: kubectl describe ingress,httproute"
	case got.status != http.StatusOK:
		c.Message = fmt.Sprintf("the server answers %d", got.status)
		c.Do = "421 means that a proxy in front changes the Host header, 404 that it changes the path: both must come as they are in spec.publicURL."
	default:
		c.Result, c.Message = wellResult, "answered by the server"
	}
	if c.Result == wellResult && got.tls != nil {
		return s.withCertificate(c, got.tls)
	}
	return c
}

// withCertificate adds when the certificate ends.
func (s *session) withCertificate(c check, state *tls.ConnectionState) check {
	left := days(s.Now(), state.PeerCertificates[0].NotAfter)
	if left < soonDays {
		c.Result, c.Message = unknownResult, fmt.Sprintf("%s, with a certificate that ends in %d days", c.Message, left)
		c.Do = "See that whatever renews the certificate runs: without one no platform and no browser comes here."
		return c
	}
	c.Message += ", with a trusted certificate"
	return c
}

// unreached says why there is no answer, and what to do. The words of a library may hold a whole URL: they are not used.
func unreached(err error, host string) (message, do string) {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &dns):
		return "the name " + host + " does not resolve here", "Make a DNS record for it that leads to the ingress or gateway."
	case errors.As(err, &name):
		return "the certificate is for other names than " + host, "Have it issued for " + host + "."
	case errors.As(err, &unknown):
		return "the certificate is not of an authority that this machine trusts", "Platforms want a public authority and the whole chain."
	case errors.As(err, &certificate), errors.As(err, &record):
		return "the TLS handshake failed", "See that " + host + " is served with a certificate of a public authority that has not ended."
	case isTimeout(err):
		return "no answer from " + host + " in time", "See that a firewall lets people in from outside."
	default:
		return "no connection to " + host, "See that the ingress or gateway listens, and that a firewall lets people in from outside."
	}
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

// host is the host of a URL, for people.
func host(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "the host"
	}
	return u.Hostname()
}
