package chatsim

import "net/http"

// routeLINE serves LINE's Messaging API and its account link page.
func (s *Simulator) routeLINE() {
	s.routes.HandleFunc("POST /v2/bot/user/{userId}/linkToken", s.lineLinkToken)
	s.routes.HandleFunc("GET /v2/bot/profile/{userId}", s.lineProfile)
	s.routes.HandleFunc("GET /dialog/bot/accountLink", s.lineAccountLink)
}

// lineCall finds whose call it is, and the user that it is about; on false it has answered. The mutex is not held.
func (s *Simulator) lineCall(w http.ResponseWriter, r *http.Request) (*channel, *user, bool) {
	refuse := func(status int, message string) (*channel, *user, bool) {
		judge(r.Context()).refusal = message
		writeJSON(w, status, map[string]string{"message": message})
		return nil, nil, false
	}
	if r.Header.Get("X-Line-Retry-Key") != "" {
		return refuse(http.StatusBadRequest, "X-Line-Retry-Key is not supported by this endpoint")
	}
	given, ok := bearer(r)
	if !ok {
		return refuse(http.StatusUnauthorized, "Authentication failed due to the following reason: no token")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(func(c *channel) bool { return c.Kind == LINE && c.AccessToken == given })
	if c == nil {
		return refuse(http.StatusUnauthorized, "Authentication failed due to the following reason: invalid token")
	}
	judge(r.Context()).credentials = "ok"
	u := c.user(r.PathValue("userId"))
	if u == nil || u.Hidden {
		return refuse(http.StatusNotFound, "Not found")
	}
	return c, u, true
}

// lineLinkToken issues a token, good for one use within ten minutes (LINE, linking-accounts, step 1).
func (s *Simulator) lineLinkToken(w http.ResponseWriter, r *http.Request) {
	c, u, ok := s.lineCall(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	t := s.issue(c, u)
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]string{"linkToken": t.text})
}

// lineProfile gives name and picture.
func (s *Simulator) lineProfile(w http.ResponseWriter, r *http.Request) {
	_, u, ok := s.lineCall(w, r)
	if !ok {
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"displayName": u.Name, "userId": u.ID, "pictureUrl": s.pictureURL(u), "language": "zh-TW",
	})
}
