package adminapi_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"channellink.dev/operator/webhookserver/adminapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const settingsHash = "c48ef2805298f1a203b6eb470b45aff18c050840db9147ced760e219783067af"

func newSigner(t *testing.T) *adminapi.Signer {
	t.Helper()
	key, _ := newKey(t)
	signer, err := adminapi.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// ask lets a client ask a server that answers with handler.
func ask(t *testing.T, handler http.HandlerFunc) (adminapi.Status, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client := adminapi.NewClient(func() time.Time { return noon })
	return client.Status(t.Context(), adminapi.Target{BaseURL: server.URL, Audience: visionUID}, newSigner(t))
}

func answering(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

func TestStatusIsBelievedAsFarAsItIsKnown(t *testing.T) {
	_, kid := newKey(t)
	for name, tc := range map[string]struct {
		reason string
		body   string
		want   adminapi.Status
	}{
		"all is well": {
			reason: "what a server of this release says arrives whole",
			body: `{"version":"0.1.0","settingsHash":"` + settingsHash + `","keyIDs":["` + kid + `"],
				"references":[{"field":"oidc.clientSecretRef","state":"Vanished"}],
				"issuer":{"state":"Failed","reason":"BadStatus","httpStatus":503},"store":{"state":"Failed","reason":"Full"},
				"links":{"active":7}}`,
			want: adminapi.Status{
				Version: "0.1.0", SettingsHash: settingsHash, KeyIDs: []string{kid},
				References: []adminapi.Reference{{Field: "oidc.clientSecretRef", State: adminapi.ReferenceVanished}},
				Issuer:     adminapi.Issuer{State: adminapi.IssuerFailed, Reason: adminapi.IssuerBadStatus, HTTPStatus: 503},
				Store:      adminapi.Store{State: adminapi.StoreFailed, Reason: adminapi.StoreFull},
				Links:      &adminapi.Links{Active: 7},
			},
		},
		"a later release": {
			reason: "fields and values that this release does not know do no harm",
			body: `{"version":"9.0.0","weather":"fine","references":[{"field":"api.tokenSecretRef","state":"Expiring","until":"x"}],
				"issuer":{"state":"Resting","reason":"Tired"},"store":{"state":"Moving","reason":"House"}}`,
			want: adminapi.Status{
				Version:    "9.0.0",
				References: []adminapi.Reference{{Field: "api.tokenSecretRef", State: adminapi.ReferenceUnknown}},
				Issuer:     adminapi.Issuer{State: adminapi.IssuerUnknown, Reason: adminapi.IssuerReasonUnknown},
				Store:      adminapi.Store{State: adminapi.StoreUnknown, Reason: adminapi.StoreReasonUnknown},
			},
		},
		"a false server": {
			reason: "nothing that it makes up can reach a status that people and programs read",
			body: `{"version":"<b>pay here</b>","settingsHash":"call me","keyIDs":["not a thumbprint"],
				"references":[{"field":"see https://evil.example","state":"Present"}],
				"issuer":{"state":"ask your bank","reason":"","httpStatus":-1},"store":{"state":"Open"},"links":{"active":-5}}`,
			want: adminapi.Status{
				Issuer: adminapi.Issuer{State: adminapi.IssuerUnknown},
				Store:  adminapi.Store{State: adminapi.StoreOpen},
				Links:  &adminapi.Links{},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, answering(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestStatusErrors(t *testing.T) {
	const canary = "CANARY-7f3a"
	for name, tc := range map[string]struct {
		reason  string
		handler http.HandlerFunc
		want    error
	}{
		"unauthorized": {
			reason: "the server does not know our key yet",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, canary, http.StatusUnauthorized)
			},
			want: adminapi.ErrRefused,
		},
		"forbidden": {
			reason: "something in front of the server",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, canary, http.StatusForbidden)
			},
			want: adminapi.ErrRefused,
		},
		"redirect": {
			reason: "a redirect would carry the token elsewhere",
			handler: func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/"+canary, http.StatusTemporaryRedirect)
			},
			want: adminapi.ErrGarbage,
		},
		"fault": {
			reason: "an answer, but none of ours",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, canary, http.StatusBadGateway)
			},
			want: adminapi.ErrGarbage,
		},
		"not JSON": {
			reason:  "somebody else's web page",
			handler: answering("<html>" + canary),
			want:    adminapi.ErrGarbage,
		},
		"wrong type": {
			reason:  "a number where a list belongs",
			handler: answering(`{"references":"` + canary + `"}`),
			want:    adminapi.ErrGarbage,
		},
		"two documents": {
			reason:  "which one is meant",
			handler: answering(`{}{"version":"` + canary + `"}`),
			want:    adminapi.ErrGarbage,
		},
		"endless": {
			reason: "C54 for the operator: it reads a bounded amount of whatever comes",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				chunk := []byte(strings.Repeat(" ", 64<<10))
				for {
					if _, err := w.Write(chunk); err != nil {
						return
					}
				}
			},
			want: adminapi.ErrGarbage,
		},
		"broken off": {
			reason: "half an answer is none",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = w.Write([]byte(canary))
			},
			want: adminapi.ErrUnreachable,
		},
		"not HTTP": {
			reason: "another protocol behind the port",
			handler: func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = conn.Write([]byte(canary + "\r\n\r\n"))
				_ = conn.Close()
			},
			want: adminapi.ErrUnreachable,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ask(t, tc.handler)
			if !errors.Is(err, tc.want) {
				t.Fatalf("got %v, want %v: %s", err, tc.want, tc.reason)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error quotes the answer: %v", err)
			}
			if diff := cmp.Diff(adminapi.Status{}, got); diff != "" {
				t.Errorf("a status came with the error:\n%s", diff)
			}
		})
	}
}

func TestStatusOfAServerThatIsNotThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	client := adminapi.NewClient(func() time.Time { return noon })
	for name, base := range map[string]string{
		"nobody listens": "http://" + address,
		"no host":        "http://",
		"with a path":    "http://" + address + "/elsewhere",
		"not a URL":      "http://[::1",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client.Status(t.Context(), adminapi.Target{BaseURL: base, Audience: visionUID}, newSigner(t))
			if !errors.Is(err, adminapi.ErrUnreachable) {
				t.Errorf("got %v, want %v", err, adminapi.ErrUnreachable)
			}
		})
	}
}

// A server that hangs holds the operator no longer than the context of the call.
func TestStatusEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	client := adminapi.NewClient(func() time.Time { return noon })
	_, err := client.Status(ctx, adminapi.Target{BaseURL: server.URL, Audience: visionUID}, newSigner(t))
	if !errors.Is(err, adminapi.ErrUnreachable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, adminapi.ErrUnreachable)
	}
}

// The target of a redirect must see no request, and a proxy from the environment no token.
func TestClientGoesNowhereElse(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	t.Setenv("HTTP_PROXY", other.URL)

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusFound)
	}))
	t.Cleanup(server.Close)
	// net/http asks no proxy for a loopback address, but does for this one, which leads to the same port.
	base := strings.Replace(server.URL, "127.0.0.1", "0.0.0.0", 1)
	client := adminapi.NewClient(func() time.Time { return noon })
	_, err := client.Status(t.Context(), adminapi.Target{BaseURL: base, Audience: visionUID}, newSigner(t))
	if !errors.Is(err, adminapi.ErrGarbage) {
		t.Errorf("got %v, want %v", err, adminapi.ErrGarbage)
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
}

func TestClientSignsWhatItSends(t *testing.T) {
	key, _ := newKey(t)
	signer, err := adminapi.NewSigner(key)
	if err != nil {
		t.Fatal(err)
	}
	verifier := newVerifier(t, key)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := verifier.Verify(noon, adminapi.BearerToken(r.Header.Values("Authorization")), r.Method, r.URL.RequestURI(), nil)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write([]byte(`{"version":"0.1.0"}`))
	}))
	t.Cleanup(server.Close)
	client := adminapi.NewClient(func() time.Time { return noon })
	for range 2 { // each call has a token of its own
		if _, err := client.Status(t.Context(), adminapi.Target{BaseURL: server.URL, Audience: visionUID}, signer); err != nil {
			t.Error(err)
		}
	}
}
