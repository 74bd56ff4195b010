package webhookserver

import (
	"bytes"
	"errors"
	"net/http"

	"channellink.dev/operator/webhookserver/adminapi"
)

// adminCall is an admin request whose token was good.
type adminCall struct {
	channel *channel
	caller  adminapi.Verified
	body    []byte // that the token was made for
}

// authorized checks the token against the whole request, body included, before it calls next. A refusal tells the caller
// nothing; the reason is counted and logged.
func (s *Server) authorized(next func(http.ResponseWriter, *http.Request, adminCall)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		if err := receive(w, r, &body, maxAdminBody); err != nil {
			writeJSONProblem(w, r, bodyProblem(err))
			return
		}
		caller, err := s.verifier.Verify(s.now(), adminapi.BearerToken(r.Header.Values("Authorization")),
			r.Method, r.URL.RequestURI(), body.Bytes())
		if err != nil {
			refusal, _ := errors.AsType[adminapi.Refusal](err)
			s.metrics.refused.WithLabelValues(string(refusal)).Inc()
			s.log.WarnContext(r.Context(), "admin request refused", "reason", refusal)
			w.Header().Set("WWW-Authenticate", "Bearer")
			writeJSONProblem(w, r, http.StatusUnauthorized)
			return
		}
		for _, ch := range s.channels {
			if ch.UID == caller.Audience() {
				next(w, r, adminCall{channel: ch, caller: caller, body: body.Bytes()})
				return
			}
		}
		writeJSONProblem(w, r, http.StatusNotFound)
	}
}

func (s *Server) showStatus(w http.ResponseWriter, r *http.Request, call adminCall) {
	writeJSON(w, http.StatusOK, s.status(r.Context(), call.channel))
}
