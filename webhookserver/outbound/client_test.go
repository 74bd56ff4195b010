package outbound

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"channellink.dev/operator/webhookserver/outbound/outboundtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const canary = "CANARY-8f3a"

// serve starts an HTTP server and returns its URL under the name localhost, and
// a client that may call it.
func serve(t *testing.T, handler http.HandlerFunc) (string, *Client) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	return "http://localhost:" + port, newLocal(t, Options{})
}

func newLocal(t *testing.T, o Options) *Client {
	t.Helper()
	o.Policy = Policy{AllowLocal: true, AllowHTTPLocalhost: true}
	client := New(o)
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestGet(t *testing.T) {
	base, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Error("asked for compression: the limit would be on the wrong bytes")
		}
		_, _ = io.WriteString(w, r.URL.Path)
	})
	body, err := client.Get(t.Context(), base+"/path")
	if err != nil || string(body) != "/path" {
		t.Fatalf("Get = %q, %v", body, err)
	}
}

// C51: no redirect is followed.
func TestRedirect(t *testing.T) {
	for _, status := range []int{300, 301, 302, 303, 304, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			base, client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					t.Errorf("followed to %s", r.URL.Path)
				}
				w.Header().Set("Location", "/inner?"+canary)
				w.WriteHeader(status)
			})
			_, err := client.Get(t.Context(), base+"/")
			want := &Error{Reason: Redirected, Host: "localhost", Status: status}
			if diff := cmp.Diff(want, err); diff != "" {
				t.Error(diff)
			}
			if _, err := client.HTTPClient().Get(base + "/"); !errors.Is(err, Redirected) {
				t.Errorf("standard client: got %v, want %s", err, Redirected)
			}
		})
	}
}

// C54: at most 1 MiB is read of an endless answer, a lying or an honest length,
// and memory stays flat.
func TestBodyLimit(t *testing.T) {
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	endless := func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	cases := []struct {
		reason  string
		handler http.HandlerFunc
		want    Reason
	}{
		{"endless, chunked", endless, TooLarge},
		{"a length over the limit", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "67108864")
			endless(w, r)
		}, TooLarge},
		{"one byte over", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, DefaultMaxBody+1))
		}, TooLarge},
		{"just fits", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, DefaultMaxBody))
		}, ""},
		{"shorter than its length says", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, canary)
		}, ConnectionLost},
		{"endless headers", func(w http.ResponseWriter, _ *http.Request) {
			for i := range 200 {
				w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat(canary, 100))
			}
		}, ConnectionLost},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			base, client := serve(t, tc.handler)
			before := allocated()
			_, err := client.Get(t.Context(), base)
			if got := ReasonOf(err); got != tc.want {
				t.Errorf("got %v, want reason %q", err, tc.want)
			}
			// Growing a buffer to 1 MiB allocates about five times that; the
			// 64 MiB and the endless answer would be far beyond.
			if grown := allocated() - before; grown > 16<<20 {
				t.Errorf("allocated %d bytes for one answer", grown)
			}
		})
	}
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// C53: nothing that an upstream writes, and no part of the URL but the host,
// comes out of an error, however it is printed.
func TestErrorsHoldNoUpstreamText(t *testing.T) {
	cases := []struct {
		reason  string
		handler http.HandlerFunc
	}{
		{"status and body", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, canary, http.StatusBadGateway) }},
		{"redirect target", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://"+canary+".example/", http.StatusFound)
		}},
		{"not HTTP at all", func(w http.ResponseWriter, _ *http.Request) { hijack(w, canary+"\r\n\r\n") }},
		{"a broken status line", func(w http.ResponseWriter, _ *http.Request) { hijack(w, "HTTP/1.1 "+canary+"\r\n\r\n") }},
		{"a broken header", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\n"+canary+"\r\n\r\n")
		}},
		{"a broken length", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nContent-Length: "+canary+"\r\n\r\n")
		}},
		{"a broken chunk", func(w http.ResponseWriter, _ *http.Request) {
			hijack(w, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+canary+"\r\n")
		}},
		{"too large", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat(canary, DefaultMaxBody/len(canary)+1))
		}},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			base, client := serve(t, tc.handler)
			_, err := client.Get(t.Context(), base+"/"+canary+"?token="+canary)
			if err == nil {
				t.Fatal("no error")
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, canary) {
					t.Errorf("error holds the canary: %s", text)
				}
			}
		})
	}
	hosts := []string{"https://" + canary + `"><script>.example/`, "https://[fe80::1%25" + canary + "]/", "https://" + strings.Repeat(canary, 50) + "/", "%" + canary}
	for _, raw := range hosts {
		if _, err := (Policy{}).CheckURL(raw); err == nil || strings.Contains(err.Error(), canary) {
			t.Errorf("CheckURL(%.40s…) = %v, want an error without the host", raw, err)
		}
	}
}

