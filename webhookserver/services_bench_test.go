package webhookserver_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"
)

// serviceGate is that of paths with a store, beside a floor that makes the same statements.
const serviceGate = 0.7

// BenchmarkService holds a service call beside a reverse proxy that looks up the same link first, bare or with the signature
// of an assertion. What the server adds is the signature of the call, the guard, and an answer that is read, checked and
// written anew.
func BenchmarkService(b *testing.B) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		sign bool
		gate float64
	}{
		{"beside a proxy", false, 0}, // which tells the backend nothing that it could believe
		{"beside a proxy that signs", true, serviceGate},
	} {
		b.Run(c.name, func(b *testing.B) {
			w, upstream, kept := servedWorld(b, nil, quiet)
			kept.linkedSince(b, lineUser, time.Now().Add(-time.Hour))
			target, err := url.Parse(upstream.URL)
			if err != nil {
				b.Fatal(err)
			}
			proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
			bare := bareServer(b, func(rw http.ResponseWriter, r *http.Request) {
				found, err := kept.ActiveLink(r.Context(), kept.channel, lineUser, time.Time{})
				if err != nil {
					rw.WriteHeader(http.StatusNotFound)
					return
				}
				if c.sign {
					r.Header.Set("Authorization", "Bearer "+signed(b, key, found.Identity.Subject))
				}
				proxy.ServeHTTP(rw, r)
			})
			const path = "/hr/services/leave-balance?k=urlkey&fields=user,userParams"
			body := moduleCall(lineUser, `,"user":{"id":"3xxxxxxxxxxxd","created":1505360797321,"name":"陳邦妮","locale":"zh_TW"},"userParams":{"input":"天"}`)
			request := requestBytes(b, path, body, byBotBonnie(body))
			ours, floor := newCaller(b, w.Public, request), newCaller(b, bare, request)
			ours.wantOK(b, "14")
			floor.wantOK(b, "14")
			beside(b, ours, floor, c.gate)
		})
	}
}

// signed is the least that a signed statement costs: a hash and a signature over it.
func signed(tb testing.TB, key *ecdsa.PrivateKey, statement string) string {
	digest := sha256.Sum256([]byte(statement))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		tb.Error(err)
	}
	return statement + "." + base64.RawURLEncoding.EncodeToString(signature)
}
