package issuer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/outbound"
)

// C56: a key that the issuer has just published works at its first use.
func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp, docs := newFakeIssuer(t), &fakeStore{}
		w := start(t, idp, docs)
		synctest.Wait()
		old := idp.Sign(t, nil)
		idp.AddKey(t, "second")
		for _, token := range []string{idp.Sign(t, nil), old} {
			if _, err := w.VerifySignature(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
		if n := idp.calls(); n != 3 { // discovery, keys, keys
			t.Errorf("%d calls, want 3", n)
		}
		if !strings.Contains(string(docs.stored.JWKS), `"second"`) {
			t.Error("the new key is not stored for the next start")
		}
	})
}

// C56: made-up key IDs make at most one refresh in ten seconds, whoever asks, and
// a real new key works within the same ten seconds.
func TestKeyFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := newFakeIssuer(t)
		w := start(t, idp, &fakeStore{})
		synctest.Wait()
		private := newPrivateKey(t)
		before := idp.calls()
		begin := time.Now()
		var flood sync.WaitGroup
		for i := range 1000 {
			token := issuertest.Sign(t, jose.ES256, private, fmt.Sprintf("made-up-%d", i), nil)
			flood.Go(func() {
				time.Sleep(time.Duration(i) * 25 * time.Millisecond) // the bubble's clock
				if _, err := w.VerifySignature(t.Context(), token); !errors.Is(err, ErrUnknownKey) {
					t.Errorf("got %v, want %v", err, ErrUnknownKey)
				}
			})
		}
		time.Sleep(5 * time.Second) // the bubble's clock
		idp.AddKey(t, "second")
		time.Sleep(keyInterval) // the bubble's clock
		if _, err := w.VerifySignature(t.Context(), idp.Sign(t, nil)); err != nil {
			t.Errorf("a new key during the flood: %v", err)
		}
		flood.Wait()
		if n := idp.calls() - before; n != 3 {
			t.Errorf("%d refreshes in %s, want 3: at 0, 10 and 20 s", n, time.Since(begin))
		}
	})
}

// C8, C12: what is not signed by the issuer is refused, through go-oidc too, and
// the error quotes nothing of it.
func TestRefusedTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := newFakeIssuer(t)
		w := start(t, idp, &fakeStore{})
		synctest.Wait()
		claims := map[string]any{
			"iss": fakeURL, "aud": "chatbot", "sub": canary,
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		}
		good := idp.Sign(t, claims)
		parts := strings.Split(good, ".")
		none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
		public, err := x509.MarshalPKIXPublicKey(newPrivateKey(t).Public())
		if err != nil {
			t.Fatal(err)
		}
		cases := []struct {
			reason string
			token  string
			want   error
		}{
			{"good", good, nil},
			{"another key under the same ID", issuertest.Sign(t, jose.ES256, newPrivateKey(t), "first", claims), ErrSignatureInvalid},
			{"another key without ID", issuertest.Sign(t, jose.ES256, newPrivateKey(t), "", claims), ErrUnknownKey},
			{"an algorithm that the issuer does not declare", issuertest.Sign(t, jose.ES384, newKeyOn(t, elliptic.P384()), "first", claims), ErrTokenMalformed},
			{"HMAC with a public key", issuertest.Sign(t, jose.HS256, public, "first", claims), ErrTokenMalformed},
			{"no algorithm", none + "." + parts[1] + ".", ErrTokenMalformed},
			{"no signature", parts[0] + "." + parts[1] + ".", ErrSignatureInvalid},
			{"another payload", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"x"}`)) + "." + parts[2], ErrSignatureInvalid},
			{"nonsense", canary, ErrTokenMalformed},
			{"empty", "", ErrTokenMalformed},
			{"too long", good + strings.Repeat("A", maxTokenBytes), ErrTokenMalformed},
			{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, ErrTokenMalformed},
		}
		verifier := oidc.NewVerifier(fakeURL, w, &oidc.Config{
			ClientID: "chatbot", SupportedSigningAlgs: []string{"ES256"}, Now: time.Now,
		})
		for _, tc := range cases {
			_, err := w.VerifySignature(t.Context(), tc.token)
			if !errors.Is(err, tc.want) {
				t.Errorf("%s: got %v, want %v", tc.reason, err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("%s: the error quotes the token: %v", tc.reason, err)
			}
			if _, err := verifier.Verify(t.Context(), tc.token); (err == nil) != (tc.want == nil) {
				t.Errorf("%s: go-oidc gives %v", tc.reason, err)
			}
		}
	})
}

// A refresh of the keys that fails is told, and harms no key that is known.
func TestKeyRefreshFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := newFakeIssuer(t)
		w := start(t, idp, &fakeStore{})
		synctest.Wait()
		token := issuertest.Sign(t, jose.ES256, newPrivateKey(t), "made-up", nil)
		idp.fail(&outbound.Error{Reason: outbound.TimedOut})
		if _, err := w.VerifySignature(t.Context(), token); !errors.Is(err, TimedOut) {
			t.Errorf("got %v, want %s", err, TimedOut)
		}
		if _, err := w.VerifySignature(t.Context(), idp.Sign(t, nil)); err != nil {
			t.Errorf("the known key: %v", err)
		}
	})
}

// Callers share one refresh of the keys; the one that began it may give up
// without ending it for the others.
func TestKeyRefreshIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		idp := newFakeIssuer(t)
		w := start(t, idp, &fakeStore{})
		synctest.Wait()
		idp.AddKey(t, "second")
		token := idp.Sign(t, nil)
		release := idp.hold()
		before := idp.calls()

		ctx, cancel := context.WithCancel(t.Context())
		verify := func(ctx context.Context) chan error {
			done := make(chan error, 1)
			go func() {
				_, err := w.VerifySignature(ctx, token)
				done <- err
			}()
			synctest.Wait() // until it waits for the issuer
			return done
		}
		first, second := verify(ctx), verify(t.Context())
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the first: got %v, want %v", err, context.Canceled)
		}
		release()
		if err := <-second; err != nil {
			t.Errorf("the second: %v", err)
		}
		if n := idp.calls() - before; n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
}

func newPrivateKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	return newKeyOn(t, elliptic.P256())
}

func newKeyOn(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
