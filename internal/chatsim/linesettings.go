package chatsim

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// maxLINEEndpoint is the length of a webhook URL (LINE, set webhook endpoint URL).
const maxLINEEndpoint = 500

// lineWebhook is where the events go: what was set, or else what the configuration says. A caller holds the mutex.
func (c *channel) webhookURL() string {
	if c.endpoint != "" {
		return c.endpoint
	}
	return c.Server + "/webhook"
}

// lineEndpoint tells the webhook URL that is set.
func (s *Simulator) lineEndpoint(w http.ResponseWriter, r *http.Request) {
	c, ok := s.lineCall(w, r)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"endpoint": c.webhookURL(), "active": !c.switches.WebhookOff})
}

// setLINEEndpoint sets it.
func (s *Simulator) setLINEEndpoint(w http.ResponseWriter, r *http.Request) {
	c, ok := s.lineCall(w, r)
	if !ok {
		return
	}
	var call struct {
		Endpoint string `json:"endpoint"`
	}
	if !decodeStrictly(r, &call) || !goodEndpoint(call.Endpoint) {
		lineRefuse(w, r, http.StatusBadRequest, "Invalid webhook endpoint URL")
		return
	}
	s.mu.Lock()
	c.endpoint = call.Endpoint
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, struct{}{})
}

func goodEndpoint(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && len(raw) <= maxLINEEndpoint && (u.Scheme == "https" || u.Scheme == "http" && local(u.Hostname()))
}

// testLINEEndpoint sends a webhook without events, to the URL that is set or to another one, and says how that went.
func (s *Simulator) testLINEEndpoint(w http.ResponseWriter, r *http.Request) {
	c, ok := s.lineCall(w, r)
	if !ok {
		return
	}
	var call struct {
		Endpoint string `json:"endpoint"`
	}
	if !decodeStrictly(r, &call) && r.ContentLength != 0 || call.Endpoint != "" && !goodEndpoint(call.Endpoint) {
		lineRefuse(w, r, http.StatusBadRequest, "Invalid webhook endpoint URL")
		return
	}
	s.mu.Lock()
	at, secret := c.webhookURL(), c.Secret
	s.mu.Unlock()
	if call.Endpoint != "" {
		at = call.Endpoint
	}
	body, header := signedByLINE(secret, lineDelivery{c.BotUserID, []lineEvent{}})
	status, answer := s.call(r.Context(), c, sending{http.MethodPost, at, header, body, lineAnswerTime, nil})
	result := map[string]any{
		"success": status >= 200 && status <= 299, "timestamp": s.now().UTC().Format(time.RFC3339Nano), "statusCode": status,
		"reason": "OK", "detail": strconv.Itoa(status),
	}
	switch {
	case status == 0:
		result["reason"], result["detail"] = "COULD_NOT_CONNECT", string(answer)
	case status < 200 || status > 299:
		result["reason"] = "ERROR_STATUS_CODE"
	}
	writeJSON(w, http.StatusOK, result)
}
