//go:build cluster

package main

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestLiveCluster asks a running cluster for everything that the project's own
// tests and demo take for granted. It needs `up` before it and changes only the
// namespace probe, which it deletes:
//
//	go test -count=1 -tags cluster -run Live .
func TestLiveCluster(t *testing.T) {
	c, err := newCluster(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	l := &live{T: t, cluster: c}
	l.start()
	l.volume("first", "/data/secret")

	pod := []struct{ reason, url, want string }{
		{"A pod reaches the API server through its Service, with the certificate checked.", "https://kubernetes.default.svc/version", "200 {"},
		{"A short name finds a Service, and a pod reaches itself through it.", "http://probe/service", "/service"},
		{"A *.localhost name leads to the ingress in a pod too.", l.url("probe-ingress", "/pod"), "/pod"},
	}
	for _, tc := range pod {
		t.Run(tc.reason, func(t *testing.T) { l.eventually(t, tc.want, func() (string, error) { return l.probe("get", tc.url) }) })
	}
	machine := []struct{ reason, url, want string }{
		{"An Ingress answers on the machine.", l.url("probe-ingress", "/ingress"), "/ingress"},
		{"An HTTPRoute with a path prefix answers.", l.url("probe-route", "/deep/route"), "/deep/route"},
		{"An Ingress answers over TLS.", "https://probe-ingress.localhost:" + strconv.Itoa(c.tlsPort) + "/tls", "/tls"},
	}
	for _, tc := range machine {
		t.Run(tc.reason, func(t *testing.T) { l.eventually(t, tc.want, func() (string, error) { return get(tc.url) }) })
	}
	if logs := l.kubectl("logs", "deployment/probe"); !strings.Contains(logs, "serving on 9090") {
		t.Errorf("kubectl logs = %q", logs)
	}

	// The same claim again must not show the data of its predecessor.
	l.kubectl("delete", "deployment/probe", "persistentvolumeclaim/data", "--timeout=60s")
	l.apply()
	l.volume("second", "/data/other")
	// A folder called like the file would be a path below a file, were it there.
	if out, err := l.probe("write", "/data/secret/x", ""); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("the first claim's file is in the second one's volume: %q, %v", out, err)
	}
}

// live is the running cluster, asked in the namespace probe.
type live struct {
	*testing.T
	cluster *cluster
}

const liveTimeout = time.Minute

func (l *live) start() {
	l.Helper()
	images := l.TempDir()
	tool := l.cluster.bin("image")
	if err := l.cluster.runTool(l.Context(), l.cluster.root, tool, "--root", l.cluster.root, "--out", images, "probe"); err != nil {
		l.Fatal(err)
	}
	if err := l.cluster.load(l.Context(), []string{filepath.Join(images, "probe.tar")}); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		// The test's own context has ended by now.
		if _, err := l.cluster.kubectl(context.Background(), nil, "delete", "namespace", "probe", "--timeout=60s"); err != nil {
			l.Error(err)
		}
	})
	l.apply()
}

func (l *live) apply() {
	l.Helper()
	if err := l.cluster.applyFiles(l.Context(), []string{"testdata/probe.yaml"}); err != nil {
		l.Fatal(err)
	}
	l.kubectl("rollout", "status", "deployment/probe", "--timeout=60s")
}

// volume writes to the claim as user 65532, which takes a volume that honours
// fsGroup.
func (l *live) volume(text, file string) {
	l.Helper()
	out, err := l.probe("write", file, text)
	if err != nil || !strings.HasPrefix(out, text+" owner 65532:65532") {
		l.Errorf("write to the volume: %q, %v", out, err)
	}
}

func (l *live) kubectl(args ...string) string {
	l.Helper()
	out, err := l.cluster.kubectl(l.Context(), nil, append([]string{"--namespace", "probe"}, args...)...)
	if err != nil {
		l.Fatal(err)
	}
	return out
}

func (l *live) probe(args ...string) (string, error) {
	return l.cluster.kubectl(l.Context(), nil, append([]string{"--namespace", "probe", "exec", "deployment/probe", "--", "/probe"}, args...)...)
}

func (l *live) url(host, path string) string {
	return "http://" + host + ".localhost:" + strconv.Itoa(l.cluster.port) + path
}

// eventually repeats the question, because the ingress learns of a new route a
// moment after the API server.
func (l *live) eventually(t *testing.T, want string, ask func() (string, error)) {
	t.Helper()
	var got string
	var err error
	if !until(liveTimeout, func() bool { got, err = ask(); return strings.Contains(got, want) }) {
		t.Errorf("got %q (%v), want %q in it", got, err, want)
	}
}

// get asks as a browser on this machine would: whatever ends in .localhost is
// loopback (RFC 6761), which Go's own resolver does not know.
func get(url string) (string, error) {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // Traefik's own certificate is self-signed
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: liveTimeout}
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
