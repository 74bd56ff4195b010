//go:build apiserver

package plugin_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"channellink.dev/operator/internal/plugin"
	"channellink.dev/operator/internal/testenv"
)

var update = flag.Bool("update", false, "write the golden files anew")

var env *testenv.Environment

func TestMain(m *testing.M) {
	flag.Parse()
	log.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m, &env))
}

// canary is in every value of a Secret; nothing that is printed may hold it.
const canary = "CANARY"

// desk is where somebody sits with the plugin: a namespace of a cluster, and an internet.
type desk struct {
	namespace, kubeconfig string
	hosts                 *hosts
	kubectl               func(ctx context.Context, args []string, in io.Reader, out, err io.Writer) error
	in                    string
}

// newDesk makes a namespace with the objects of some files.
func newDesk(t *testing.T, files ...string) *desk {
	t.Helper()
	d := &desk{namespace: env.Namespace(t), kubeconfig: env.Kubeconfig(t, env.Config), hosts: newHosts(t)}
	for _, file := range files {
		d.create(t, filepath.Join("testdata", file+".yaml"))
	}
	return d
}

// create makes the objects of a file, status included.
func (d *desk) create(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var object unstructured.Unstructured
		if err := decoder.Decode(&object); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		object.SetNamespace(d.namespace)
		status, told, err := unstructured.NestedMap(object.Object, "status")
		if err == nil {
			err = env.Client.Create(t.Context(), &object)
		}
		if err == nil && told {
			conditions, _, _ := unstructured.NestedSlice(status, "conditions")
			for _, c := range conditions {
				c.(map[string]any)["lastTransitionTime"] = "2026-01-31T09:30:00Z"
			}
			if len(conditions) > 0 {
				status["conditions"] = conditions
			}
			object.Object["status"] = status
			err = env.Client.Status().Update(t.Context(), &object)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
}

// said is what a command has printed: what stands in a terminal.
type said struct {
	out     string
	all     string // with what goes to the standard error, in the order in which it came
	failure error
}

// run runs the plugin with a command line. Its output says hr for the namespace, whose name the test got by chance.
func (d *desk) run(t *testing.T, line string) said {
	t.Helper()
	var out, all bytes.Buffer
	args := append(strings.Fields(line), "--namespace="+d.namespace, "--kubeconfig="+d.kubeconfig)
	err := plugin.Run(t.Context(), args, plugin.Env{
		In: strings.NewReader(d.in), Out: io.MultiWriter(&out, &all), Err: &all, Now: func() time.Time { return d.hosts.now() },
		HTTP: d.hosts.client(), Kubectl: d.kubectl, Every: 10 * time.Millisecond,
	})
	if text := all.String(); strings.Contains(text, canary) {
		t.Errorf("%s prints a secret:\n%s", line, text) // C65
	}
	anonymous := strings.NewReplacer(d.namespace, "hr")
	return said{anonymous.Replace(out.String()), anonymous.Replace(all.String()), err}
}

// What differs from run to run: the end of a generated name, and hashes with a key made by chance.
var (
	generated = regexp.MustCompile(`vision-hr-[a-z0-9]{5}\b`)
	hashed    = regexp.MustCompile(`\b[0-9a-f]{12}\b`)
)

// golden compares a command and its output with a file, as it stands on the page.
func (d *desk) golden(t *testing.T, file, line string, want error) {
	t.Helper()
	got := d.run(t, line)
	if !errors.Is(got.failure, want) {
		t.Errorf("%s: %v, want %v", line, got.failure, want)
	}
	text := generated.ReplaceAllString("$ kubectl channellink "+line+"\n"+got.all, "vision-hr-x7k2p")
	text = hashed.ReplaceAllString(text, "9d0c51b2e07a")
	path := filepath.Join("testdata", file+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(stored), text); diff != "" {
		t.Errorf("%s; -update writes it anew (-stored +printed):\n%s", path, diff)
	}
}

// hosts are the internet as far as a test has one: names and what serves them by TLS.
type hosts struct {
	mu      sync.Mutex
	server  *httptest.Server
	serving map[string]http.HandlerFunc
	plain   string // address that is reached as it is
	later   time.Duration
}

func newHosts(t *testing.T) *hosts {
	h := &hosts{serving: map[string]http.HandlerFunc{}}
	h.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		handler := h.serving[r.Host]
		h.mu.Unlock()
		if handler == nil {
			http.NotFound(w, r)
			return
		}
		handler(w, r)
	}))
	t.Cleanup(h.server.Close)
	return h
}

// direct lets an address of this machine be reached as it is.
func (h *hosts) direct(address string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.plain = address
}

func (h *hosts) serve(host string, handler http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.serving[host] = handler
}

// now is long before the end of the test server's certificate, or as much later as a test wants.
func (h *hosts) now() time.Time {
	return h.server.Certificate().NotAfter.Add(-60 * 24 * time.Hour).Add(h.later)
}

// client finds the hosts that are served, and no others.
func (h *hosts) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(h.server.Certificate())
	transport := h.server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.RootCAs = roots
	transport.TLSClientConfig.ServerName = "example.com" // which the test server's certificate is for, whatever a host is called here
	transport.DisableKeepAlives = true
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		h.mu.Lock()
		defer h.mu.Unlock()
		if address == h.plain {
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		if h.serving[host] == nil {
			return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
		}
		return new(net.Dialer).DialContext(ctx, network, h.server.Listener.Addr().String())
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// object reads one of the desk's objects.
func (d *desk) object(t *testing.T, name string, into client.Object) {
	t.Helper()
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: d.namespace, Name: name}, into); err != nil {
		t.Fatal(err)
	}
}
