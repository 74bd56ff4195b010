// Package dextest starts dex, a real OpenID provider, on loopback and plays the person who signs in there.
package dextest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The person who can sign in, and the client that he signs in for. They exist in tests alone.
const (
	User         = "j.dupont@vision.example"
	Name         = "j.dupont"
	Password     = "password"
	ClientID     = "chatbot"
	ClientSecret = "chatbot-secret"
)

// passwordHash is bcrypt of Password.
const passwordHash = "$2a$10$TaAi.ATLo8NBlXIUzYBDIe9bK5Rs.GhO29OgMfJ6kmHWumib5ln.e"

// Dex takes about two seconds to start on a free machine.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
	callTimeout  = 10 * time.Second
)

// Provider is a running dex.
type Provider struct {
	// URL is the issuer URL: http on localhost, which a policy must allow.
	URL string
}

// Start starts dex for a client that may be sent back to these addresses. It ends with the test. The program is the one that
// the variable DEX names, else .cluster/bin/dex; without it the test fails and says how to build it.
func Start(tb testing.TB, redirectURIs ...string) *Provider {
	tb.Helper()
	program := find(tb)
	listener, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	_ = listener.Close() // dex takes it next
	p := &Provider{URL: "http://localhost:" + strconv.Itoa(port)}

	settings := filepath.Join(tb.TempDir(), "dex.yaml")
	if err := os.WriteFile(settings, []byte(p.settings(port, redirectURIs)), 0o600); err != nil {
		tb.Fatal(err)
	}
	output, err := os.Create(filepath.Join(tb.TempDir(), "dex.log"))
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = output.Close() }()
	dex := exec.CommandContext(context.WithoutCancel(tb.Context()), program, "serve", settings)
	dex.Stdout, dex.Stderr = output, output
	if err := dex.Start(); err != nil {
		tb.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- dex.Wait() }()
	tb.Cleanup(func() {
		_ = dex.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(stopTimeout):
			_ = dex.Process.Kill() // Wait returns then, and the goroutine ends
		}
	})
	p.await(tb, ended, output.Name())
	return p
}

// find returns the path of the program.
func find(tb testing.TB) string {
	tb.Helper()
	if program := os.Getenv("DEX"); program != "" {
		return program
	}
	dir, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			tb.Fatal("no go.mod in the working directory or above it")
		}
		dir = parent
	}
	program := filepath.Join(dir, ".cluster", "bin", "dex")
	if info, err := os.Stat(program); err != nil || info.Mode()&0o111 == 0 {
		tb.Fatalf("no program %s: build it with `CGO_ENABLED=0 go -C hack/dex build -o %s github.com/dexidp/dex/cmd/dex`, "+
			"or let DEX name one", program, program)
	}
	return program
}

func (p *Provider) settings(port int, redirectURIs []string) string {
	return fmt.Sprintf(`issuer: %s
storage: {type: memory}
web: {http: "127.0.0.1:%d"}
oauth2: {skipApprovalScreen: true}
enablePasswordDB: true
staticPasswords:
- {email: %q, username: %q, userID: 08a8684b-db88-4b73-90a9-3cd1661f5466, hash: %q}
staticClients:
- {id: %q, secret: %q, name: Company chatbot, redirectURIs: [%s]}
`, p.URL, port, User, Name, passwordHash, ClientID, ClientSecret, strings.Join(redirectURIs, ", "))
}

// await returns when dex answers.
func (p *Provider) await(tb testing.TB, ended <-chan error, logFile string) {
	tb.Helper()
	failed := func(why string) {
		text, _ := os.ReadFile(logFile)
		tb.Fatalf("dex %s:\n%s", why, text)
	}
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	deadline := time.After(startTimeout)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			failed(fmt.Sprintf("ended: %v", err))
		case <-deadline:
			failed(fmt.Sprintf("did not answer within %s", startTimeout))
		case <-tick.C:
			req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, p.URL+"/.well-known/openid-configuration", nil)
			if err != nil {
				tb.Fatal(err)
			}
			if resp, err := client.Do(req); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusOK {
					return
				}
			}
		}
	}
}

// SignIn follows an authorization URL, types name and password, and returns where dex sends the browser with its code.
func (p *Provider) SignIn(tb testing.TB, location string) *url.URL {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	client := &http.Client{
		Jar: jar, Timeout: callTimeout, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(next *http.Request, _ []*http.Request) error {
			if !strings.HasPrefix(next.URL.String(), p.URL) {
				return http.ErrUseLastResponse // back at the client
			}
			return nil
		},
	}
	form, _ := p.do(tb, client, http.MethodGet, location, nil)
	at, back := p.do(tb, client, http.MethodPost, form.String(), url.Values{"login": {User}, "password": {Password}})
	if back == nil {
		tb.Fatalf("dex did not send the browser back from %s", at)
	}
	return back
}

// do returns where the browser ends up, and where it is sent to from there, if anywhere.
func (p *Provider) do(tb testing.TB, client *http.Client, method, location string, fields url.Values) (at, next *url.URL) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, location, strings.NewReader(fields.Encode()))
	if err != nil {
		tb.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	next, err = resp.Location()
	if err != nil && !errors.Is(err, http.ErrNoLocation) {
		tb.Fatal(err)
	}
	return resp.Request.URL, next
}