// hijack answers with raw bytes.
func hijack(w http.ResponseWriter, raw string) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(conn, raw)
	_ = conn.Close()
}

func TestTimeouts(t *testing.T) {
	release := make(chan struct{})
	base, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/body" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		<-release
	})
	t.Cleanup(func() { close(release) })
	client := newLocal(t, Options{Timeout: 50 * time.Millisecond})

	for _, path := range []string{"/header", "/body"} {
		_, err := client.Get(t.Context(), base+path)
		if !errors.Is(err, TimedOut) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got %v, want %s", path, err, TimedOut)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.Get(ctx, base); !errors.Is(err, Canceled) || !errors.Is(err, context.Canceled) {
		t.Errorf("caller gave up: got %v, want %s", err, Canceled)
	}
}

// C54, C55: an upstream that changes the protocol unasked gets its connection closed at once. Nothing of ours would ever close
// it again, and it would not count among the connections to the host: so there are more calls here than those.
func TestSwitchedProtocol(t *testing.T) {
	switcher := outboundtest.NewSwitcher(t)
	client := newLocal(t, Options{})
	for range maxConnsPerHost + 1 {
		ended := make(chan error, 1)
		go func() {
			_, err := client.Get(t.Context(), switcher.URL)
			ended <- err
		}()
		select {
		case err := <-ended:
			want := &Error{Reason: ConnectionLost, Host: "localhost", Status: http.StatusSwitchingProtocols}
			if diff := cmp.Diff(error(want), err); diff != "" {
				t.Fatal(diff)
			}
		case <-time.After(2 * DefaultTimeout):
			t.Fatal("the call goes on after twice its time")
		}
		select {
		case <-switcher.Left:
		case <-time.After(2 * DefaultTimeout):
			t.Fatal("the connection is left open")
		}
	}
}

func TestConnectFailed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close() // nobody answers there now
	_, err = newLocal(t, Options{}).Get(t.Context(), "http://localhost:"+port)
	if diff := cmp.Diff(error(&Error{Reason: ConnectFailed, Host: "localhost"}), err); diff != "" {
		t.Error(diff)
	}
}

func TestTLS(t *testing.T) {
	quiet := log.New(io.Discard, "", 0) // refused handshakes are the point here
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = quiet
	server.StartTLS()
	t.Cleanup(server.Close)
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = quiet
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} // the refused case
	old.StartTLS()
	t.Cleanup(old.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)

	trusted := func() *x509.CertPool { return rootsOf(server) }
	cases := []struct {
		reason string
		server *httptest.Server
		host   string
		roots  func() *x509.CertPool
		want   *Error
	}{
		{"an authority of its own", server, "example.com", trusted, &Error{Reason: BadStatus, Host: "example.com", Status: 404}},
		{"not trusted", server, "example.com", x509.NewCertPool, &Error{Reason: TLSFailed, Host: "example.com", Detail: UnknownAuthority}},
		{"the system's authorities", server, "example.com", nil, &Error{Reason: TLSFailed, Host: "example.com", Detail: UnknownAuthority}},
		{"another host", server, "sso.vision.example", trusted, &Error{Reason: TLSFailed, Host: "sso.vision.example", Detail: HostMismatch}},
		{"older than TLS 1.2", old, "example.com", trusted, &Error{Reason: TLSFailed, Host: "example.com", Detail: HandshakeRefused}},
		{"plain http on the port", plain, "example.com", trusted, &Error{Reason: TLSFailed, Host: "example.com", Detail: HandshakeRefused}},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			names := outboundtest.Hosts(map[string]string{tc.host: "127.0.0.1"})
			client := newLocal(t, Options{Resolver: names, Roots: tc.roots})
			u, _ := url.Parse(tc.server.URL)
			_, err := client.Get(t.Context(), "https://"+tc.host+":"+u.Port())
			if diff := cmp.Diff(error(tc.want), err); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A proxy of the environment would be dialled in the host's place.
func TestNoProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the call went to the proxy")
	}))
	t.Cleanup(proxy.Close)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	names := outboundtest.Hosts(map[string]string{"app.localhost": "127.0.0.1"})
	base, _ := serve(t, func(http.ResponseWriter, *http.Request) {})
	client := newLocal(t, Options{Resolver: names})
	if _, err := client.Get(t.Context(), strings.Replace(base, "localhost", "app.localhost", 1)); err != nil {
		t.Fatal(err)
	}
}

