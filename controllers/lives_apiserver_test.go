//go:build apiserver

package controllers_test

import (
	"encoding/json"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/internal/names"
	"channellink.dev/operator/webhookserver/adminapi"
)

// step is what a manager process does about an AccountUnlink.
type step string

const (
	asks   step = "question to a server"
	calls  step = "call of a platform" // by a server, while the question waits for its answer
	writes step = "write of a status"
)

// death is where a process is killed: at the nth step of a kind, before it is taken, or when it is done and the process does
// not know of it yet.
type death struct {
	step step
	nth  int
	done bool
}

// life is that of one manager process. All that it asks of servers and of the API server passes through here.
type life struct {
	process            *process
	servers, apiServer *httptest.Server

	// mu has steps follow one another, so that the process dies at one of them.
	mu     sync.Mutex
	death  *death
	passed map[death]int
	dead   bool
}

// live starts a manager process that is killed there; nil: it lives on.
func (p *purge) live(end *death) *life {
	p.t.Helper()
	l := &life{process: newProcess(), death: end, passed: map[death]int{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.servers = httptest.NewServer(l.beServers(p))
	p.t.Cleanup(l.servers.Close)
	l.apiServer = httptest.NewServer(l.beAPIServer(p))
	p.t.Cleanup(l.apiServer.Close)
	p.records.mu.Lock()
	p.records.calling = func() { l.pass(calls, false) } // within a question, which holds mu
	p.records.mu.Unlock()
	l.process.start(p.t, &rest.Config{Host: l.apiServer.URL}, p.namespace, l.servers.URL)
	return l
}

// beServers answers the operator's questions as the servers of all channels.
func (l *life) beServers(p *purge) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // it has died
		}
		caller, err := p.verifier.Verify(time.Now(), adminapi.BearerToken(r.Header.Values("Authorization")), r.Method, r.URL.RequestURI(), body)
		if err != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		id, unlinking := strings.CutPrefix(r.URL.Path, adminapi.UnlinksPath)
		if !unlinking {
			_ = json.NewEncoder(w).Encode(p.status(caller.Audience())) // a caller that has gone has no use for it
			return
		}
		var asked adminapi.Unlink
		if err := json.Unmarshal(body, &asked); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		var result adminapi.UnlinkResult
		l.take(asks, func() {
			result, err = p.records.Unlink(r.Context(), adminapi.Target{Audience: caller.Audience()}, nil, id, asked)
		})
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(result)
	}
}

// beAPIServer passes requests on to the API server, as the operator's own.
func (l *life) beAPIServer(p *purge) http.HandlerFunc {
	p.t.Helper()
	transport, err := rest.TransportFor(p.config)
	if err != nil {
		p.t.Fatal(err)
	}
	target, err := url.Parse(p.config.Host)
	if err != nil {
		p.t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ErrorLog: log.New(io.Discard, "", 0), // of requests whose process has died
	}
	ours := "/namespaces/" + p.tenant + "/accountunlinks/"
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPatch || !strings.Contains(r.URL.Path, ours) {
			proxy.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		l.take(writes, func() { proxy.ServeHTTP(answer, r) })
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = answer.Body.WriteTo(w)
	}
}

// take takes a step of the process, unless that has died by then. It does not return to a dead one.
func (l *life) take(s step, take func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pass(s, false)
	l.abortIfDead()
	take()
	l.pass(s, true)
	l.abortIfDead()
}

func (l *life) abortIfDead() {
	if l.dead {
		panic(http.ErrAbortHandler)
	}
}

// pass has the process die if this is where it must.
func (l *life) pass(s step, done bool) {
	if l.dead {
		return
	}
	here := death{step: s, done: done}
	l.passed[here]++
	here.nth = l.passed[here]
	if l.death != nil && *l.death == here {
		l.dead = true
		l.process.kill()
	}
}

// awaitDeath waits until the process has been killed where it must.
func (l *life) awaitDeath(t *testing.T) {
	t.Helper()
	select {
	case <-l.process.ended:
	case <-time.After(2 * patience):
		t.Fatalf("the process was not killed at %+v", *l.death)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.dead {
		t.Fatalf("the process ended by itself before %+v:\n%s", *l.death, l.process.errors.String())
	}
}

// end clears up after a process, which is killed if it still lives. Its lease goes as well: for a dead holder that is fifteen
// seconds of nobody leading.
func (l *life) end(p *purge) {
	p.t.Helper()
	l.process.kill()
	l.servers.Close()
	l.apiServer.Close()
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: names.LeaderLease}}
	if err := env.Client.Delete(p.t.Context(), lease); client.IgnoreNotFound(err) != nil {
		p.t.Fatal(err)
	}
}
