//go:build browser

package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/test/machine"
	"channellink.dev/operator/webhookserver/authorize/dextest"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
)

// The hosts are sites of their own to a browser, as they are in the world; it finds every name below localhost on loopback.
const (
	linkHost = "link.localhost"
	chatHost = "chat.localhost"
)

// world is everything around a browser: the company's provider, the chat platforms, and the servers behind one address.
type world struct {
	provider *dextest.Provider // nil where the company has another one
	issuer   string            // the provider's URL
	chat     string            // the simulator, as the server reaches it
	link     string            // origin of the servers
	servers  []*server
	store    link.LinkStore
	settings string // directory
	routes   []route
	adjust   func(route, *config.Channel) // nil: the settings as they are
	clock    *clock                       // the servers' own; nil: the machine's

	mu       sync.Mutex
	answers  []answered
	backends atomic.Int64
}

// answered is an answer of a server, as it went through the proxy.
type answered struct {
	method, path string
	status       int
	header       http.Header
}

// newWorld starts everything. It ends with the test.
func newWorld(t *testing.T, kind storeKind, changes ...func(*world)) *world {
	t.Helper()
	w := &world{routes: routes}
	for _, change := range changes {
		change(w)
	}

	front := httptest.NewUnstartedServer(nil)
	linkPort := machine.Port(front.Listener)
	w.link = "http://" + linkHost + ":" + linkPort
	if w.issuer == "" {
		var callbacks []string
		for _, r := range w.routes {
			callbacks = append(callbacks, r.publicURL(w)+"/callback")
		}
		w.provider = dextest.Start(t, callbacks...)
		w.issuer = w.provider.URL
	}

	simulator := httptest.NewUnstartedServer(nil)
	chatPort := machine.Port(simulator.Listener)
	w.chat = "http://localhost:" + chatPort
	playing, err := chatsim.New(chatsim.Config{
		URL: "http://" + chatHost + ":" + chatPort, APIURL: w.chat, RecordBodies: true, Channels: chatChannels(w),
	}, chatsim.Options{Now: time.Now, Transport: machine.Loopback()})
	if err != nil {
		t.Fatal(err)
	}
	simulator.Config.Handler = playing
	simulator.Start()
	t.Cleanup(simulator.Close)

	w.startServers(t, kind)
	front.Config.Handler = w.proxy()
	front.Start()
	t.Cleanup(front.Close)
	return w
}

// proxy gives each request to the next server in turn, so that no two requests of a login meet the same one of two.
func (w *world) proxy() http.Handler {
	return machine.Whole(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			next := w.servers[int(w.backends.Add(1))%len(w.servers)]
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", next.public, r.In.Host
		},
		ModifyResponse: func(r *http.Response) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.answers = append(w.answers, answered{r.Request.Method, r.Request.URL.Path, r.StatusCode, r.Header.Clone()})
			return nil
		},
	})
}

// answeredSince returns the servers' answers from the n-th on.
func (w *world) answeredSince(n int) []answered {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]answered(nil), w.answers[n:]...)
}

// control calls the simulator's control API.
func (w *world) control(t *testing.T, method, path string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), method, w.chat+"/sim/"+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	said, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode > 299 {
		t.Fatalf("simulator: %s %s: %d %s %v", method, path, resp.StatusCode, said, err)
	}
	if out != nil {
		if err := json.Unmarshal(said, out); err != nil {
			t.Fatalf("simulator: %s %s: %v", method, path, err)
		}
	}
}

// newUser lets somebody new into a channel's chat.
func (w *world) newUser(t *testing.T, r route, name string) chatsim.User {
	t.Helper()
	var u chatsim.UserState
	w.control(t, http.MethodPost, "channels/"+r.name+"/users", chatsim.User{Name: name}, &u)
	return u.User
}

// tap is a tap on Log in by the user.
func (w *world) tap(t *testing.T, r route, user chatsim.User) chatsim.Login {
	t.Helper()
	var l chatsim.Login
	w.control(t, http.MethodPost, "channels/"+r.name+"/users/"+user.ID+"/login", nil, &l)
	return l
}

// host is the host of a URL, without the port.
func host(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Hostname()
}

// issuerOrigin tells the provider's pages from others.
func (w *world) atIssuer(address string) bool { return strings.HasPrefix(address, w.issuer) }
