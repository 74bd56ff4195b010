package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// The bounds of one call. The first two are defaults of [Options].
const (
	DefaultTimeout = 5 * time.Second // the whole exchange; a chat user waits behind it
	DefaultMaxBody = 1 << 20         // bytes; the largest document that an issuer needs is a tenth of it

	connectTimeout    = 3 * time.Second // look-up, connection and handshake each: less than the whole, so that the reason is known
	maxHeaderBytes    = 64 << 10        // response headers
	maxConnsPerHost   = 16              // an upstream that hangs holds no more than these
	maxIdleConns      = 16              // each idle connection holds about 40 KiB
	maxIdlePerHost    = 2
	idleConnTimeout   = 30 * time.Second // shorter than common load balancers' own
	keepAliveInterval = 15 * time.Second
)

// Options are the parameters of a [Client]. The zero value works.
type Options struct {
	Policy Policy
	// Roots returns the authorities to trust, asked at every handshake so that a
	// reloaded bundle counts at once. Nil, or a nil pool, means the system's.
	Roots func() *x509.CertPool
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
	// Timeout bounds one whole exchange; 0 means [DefaultTimeout].
	Timeout time.Duration
	// MaxBody bounds the body of one answer, in bytes; 0 means [DefaultMaxBody].
	MaxBody int64
	// MaxConns bounds the connections to one host, idle ones included; 0 means 16, of
	// which 2 may be idle.
	MaxConns int
	// Called is told of every call when it has ended, with the status of the answer or
	// with an [Error]; nil means nobody.
	Called func(status int, err error)
	// Propagate tells the upstream of the trace that a call is part of, in the header
	// traceparent (W3C Trace Context). It is for upstreams of our own house.
	Propagate bool
}

// Client makes guarded calls. It is safe for concurrent use. Each answer is read
// whole, within the limits, before the caller sees it.
type Client struct {
	policy    Policy
	roots     func() *x509.CertPool
	resolver  *net.Resolver
	timeout   time.Duration
	maxBody   int64
	called    func(status int, err error)
	propagate bool
	transport *http.Transport
}

