// Package machine is what tests of the real programs share on this machine: the server, built as the image has it, and the names
// below localhost.
package machine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
)

var webhookserver = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "webhookserver")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "webhookserver")
	build := exec.Command("go", "build", "-trimpath", "-o", path, "channellink.dev/operator/cmd/webhookserver") //nolint:gosec // a path of our own making
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// Webhookserver is the path of the server's program, which the first call builds. RemoveWebhookserver takes it away.
func Webhookserver() (string, error) { return webhookserver() }

// RemoveWebhookserver takes away what Webhookserver has built; it is for TestMain.
func RemoveWebhookserver() {
	if path, err := webhookserver(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
}

// Port is the TCP port that is listened on.
func Port(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

// Loopback dials every name at 127.0.0.1, as RFC 6761 (section 6.3) wants it of names below localhost.
func Loopback() *http.Transport {
	var dialer net.Dialer
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return dialer.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
}

// Whole hands requests on with a body that has been read. A [httputil.ReverseProxy] that answers while its transport looks for
// the end of the body closes it, and with it the connection that the rest of the answer should come from (go.dev/issue/40747).
func Whole(proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	})
}
