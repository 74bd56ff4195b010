package services

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"channellink.dev/operator/webhookserver/link"
)

// One stock verifier that was made once believes every assertion of two months and asks for keys once for each; what it was
// given on one day is worth nothing on the next.
func TestStockVerifierOutlivesKeys(t *testing.T) {
	at := &clock{at: epoch}
	kept := openStore(t)
	replicas := []*Keyring{newKeyring(kept, at), newKeyring(kept, at)}
	var asked atomic.Int64
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	issuer := Issuer{URL: site.URL, Platform: "LINE", PageID: "507oftxz"}
	show := func(w http.ResponseWriter, value any) {
		if err := json.NewEncoder(w).Encode(value); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("GET "+DiscoveryPath, func(w http.ResponseWriter, _ *http.Request) { show(w, issuer.Discovery()) })
	mux.HandleFunc("GET "+JWKSPath, func(w http.ResponseWriter, r *http.Request) {
		set, err := replicas[asked.Add(1)%2].JWKS(r.Context())
		if err != nil {
			t.Error(err)
		}
		show(w, set)
	})
	provider, err := oidc.NewProvider(t.Context(), issuer.URL)
	if err != nil {
		t.Fatal(err)
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: "hr", SupportedSigningAlgs: []string{string(jose.ES256)}, Now: at.now})
	alice := link.Link{UserID: "U1", Confirmed: true, LinkedAt: epoch, Identity: link.Identity{Issuer: "https://sso.vision.example", Subject: "00u1"}}

	var former string
	for half := range 2 * 65 {
		at.set(time.Duration(half) * 12 * time.Hour)
		for _, replica := range replicas {
			if err := replica.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		issuer.Keys = replicas[half%2]
		assertion, err := issuer.Assert(t.Context(), alice, "hr")
		if err != nil {
			t.Fatal(err)
		}
		token, err := verifier.Verify(t.Context(), assertion)
		if err != nil || token.Subject != "00u1" {
			t.Fatalf("day %d: %+v, %v", half/2, token, err)
		}
		if _, err := verifier.Verify(t.Context(), former); err == nil {
			t.Fatalf("day %d: an assertion of half a day before is believed", half/2)
		}
		former = assertion
	}
	if n := asked.Load(); n > 4 {
		t.Errorf("keys were asked for %d times in 65 days, want once for each of 3", n)
	}
}
