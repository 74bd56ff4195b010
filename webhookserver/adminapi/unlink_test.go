package adminapi_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/adminapi"
)

const unlinkID = "6f8b0c1e-2d3a-4b5c-9d7e-8f9a0b1c2d3e"

// unlink lets a client ask a server that answers with handler for an unlinking.
func unlink(t *testing.T, handler http.HandlerFunc, u adminapi.Unlink) (adminapi.UnlinkResult, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client := adminapi.NewClient(func() time.Time { return noon })
	return client.Unlink(t.Context(), adminapi.Target{BaseURL: server.URL, Audience: visionUID}, newSigner(t), unlinkID, u)
}

func TestUnlinkIsBelievedAsFarAsItIsKnown(t *testing.T) {
	for name, tc := range map[string]struct {
		reason string
		epoch  string
		body   string
		want   adminapi.UnlinkResult
	}{
		"all is well": {
			reason: "what a server of this release says arrives whole",
			epoch:  "2026-01-31T11:00:00Z",
			body: `{"startedAt":"2026-01-31T10:00:00Z","epoch":"2026-01-31T11:00:00Z","attempts":2,"cause":"RateLimited","more":true,
				"retryAfterSeconds":30,"counts":{"waiting":1,"unlinked":2,"notLinked":3,"superseded":4,"failed":5},
				"users":[{"user":"U206…7cb8","state":"Failed","cause":"Rejected","attempts":2,"httpStatus":404},
					{"user":"…","state":"Waiting","cause":"RateLimited","attempts":1,"httpStatus":429}]}`,
			want: adminapi.UnlinkResult{
				StartedAt: noon.Add(-2 * time.Hour), Epoch: "2026-01-31T11:00:00Z", Attempts: 2,
				Cause: adminapi.UnlinkRateLimited, More: true, RetryAfterSeconds: 30,
				Counts: adminapi.UnlinkCounts{Waiting: 1, Unlinked: 2, NotLinked: 3, Superseded: 4, Failed: 5},
				Users: []adminapi.UnlinkUser{
					{User: "U206…7cb8", State: adminapi.UnlinkFailed, Cause: adminapi.UnlinkRejected, Attempts: 2, HTTPStatus: 404},
					{User: "…", State: adminapi.UnlinkWaiting, Cause: adminapi.UnlinkRateLimited, Attempts: 1, HTTPStatus: 429},
				},
			},
		},
		"a later release": {
			reason: "fields and values that this release does not know do no harm",
			body:   `{"mood":"fine","cause":"Tired","users":[{"user":"U206…7cb8","state":"Resting","cause":"Sunday"}]}`,
			want: adminapi.UnlinkResult{Cause: adminapi.UnlinkCauseUnknown, Users: []adminapi.UnlinkUser{
				{User: "U206…7cb8", State: adminapi.UnlinkUnknown, Cause: adminapi.UnlinkCauseUnknown},
			}},
		},
		"a false server": {
			reason: "nothing that it makes up can reach a status that people and programs read",
			epoch:  "asked",
			body: `{"startedAt":"2027-01-31T12:00:00Z","epoch":"pay here","attempts":-1,"retryAfterSeconds":2000000000,
				"counts":{"waiting":-1,"unlinked":-1,"notLinked":-1,"superseded":-1,"failed":-1},
				"users":[{"user":"see https://evil.example","state":"Waiting","attempts":-5,"httpStatus":99},
					{"user":"U206d25c2ea6bd87c17655609a1c37cb8","state":"Failed","httpStatus":600},
					{"user":"…call…me…","state":"Failed"},
					{"user":"` + strings.Repeat("a", 32) + `…","state":"Failed"}]}`,
			want: adminapi.UnlinkResult{
				StartedAt: noon, RetryAfterSeconds: 86400,
				Users: []adminapi.UnlinkUser{
					{State: adminapi.UnlinkWaiting}, {State: adminapi.UnlinkFailed}, {State: adminapi.UnlinkFailed}, {State: adminapi.UnlinkFailed},
				},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unlink(t, answering(tc.body), adminapi.Unlink{UserID: "U1", Epoch: tc.epoch})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestUnlinkUsersAreBounded(t *testing.T) {
	body, err := json.Marshal(adminapi.UnlinkResult{Users: make([]adminapi.UnlinkUser, adminapi.MaxUnlinkUsers+1)})
	if err != nil {
		t.Fatal(err)
	}
	got, err := unlink(t, answering(string(body)), adminapi.Unlink{All: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Users) != adminapi.MaxUnlinkUsers {
		t.Errorf("got %d users", len(got.Users))
	}
}

func TestUnlinkSignsWhatItSends(t *testing.T) {
	key, _ := newKey(t)
	signer, err := adminapi.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	want := adminapi.Unlink{
		Subject: "00u1a2b3c4", Issuer: "https://sso.vision.example", Reason: "HR-1234 離職", LinkedBefore: noon,
		Actions: []adminapi.UnlinkAction{{Type: "notifyAgent", Message: "用戶已解除綁定 <b>"}},
	}
	verifier := newVerifier(t, key)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if _, err := verifier.Verify(noon, adminapi.BearerToken(r.Header.Values("Authorization")), http.MethodPut,
			adminapi.UnlinksPath+unlinkID, body); err != nil {
			t.Error(err)
		}
		var got adminapi.Unlink
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the server reads (-want +got):\n%s", diff)
		}
		_, _ = w.Write([]byte(`{}`))
	}))
	t.Cleanup(server.Close)
	client := adminapi.NewClient(func() time.Time { return noon })
	target := adminapi.Target{BaseURL: server.URL, Audience: visionUID}
	if _, err := client.Unlink(t.Context(), target, signer, unlinkID, want); err != nil {
		t.Error(err)
	}
}

func TestUnlinkErrors(t *testing.T) {
	const canary = "CANARY-7f3a"
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, canary, code) }
	}
	for name, tc := range map[string]struct {
		reason  string
		handler http.HandlerFunc
		want    error
	}{
		"unauthorized": {"the server does not know our key yet", status(http.StatusUnauthorized), adminapi.ErrRefused},
		"not found":    {"a server that has no such route", status(http.StatusNotFound), adminapi.ErrGarbage},
		"not JSON":     {"somebody else's web page", answering("<html>" + canary), adminapi.ErrGarbage},
		"no number":    {"a count that is none", answering(`{"attempts":"` + canary + `"}`), adminapi.ErrGarbage},
		"too large":    {"a number that no count reaches", answering(`{"attempts":9999999999}`), adminapi.ErrGarbage},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unlink(t, tc.handler, adminapi.Unlink{UserID: "U1"})
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v: %s", err, tc.want, tc.reason)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error quotes the answer: %v", err)
			}
			if diff := cmp.Diff(adminapi.UnlinkResult{}, got); diff != "" {
				t.Errorf("a result came with the error:\n%s", diff)
			}
		})
	}
}

