package webhookserver_test

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// botGate is that of paths with a store, beside a floor that makes the same statements.
const botGate = 0.7

// BenchmarkBotAPI holds look-up and introspection beside handlers that compare the token, make the same statement and write
// what they found.
func BenchmarkBotAPI(b *testing.B) {
	var dir string
	w := newWorld(b, withBotAPI, quiet, keepStore(&dir))
	w.untilReady(b)
	kept := openLinks(b, dir, "LINE", oaID)
	kept.linkedSince(b, lineUser, time.Now().Add(-time.Hour))
	for _, c := range []struct {
		name, path, token, body string
		find                    func(*http.Request) (link.Link, error)
	}{
		{"users", "/hr/api/v1/users/" + lineUser, botToken, "", func(r *http.Request) (link.Link, error) {
			return kept.ActiveLink(r.Context(), kept.channel, lineUser, time.Time{})
		}},
		{"introspect", "/hr/introspect", introspectionToken, "token=code-" + lineUser + "&user_id=" + lineUser, func(r *http.Request) (link.Link, error) {
			if err := r.ParseForm(); err != nil {
				return link.Link{}, err
			}
			return kept.LinkByCode(r.Context(), kept.channel, link.HashCode(r.PostForm.Get("token")))
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			want := sha256.Sum256([]byte("Bearer " + c.token))
			bare := bareServer(b, func(rw http.ResponseWriter, r *http.Request) {
				given := sha256.Sum256([]byte(r.Header.Get("Authorization")))
				if subtle.ConstantTimeCompare(want[:], given[:]) != 1 {
					rw.WriteHeader(http.StatusUnauthorized)
					return
				}
				found, err := c.find(r)
				if err != nil {
					rw.WriteHeader(http.StatusNotFound)
					return
				}
				answer, err := json.Marshal(struct {
					Linked                   bool
					Issuer, Subject, Account string
					LinkedAt                 time.Time
				}{true, found.Identity.Issuer, found.Identity.Subject, found.Identity.Account, found.LinkedAt})
				if err != nil {
					b.Error(err)
				}
				_, _ = rw.Write(answer)
			})
			request := requestBytes(b, c.path, c.body, http.Header{
				"Authorization": {"Bearer " + c.token}, "Content-Type": {"application/x-www-form-urlencoded"},
			})
			ours, floor := newCaller(b, w.Public, request), newCaller(b, bare, request)
			ours.wantOK(b, "00u1a2b3c4")
			floor.wantOK(b, "00u1a2b3c4")
			beside(b, ours, floor, botGate)
		})
	}
}
