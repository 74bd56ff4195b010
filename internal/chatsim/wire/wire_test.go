package wire

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReporter(t *testing.T) {
	told := make(chan Entry, 2)
	simulator := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var e Entry
		if r.URL.Path != "/sim/requests" || json.NewDecoder(r.Body).Decode(&e) != nil {
			t.Errorf("told at %s", r.URL.Path)
		}
		told <- e
	}))
	defer simulator.Close()
	reporter := New("samplehr", simulator.URL)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go reporter.Run(ctx)

	backend := httptest.NewServer(reporter.Took("server", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		About(r.Context(), "hr")
		w.WriteHeader(http.StatusUnauthorized)
	})))
	defer backend.Close()
	client := &http.Client{Transport: reporter.Asks("server", "hr", http.DefaultTransport)}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, backend.URL+"/leave?secret=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer header.claims.signature")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()

	took := Entry{"server", "samplehr", "hr", "POST", "/leave", "Authorization", "wrong", 401}
	asked := took
	asked.From, asked.To = "samplehr", "server"
	for range 2 {
		e := <-told
		want := took
		if e.From == "samplehr" {
			want = asked
		}
		if diff := cmp.Diff(want, e); diff != "" {
			t.Error(diff)
		}
	}
}

func TestNobodyIsTold(t *testing.T) {
	reporter := New("samplehr", "")
	reporter.Run(t.Context())
	if reporter.Asks("x", "", http.DefaultTransport) != http.DefaultTransport {
		t.Error("without a simulator nothing is in the way")
	}
}
