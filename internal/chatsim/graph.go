package chatsim

import (
	"net/http"
	"regexp"
	"strings"
)

// Codes of Graph's errors (Messenger Platform, error codes).
const (
	graphBadToken     = 190
	graphBadParameter = 100
	graphPermission   = 10
	// graphLinking is the code of account linking.
	graphLinking = 10303
	// graphNoUser is the subcode for a PSID that is none of the page's, graphTooLate for the end of the 24-hour window.
	graphNoUser  = 2018001
	graphTooLate = 2018278
	// graphNoProfile is the subcode for an account that was made with a telephone number.
	graphNoProfile = 2018218
)

var graphVersion = regexp.MustCompile(`^v[1-9][0-9]?\.[0-9]$`)

// routeGraph serves the nodes and edges of Meta's Graph that a login and a bot need.
func (s *Simulator) routeGraph() {
	s.routes.HandleFunc("POST /{version}/me/messages", s.graphSend)
	s.routes.HandleFunc("POST /{version}/me/unlink_accounts", s.graphUnlink)
	s.routes.HandleFunc("GET /{version}/{node}/{edge}", s.graphEdge)
	s.routes.HandleFunc("GET /{version}/app", s.graphApp)
	s.routes.HandleFunc("GET /{version}/me", s.graphMe)
	s.routes.HandleFunc("GET /{version}/{psid}", s.graphProfile)
}

func graphError(w http.ResponseWriter, r *http.Request, status, code, subcode int, message string) {
	judge(r.Context()).refusal = message
	e := map[string]any{"message": message, "type": "OAuthException", "code": code, "fbtrace_id": random(8)}
	if subcode != 0 {
		e["error_subcode"] = subcode
	}
	writeJSON(w, status, map[string]any{"error": e})
}

// graphCall finds the page whose token the call carries; on false it has answered.
func (s *Simulator) graphCall(w http.ResponseWriter, r *http.Request) (*channel, bool) {
	return s.graphCallWith(w, r, func(c *channel) string { return c.accessToken })
}

// graphCallWith finds the page for which a call carries the right token, be it of the page or of its app.
func (s *Simulator) graphCallWith(w http.ResponseWriter, r *http.Request, right func(*channel) string) (*channel, bool) {
	query := r.URL.Query()
	given, proof := query.Get("access_token"), query.Get("appsecret_proof")
	said := judge(r.Context())
	if !graphVersion.MatchString(r.PathValue("version")) {
		graphError(w, r, http.StatusBadRequest, 2500, 0, "Unknown path components")
		return nil, false
	}
	if given == "" {
		said.credentials = "missing"
		graphError(w, r, http.StatusBadRequest, 104, 0, "An access token is required to request this resource.")
		return nil, false
	}
	said.credentials = "wrong"
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(func(c *channel) bool { return c.Kind == Messenger && right(c) == given })
	if c == nil {
		graphError(w, r, http.StatusUnauthorized, graphBadToken, 0, "Invalid OAuth access token.")
		return nil, false
	}
	if proof == "" && c.RequireProof {
		graphError(w, r, http.StatusBadRequest, graphBadParameter, 0, "API calls from the server require an appsecret_proof argument")
		return nil, false
	}
	if proof != "" && proof != appSecretProof(c.Secret, given) {
		graphError(w, r, http.StatusBadRequest, graphBadParameter, 0, "Invalid appsecret_proof provided in the API argument")
		return nil, false
	}
	said.credentials, said.channel = "ok", c.Name
	return c, true
}

// graphMe tells which page a token is of, or for whom an account_linking_token was issued. Asking does not spend it.
func (s *Simulator) graphMe(w http.ResponseWriter, r *http.Request) {
	c, ok := s.graphCall(w, r)
	if !ok {
		return
	}
	if r.URL.Query().Get("fields") == "id" {
		writeJSON(w, http.StatusOK, map[string]string{"id": c.PageID})
		return
	}
	if r.URL.Query().Get("fields") != "recipient" {
		graphError(w, r, http.StatusBadRequest, graphBadParameter, 0, "(#100) Tried accessing a nonexisting field")
		return
	}
	s.mu.Lock()
	t, err := s.valid(r.URL.Query().Get("account_linking_token"))
	s.mu.Unlock()
	if err != nil || t.channel != c {
		graphError(w, r, http.StatusBadRequest, graphBadParameter, 0, "(#100) Invalid account_linking_token")
		return
	}
	judge(r.Context()).user = t.user.ID
	writeJSON(w, http.StatusOK, map[string]string{"id": c.PageID, "recipient": t.user.ID})
}

// graphProfile gives what of a user's profile was asked for.
func (s *Simulator) graphProfile(w http.ResponseWriter, r *http.Request) {
	c, ok := s.graphCall(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	u := c.user(r.PathValue("psid"))
	s.mu.Unlock()
	judge(r.Context()).user = r.PathValue("psid")
	if u == nil {
		graphError(w, r, http.StatusBadRequest, graphBadParameter, 33, "Unsupported get request.")
		return
	}
	if u.Hidden {
		graphError(w, r, http.StatusBadRequest, graphBadParameter, graphNoProfile, "No profile available for this user.")
		return
	}
	first, last, _ := strings.Cut(u.Name, " ")
	all := map[string]string{"name": u.Name, "first_name": first, "last_name": last, "profile_pic": s.pictureURL(u)}
	answer := map[string]string{"id": u.ID}
	fields := r.URL.Query().Get("fields")
	if fields == "" {
		fields = "name,first_name,last_name,profile_pic"
	}
	for field := range strings.SplitSeq(fields, ",") {
		value, known := all[field]
		if !known && field != "id" {
			graphError(w, r, http.StatusBadRequest, graphBadParameter, 0, "(#100) Tried accessing nonexisting field ("+field+")")
			return
		}
		if known {
			answer[field] = value
		}
	}
	writeJSON(w, http.StatusOK, answer)
}
