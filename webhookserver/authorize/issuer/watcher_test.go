package issuer

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
)

// day is how long documents may be used while the issuer is down, as people are told.
const day = 24 * time.Hour

// C55: while the issuer is down the last good documents are served for a day, a
// restart takes them up, and the state says what is going on.
func TestWatcherOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp, docs := newFakeIssuer(t), &fakeStore{}
		first := start(t, idp, docs)
		synctest.Wait()
		discovered := time.Now()
		wantState(t, first, State{Phase: Discovered, FetchedAt: discovered})
		first.stop()

		idp.fail(&outbound.Error{Reason: outbound.BadStatus, Host: "sso.vision.example", Status: 503})
		time.Sleep(time.Hour) // the bubble's clock
		second := start(t, idp, docs)
		synctest.Wait()
		stale := State{Phase: Stale, Reason: StatusUnexpected, Endpoint: Discovery, HTTPStatus: 503, FetchedAt: discovered}
		wantState(t, second, stale)
		if _, err := second.VerifySignature(t.Context(), idp.Sign(t, nil)); err != nil {
			t.Errorf("stale keys: %v", err)
		}

		time.Sleep(day - time.Since(discovered) - time.Second) // the bubble's clock
		wantState(t, second, stale)
		if _, ok := second.Metadata(); !ok {
			t.Error("not served within the day")
		}
		time.Sleep(time.Second) // the bubble's clock
		expired := stale
		expired.Phase = Expired
		wantState(t, second, expired)
		if _, ok := second.Metadata(); ok {
			t.Error("served after the day")
		}
		if _, err := second.VerifySignature(t.Context(), idp.Sign(t, nil)); !errors.Is(err, KeysUnavailable) {
			t.Errorf("expired keys: got %v, want %s", err, KeysUnavailable)
		}

		idp.fail(nil)
		time.Sleep(retryLast * 13 / 10) // the bubble's clock
		if got := second.State(); got.Phase != Discovered || got.Reason != "" {
			t.Errorf("issuer back: got %+v", got)
		}
	})
}

// C55: an issuer that is down from the start is asked again without a storm, and
// found soon after it is back.
func TestWatcherNeverDiscovered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := newFakeIssuer(t)
		idp.fail(&outbound.Error{Reason: outbound.TimedOut})
		w := start(t, idp, &fakeStore{})
		synctest.Wait()
		wantState(t, w, State{Phase: Never, Reason: TimedOut, Endpoint: Discovery})
		if _, ok := w.Metadata(); ok {
			t.Error("metadata out of nothing")
		}
		time.Sleep(10 * time.Minute) // the bubble's clock
		if n := idp.calls(); n < 10 || n > 17 {
			t.Errorf("%d calls in 10 minutes, want about 13", n)
		}
		idp.fail(nil)
		w.Refresh() // what a new CA bundle does
		synctest.Wait()
		if got := w.State().Phase; got != Discovered {
			t.Errorf("after Refresh: %s", got)
		}
		before := idp.calls()
		time.Sleep(time.Hour) // the bubble's clock
		if n := (idp.calls() - before) / 2; n < 5 || n > 8 {
			t.Errorf("%d refreshes of a good issuer in an hour, want about 6", n)
		}
	})
}

// A store that is down stops nothing; what it has is taken up when it is back.
func TestWatcherStoreDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp, docs := newFakeIssuer(t), &fakeStore{}
		w := start(t, idp, docs)
		synctest.Wait()
		w.stop()

		docs.fail(link.ErrUnavailable)
		idp.fail(&outbound.Error{Reason: outbound.ConnectFailed})
		w = start(t, idp, docs)
		synctest.Wait()
		wantState(t, w, State{Phase: Never, Reason: IssuerUnreachable, Endpoint: Discovery})
		docs.fail(nil)
		time.Sleep(retryFirst * 13 / 10) // the bubble's clock
		if got := w.State().Phase; got != Stale {
			t.Errorf("store back: %s, want %s", got, Stale)
		}
		w.stop()

		docs.fail(link.ErrUnavailable)
		idp.fail(nil)
		w = start(t, idp, docs)
		synctest.Wait()
		if got := w.State().Phase; got != Discovered {
			t.Errorf("issuer up, store down: %s, want %s", got, Discovered)
		}
	})
}

