package chatsim

import (
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// routeLINE serves LINE's Messaging API and its account link page.
func (s *Simulator) routeLINE() {
	s.routes.HandleFunc("GET /dialog/bot/accountLink", s.lineAccountLink)
	for pattern, handler := range map[string]http.HandlerFunc{
		"POST /v2/bot/user/{userId}/linkToken": s.lineLinkToken,
		"GET /v2/bot/profile/{userId}":         s.lineProfile,
		"GET /v2/bot/info":                     s.lineInfo,
		"POST /v2/bot/message/reply":           s.lineReply,
		"POST /v2/bot/message/push":            s.linePush,
		"GET /v2/bot/channel/webhook/endpoint": s.lineEndpoint,
		"PUT /v2/bot/channel/webhook/endpoint": s.setLINEEndpoint,
		"POST /v2/bot/channel/webhook/test":    s.testLINEEndpoint,
	} {
		s.routes.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Line-Request-Id", newUUID())
			handler(w, r)
		})
	}
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func lineRefuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	judge(r.Context()).refusal = message
	writeJSON(w, status, map[string]string{"message": message})
}

// lineCall finds whose call it is, for endpoints that take no retry key; on false it has answered. The mutex is not held.
func (s *Simulator) lineCall(w http.ResponseWriter, r *http.Request) (*channel, bool) {
	if r.Header.Get("X-Line-Retry-Key") != "" {
		lineRefuse(w, r, http.StatusBadRequest, "X-Line-Retry-Key is not supported by this endpoint")
		return nil, false
	}
	return s.lineChannel(w, r)
}

// lineChannel finds whose access token a call carries; on false it has answered.
func (s *Simulator) lineChannel(w http.ResponseWriter, r *http.Request) (*channel, bool) {
	given, ok := bearer(r)
	if !ok {
		lineRefuse(w, r, http.StatusUnauthorized, "Authentication failed due to the following reason: no token")
		return nil, false
	}
	s.mu.Lock()
	c := s.find(func(c *channel) bool { return c.Kind == LINE && c.accessToken == given })
	s.mu.Unlock()
	if c == nil {
		lineRefuse(w, r, http.StatusUnauthorized, "Authentication failed due to the following reason: invalid token")
		return nil, false
	}
	said := judge(r.Context())
	said.credentials, said.channel = "ok", c.Name
	return c, true
}

// lineUser finds whose call it is, and the friend that it is about; on false it has answered.
func (s *Simulator) lineUser(w http.ResponseWriter, r *http.Request) (*channel, *user, bool) {
	c, ok := s.lineCall(w, r)
	if !ok {
		return nil, nil, false
	}
	s.mu.Lock()
	u := c.user(r.PathValue("userId"))
	s.mu.Unlock()
	if u == nil || u.Hidden {
		lineRefuse(w, r, http.StatusNotFound, "Not found")
		return nil, nil, false
	}
	judge(r.Context()).user = u.ID
	return c, u, true
}

// lineLinkToken issues a token, good for one use within ten minutes (LINE, linking-accounts, step 1).
func (s *Simulator) lineLinkToken(w http.ResponseWriter, r *http.Request) {
	c, u, ok := s.lineUser(w, r)
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
	_, u, ok := s.lineUser(w, r)
	if !ok {
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"displayName": u.Name, "userId": u.ID, "pictureUrl": s.pictureURL(u), "language": "zh-TW",
	})
}

// lineInfo tells a bot who it is.
func (s *Simulator) lineInfo(w http.ResponseWriter, r *http.Request) {
	c, ok := s.lineCall(w, r)
	if !ok {
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{
		"userId": c.BotUserID, "basicId": "@" + c.PageID, "displayName": c.displayName(), "chatMode": "bot", "markAsReadMode": "auto",
	})
}

// local reports whether a host is on this machine, where plain http is good enough.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
