package chatsim

import "net/http"

// linkingField is the event that tells of a link.
const linkingField = "messaging_account_linking"

// botBonnieWebhook is where an app of BotBonnie's gets its events.
const botBonnieWebhook = "https://botbonnie.example/webhook"

// appID is the app of a page: each has one of its own here.
func (c *channel) appID() string { return "1" + c.PageID }

// appToken is the access token of the app, made of its id and its secret (Facebook Login, access tokens).
func (c *channel) appToken() string { return c.appID() + "|" + c.Secret }

// fields are the events that are asked for. A caller holds the mutex.
func (c *channel) fields() []string {
	fields := []string{"messages", "messaging_postbacks"}
	if !c.switches.WebhookOff {
		fields = append(fields, linkingField)
	}
	return fields
}

// graphApp tells to which app a token was issued.
func (s *Simulator) graphApp(w http.ResponseWriter, r *http.Request) {
	if c, ok := s.graphCall(w, r); ok {
		writeJSON(w, http.StatusOK, map[string]string{"id": c.appID()})
	}
}

// graphEdge finds the edge of a node. A pattern for each edge would meet with other paths of the simulator.
func (s *Simulator) graphEdge(w http.ResponseWriter, r *http.Request) {
	switch r.PathValue("edge") {
	case "subscribed_apps":
		s.graphSubscribed(w, r)
	case "subscriptions":
		s.graphWebhooks(w, r)
	default:
		http.NotFound(w, r)
	}
}

// graphSubscribed tells which events of the page the app gets.
func (s *Simulator) graphSubscribed(w http.ResponseWriter, r *http.Request) {
	c, ok := s.graphCall(w, r)
	if !ok {
		return
	}
	if page := r.PathValue("node"); page != "me" && page != c.PageID {
		graphError(w, r, http.StatusBadRequest, graphBadParameter, 33, "Unsupported get request.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"data": []any{map[string]any{
		"name": c.displayName(), "id": c.appID(), "subscribed_fields": c.fields(),
	}}})
}

// graphWebhooks tells which webhook the app has, for pages. It is asked with the token of the app.
func (s *Simulator) graphWebhooks(w http.ResponseWriter, r *http.Request) {
	c, ok := s.graphCallWith(w, r, (*channel).appToken)
	if !ok {
		return
	}
	if r.PathValue("node") != c.appID() {
		graphError(w, r, http.StatusBadRequest, graphBadParameter, 33, "Unsupported get request.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := c.webhookURL()
	if c.BotBonnie != nil {
		at = botBonnieWebhook
	}
	var fields []map[string]string
	for _, name := range c.fields() {
		fields = append(fields, map[string]string{"name": name, "version": r.PathValue("version")})
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": []any{map[string]any{
		"object": "page", "callback_url": at, "active": true, "fields": fields,
	}}})
}
