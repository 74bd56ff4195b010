//go:build bench

package bench

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
)

// unlinkServers plays the servers of all ChannelLinks at one address. Each attempt at an unlinking takes as long as the
// platform does, and succeeds.
type unlinkServers struct {
	address string

	mu sync.Mutex
	// hashes are those of the settings that each ChannelLink's server would have, by the ChannelLink's UID.
	hashes  map[string]string
	latency time.Duration
	pace
}

// pace is what the servers were asked since it was last reset.
type pace struct {
	calls       map[string]int // by the id of the request
	first, last time.Time      // when the first call came, and when the last was answered
	now, most   map[string]int // calls under way to each server, and the most at once
}

func newPace() pace {
	return pace{calls: map[string]int{}, now: map[string]int{}, most: map[string]int{}}
}

func startUnlinkServers(t *testing.T) *unlinkServers {
	t.Helper()
	s := &unlinkServers{hashes: map[string]string{}, pace: newPace()}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+adminapi.StatusPath, s.status)
	mux.HandleFunc("PUT "+adminapi.UnlinksPath+"{id}", s.unlink)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.address = server.URL
	return s
}

// reset begins a measurement.
func (s *unlinkServers) reset(latency time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency, s.pace = latency, newPace()
}

// sinceReset is what was asked since then.
func (s *unlinkServers) sinceReset() pace {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pace
}

// settle tells which settings the ChannelLink's server has.
func (s *unlinkServers) settle(channelLink, hash string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hashes[channelLink] = hash
}

// asked is for how many requests.
func (s *unlinkServers) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.calls)
}

// addressed reads whom a request is for and which key signed it.
func addressed(r *http.Request) (audience, keyID string) {
	var header struct {
		KeyID string `json:"kid"`
	}
	var claims struct {
		Audience string `json:"aud"`
	}
	parts := strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ".")
	for i, into := range []any{&header, &claims} {
		if i < len(parts) {
			part, _ := base64.RawURLEncoding.DecodeString(parts[i]) // what is no token is for nobody
			_ = json.Unmarshal(part, into)
		}
	}
	return claims.Audience, header.KeyID
}

func (s *unlinkServers) status(w http.ResponseWriter, r *http.Request) {
	audience, keyID := addressed(r)
	s.mu.Lock()
	hash := s.hashes[audience]
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(adminapi.Status{
		SettingsHash: hash, KeyIDs: []string{keyID}, Issuer: adminapi.Issuer{State: adminapi.IssuerDiscovered},
		Store: adminapi.Store{State: adminapi.StoreOpen}, Links: &adminapi.Links{},
	}) // to a caller that has gone
}

func (s *unlinkServers) unlink(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	audience, _ := addressed(r)
	s.mu.Lock()
	if s.first.IsZero() {
		s.first = arrived
	}
	s.calls[r.PathValue("id")]++
	s.now[audience]++
	s.most[audience] = max(s.most[audience], s.now[audience])
	latency := s.latency
	s.mu.Unlock()
	if latency > 0 {
		<-time.After(latency)
	}
	s.mu.Lock()
	s.now[audience]--
	s.last = time.Now()
	s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(adminapi.UnlinkResult{
		StartedAt: arrived, Attempts: 1, Counts: adminapi.UnlinkCounts{Unlinked: 1},
		Users: []adminapi.UnlinkUser{{User: "U206…7cb8", State: adminapi.UnlinkDone, Attempts: 1}},
	}) // as above
}