// What the store has is judged as if it came from the issuer now.
func TestWatcherJudgesStoredDocuments(t *testing.T) {
	cases := []struct {
		reason string
		change func(*link.IssuerDocuments)
		want   Phase
	}{
		{"as it was", func(*link.IssuerDocuments) {}, Stale},
		{"an hour old", func(d *link.IssuerDocuments) { d.FetchedAt = d.FetchedAt.Add(-time.Hour) }, Stale},
		{"a day old", func(d *link.IssuerDocuments) { d.FetchedAt = d.FetchedAt.Add(-day) }, Expired},
		{"C86: a clock four minutes ahead", func(d *link.IssuerDocuments) { d.FetchedAt = d.FetchedAt.Add(4 * time.Minute) }, Stale},
		{"C86: a clock an hour ahead", func(d *link.IssuerDocuments) { d.FetchedAt = d.FetchedAt.Add(time.Hour) }, Expired},
		{"another issuer's", func(d *link.IssuerDocuments) {
			d.Discovery = []byte(strings.ReplaceAll(string(d.Discovery), "sso.", "evil."))
		}, Never},
		{"an endpoint that the policy refuses by now", func(d *link.IssuerDocuments) {
			d.Discovery = []byte(strings.ReplaceAll(string(d.Discovery), fakeURL+"/token", "https://127.0.0.1/token"))
		}, Never},
		{"no keys", func(d *link.IssuerDocuments) { d.JWKS = []byte(`{}`) }, Never},
		{"not JSON", func(d *link.IssuerDocuments) { d.Discovery = []byte("x") }, Never},
	}
	for _, tc := range cases {
		t.Run(tc.reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				idp, docs := newFakeIssuer(t), &fakeStore{}
				w := start(t, idp, docs)
				synctest.Wait()
				w.stop()
				tc.change(&docs.stored)
				idp.fail(&outbound.Error{Reason: outbound.TimedOut})
				w = start(t, idp, docs)
				synctest.Wait()
				if got := w.State().Phase; got != tc.want {
					t.Errorf("%s, want %s", got, tc.want)
				}
			})
		})
	}
}

// fakeURL is an issuer that exists in memory alone: time is faked too, and a fake
// clock does not wait for sockets.
const fakeURL = "https://sso.vision.example"

// fakeIssuer answers as the provider of package issuertest does.
type fakeIssuer struct {
	*issuertest.Issuer
	mu    sync.Mutex
	err   error
	asked int
	gate  chan struct{} // answers wait for it to be closed, if there is one
}

func newFakeIssuer(t *testing.T) *fakeIssuer {
	t.Helper()
	return &fakeIssuer{Issuer: issuertest.Unserved(t, fakeURL)}
}

func (f *fakeIssuer) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeIssuer) calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

// hold makes answers wait until release is called.
func (f *fakeIssuer) hold() (release func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gate := make(chan struct{})
	f.gate = gate
	return func() { close(gate) }
}

func (f *fakeIssuer) Policy() outbound.Policy { return outbound.Policy{} }

func (f *fakeIssuer) Get(ctx context.Context, raw string) ([]byte, error) {
	f.mu.Lock()
	f.asked++
	err, gate := f.err, f.gate
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, &outbound.Error{Reason: outbound.Canceled}
		}
	}
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	answer := httptest.NewRecorder()
	f.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, u.Path, nil))
	return answer.Body.Bytes(), nil
}

// fakeStore keeps one row.
type fakeStore struct {
	mu     sync.Mutex
	stored link.IssuerDocuments
	err    error
}

func (f *fakeStore) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeStore) PutIssuerDocuments(_ context.Context, d link.IssuerDocuments) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.stored = d
	}
	return f.err
}

func (f *fakeStore) IssuerDocuments(_ context.Context, channel link.ChannelID, issuer string) (link.IssuerDocuments, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return link.IssuerDocuments{}, f.err
	}
	if f.stored.Channel != channel || f.stored.Issuer != issuer || !json.Valid(f.stored.JWKS) {
		return link.IssuerDocuments{}, link.ErrNotFound
	}
	return f.stored, nil
}

// running is a watcher and the way to end it.
type running struct {
	*Watcher
	stop func()
}

func start(t *testing.T, client Client, store link.IssuerStore) running {
	t.Helper()
	w := NewWatcher(WatcherOptions{Channel: "LINE/1", IssuerURL: fakeURL, Client: client, Store: store})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	stop := func() { cancel(); <-done }
	t.Cleanup(stop)
	return running{w, stop}
}

func wantState(t *testing.T, w running, want State) {
	t.Helper()
	if diff := cmp.Diff(want, w.State()); diff != "" {
		t.Error(diff)
	}
}
