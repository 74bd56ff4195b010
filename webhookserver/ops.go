package webhookserver

import (
	"net/http"
	"strings"
)

// healthz answers as long as the process serves at all. It asks nobody: a database or an issuer that is down is not mended
// by a restart.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") }

// readyz says whether requests should come here, and if not, what is waited for.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if causes := s.waitingFor(); len(causes) > 0 {
		writeText(w, http.StatusServiceUnavailable, "not ready: "+strings.Join(causes, ", "))
		return
	}
	writeText(w, http.StatusOK, "ready")
}
