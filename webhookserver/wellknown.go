package webhookserver

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// keysCached is how long verifiers may keep the documents that tell of assertion keys. It is far below the day for which a
// key is published before it signs and after it has signed.
const keysCached = time.Hour

// showDiscovery tells who signs the channel's identity assertions, where stock verifiers look for it.
func (s *Server) showDiscovery(c *channel) http.HandlerFunc {
	document := c.services.issuer.Discovery()
	return func(w http.ResponseWriter, _ *http.Request) { writeCached(w, "application/json", document) }
}

// showJWKS tells the public keys.
func (s *Server) showJWKS(c *channel) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		keys, err := c.services.issuer.Keys.JWKS(r.Context())
		if err != nil {
			s.log.WarnContext(r.Context(), "assertion keys not shown", "channel", c.Name, "error", err)
			writeJSONProblem(w, r, http.StatusServiceUnavailable)
			return
		}
		writeCached(w, "application/jwk-set+json", keys)
	}
}

// writeCached writes a document that is the same for everybody, and may be kept for a while.
func writeCached(w http.ResponseWriter, contentType string, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // a type that JSON has no word for: a fault of ours, recovered and logged
	}
	w.Header().Set("Cache-Control", "public, max-age="+strconv.Itoa(int(keysCached.Seconds())))
	write(w, http.StatusOK, contentType, append(body, '\n'))
}