// New returns a client. Call [Client.CloseIdleConnections] when done with it.
func New(o Options) *Client {
	c := &Client{
		policy:    o.Policy,
		roots:     o.Roots,
		resolver:  o.Resolver,
		timeout:   o.Timeout,
		maxBody:   o.MaxBody,
		called:    o.Called,
		propagate: o.Propagate,
	}
	if c.called == nil {
		c.called = func(int, error) {}
	}
	if c.roots == nil {
		c.roots = func() *x509.CertPool { return nil }
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if c.maxBody == 0 {
		c.maxBody = DefaultMaxBody
	}
	c.transport = &http.Transport{
		Proxy:                  nil, // a proxy would be dialled in the host's place, past the guard
		DialContext:            c.dial,
		DialTLSContext:         c.dialTLS,
		DisableCompression:     true, // the limit is on what was sent
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxConnsPerHost:        maxConnsPerHost,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxIdlePerHost,
		IdleConnTimeout:        idleConnTimeout,
	}
	if o.MaxConns != 0 {
		c.transport.MaxConnsPerHost, c.transport.MaxIdleConns, c.transport.MaxIdleConnsPerHost = o.MaxConns, o.MaxConns, o.MaxConns
	}
	return c
}

// Response is a whole answer.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends a request and reads the answer, whatever its status is, unless that
// is 3xx or below 200. Its error is always an [Error].
func (c *Client) Do(req *http.Request) (*Response, error) {
	resp, err := c.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body) // in memory already
	if err != nil {
		return nil, exchangeError(req.Context(), req.URL.Hostname(), resp.StatusCode, err)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// Get returns the body at a URL. A status other than 200 is [BadStatus].
func (c *Client) Get(ctx context.Context, rawURL string) ([]byte, error) {
	u, err := c.policy.CheckURL(rawURL)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, &Error{Reason: InvalidURL}
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, &Error{Reason: BadStatus, Host: showHost(normalHost(u.Hostname())), Status: resp.Status}
	}
	return resp.Body, nil
}

// Policy returns the client's policy, to judge URLs that are not called yet.
func (c *Client) Policy() Policy { return c.policy }

// HTTPClient returns the client for libraries that want the standard one. The
// *url.Error that it adds prints the URL: take the [Error] out with errors.As
// or [ReasonOf] and show that alone.
func (c *Client) HTTPClient() *http.Client {
	return &http.Client{
		Transport:     c,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// CloseIdleConnections closes the connections that carry no call.
func (c *Client) CloseIdleConnections() { c.transport.CloseIdleConnections() }

// RoundTrip implements [http.RoundTripper] within the client's limits. The body
// of the answer is in memory.
func (c *Client) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.traced(req)
	if err != nil {
		c.called(0, err)
		return nil, err
	}
	c.called(resp.StatusCode, nil)
	return resp, nil
}

func (c *Client) exchange(req *http.Request) (*http.Response, error) {
	if err := c.policy.check(req.URL); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper closes the body on every path
		}
		return nil, err
	}
	host := normalHost(req.URL.Hostname())
	ctx, cancel := context.WithTimeout(req.Context(), c.timeout)
	defer cancel()

	resp, err := c.transport.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, exchangeError(ctx, host, 0, err)
	}
	defer func() { _ = resp.Body.Close() }() // unread rest: closes the connection
	if resp.StatusCode < http.StatusOK {
		// 101 is no answer: the transport has let go of the connection, and with it of our time limit.
		return nil, &Error{Reason: ConnectionLost, Host: showHost(host), Status: resp.StatusCode}
	}
	if resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil, &Error{Reason: Redirected, Host: showHost(host), Status: resp.StatusCode}
	}
	body, err := c.readBody(resp)
	if errors.Is(err, errTooLarge) {
		return nil, &Error{Reason: TooLarge, Host: showHost(host), Status: resp.StatusCode}
	}
	if err != nil {
		return nil, exchangeError(ctx, host, resp.StatusCode, err)
	}
	answer := *resp
	answer.Request = req
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	return &answer, nil
}

var errTooLarge = errors.New("body over the limit")

func (c *Client) readBody(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > c.maxBody {
		return nil, errTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxBody+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > c.maxBody {
		return nil, errTooLarge
	}
	return body, nil
}

// dial connects to an address that the policy allows. The look-up and the choice
// among its answers stay with the dialer: the hook sees the one that is used.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &Error{Reason: InvalidURL}
	}
	host = normalHost(host)
	listed := c.policy.listed(host)
	dialer := net.Dialer{
		Timeout:   connectTimeout,
		KeepAlive: keepAliveInterval,
		Resolver:  c.resolver,
		ControlContext: func(_ context.Context, _, connected string, _ syscall.RawConn) error {
			target, err := netip.ParseAddrPort(connected)
			if err != nil || !c.policy.allows(target.Addr(), listed) {
				return &Error{Reason: AddressRefused, Host: showHost(host)}
			}
			return nil
		},
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, dialError(host, err)
	}
	return conn, nil
}

// dialTLS makes the handshake here and not in the transport, so that its
// failures can be told from those of the exchange. HTTP/1.1 alone is offered:
// one call is one connection, and the limits above hold.
func (c *Client) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address) // dial has split it before
	host = normalHost(host)
	session := tls.Client(conn, &tls.Config{
		ServerName: host,
		RootCAs:    c.roots(),
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
	})
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	if err := session.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, tlsError(host, err)
	}
	return session, nil
}

// Roots returns the system's authorities and those of a PEM bundle beside them.
// It reports false if the bundle holds no certificate.
func Roots(bundle []byte) (*x509.CertPool, bool) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // an image without a bundle: the given ones alone
	}
	ok := pool.AppendCertsFromPEM(bundle)
	return pool, ok
}