func TestUnlinkIDs(t *testing.T) {
	client := adminapi.NewClient(func() time.Time { return noon })
	for id, want := range map[string]bool{
		unlinkID: true, "a": true, strings.Repeat("a", 128): true,
		"": false, "..": false, "a/b": false, "a?b": false, "a b": false, "a%2Fb": false, "ä": false, strings.Repeat("a", 129): false,
	} {
		if got := adminapi.IsUnlinkID(id); got != want {
			t.Errorf("IsUnlinkID(%q) = %t", id, got)
		}
		_, err := client.Unlink(t.Context(), adminapi.Target{}, newSigner(t), id, adminapi.Unlink{})
		if !errors.Is(err, adminapi.ErrUnreachable) { // nobody listens at an empty target, whatever the id is
			t.Errorf("%q: got %v, want %v", id, err, adminapi.ErrUnreachable)
		}
	}
}

// The server has its 15 s, and the client hangs up soon after.
func TestUnlinkWaitsForTheServersWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx := t.Context()
		client := adminapi.NewClientOver(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		_, err := client.Unlink(ctx, adminapi.Target{BaseURL: "http://vision", Audience: visionUID}, newSigner(t), unlinkID, adminapi.Unlink{})
		if !errors.Is(err, adminapi.ErrUnreachable) {
			t.Errorf("got %v, want %v", err, adminapi.ErrUnreachable)
		}
		if took := time.Since(began); took != adminapi.UnlinkTimeout || took <= adminapi.UnlinkWork {
			t.Errorf("hung up after %s", took)
		}
	})
}