// The request body of a refused call is closed, as every RoundTripper must.
func TestRefusedCallClosesBody(t *testing.T) {
	body := &closer{}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sso.vision.example/", body)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{}).Do(req); !errors.Is(err, SchemeRefused) {
		t.Fatalf("got %v, want %s", err, SchemeRefused)
	}
	if !body.closed {
		t.Error("body left open")
	}
}

type closer struct{ closed bool }

func (c *closer) Read([]byte) (int, error) { return 0, io.EOF }
func (c *closer) Close() error             { c.closed = true; return nil }

func TestGateLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates := NewGates(GateOptions{Limit: func(Key) Limit { return Limit{PerSecond: 10, Burst: 2} }})
		key := Key{Channel: "a", Upstream: "api.example"}
		start := time.Now()
		for range 12 {
			if err := gates.Do(t.Context(), key, succeed); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(start); got != time.Second {
			t.Errorf("12 calls took %s, want 1s: two at once, then ten a second", got)
		}
		if err := gates.Do(t.Context(), Key{Channel: "b", Upstream: "api.example"}, succeed); err != nil || time.Since(start) != time.Second {
			t.Errorf("another channel waited: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := gates.Do(ctx, key, succeed); !errors.Is(err, RateLimited) {
			t.Errorf("no token in time: got %v, want %s", err, RateLimited)
		}
	})
}

func TestGateBreaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gates := NewGates(GateOptions{TripAfter: 3, OpenFor: 10 * time.Second})
		key := Key{Channel: "a", Upstream: "api.example"}
		run := func(err error) error {
			return gates.Do(t.Context(), key, func(context.Context) error { return err })
		}
		sick := &Error{Reason: BadStatus, Status: 503}
		refusal := &Error{Reason: BadStatus, Status: 401}
		for _, err := range []error{sick, sick, refusal, sick, sick, &Error{Reason: Canceled}, sick} {
			if got := run(err); !errors.Is(got, err) {
				t.Fatalf("got %v, want the call's own error %v", got, err)
			}
		}
		if err := run(nil); !errors.Is(err, CircuitOpen) {
			t.Fatalf("after three failures in a row: got %v, want %s", err, CircuitOpen)
		}
		time.Sleep(10*time.Second + time.Nanosecond) // the bubble's clock
		if err := run(nil); err != nil {
			t.Fatalf("after the pause: %v", err)
		}
	})
}

func TestGatesAreBounded(t *testing.T) {
	gates := NewGates(GateOptions{MaxKeys: 3})
	for i := range 100 {
		if err := gates.Do(t.Context(), Key{Channel: fmt.Sprint(i)}, succeed); err != nil {
			t.Fatal(err)
		}
	}
	if len(gates.byKey) != 3 || gates.recent.Len() != 3 {
		t.Errorf("%d gates kept, want 3", len(gates.byKey))
	}
	if _, ok := gates.byKey[Key{Channel: "99"}]; !ok {
		t.Error("the newest gate is forgotten")
	}
}

func succeed(context.Context) error { return nil }
