package chatsim

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
)

// Said is what a user says.
type Said struct {
	Text string `json:"text"`
}

// Press is a tap on a button of a message.
type Press struct {
	Button int `json:"button"`
}

// Credentials are what a console can renew.
type Credentials struct {
	// AccessToken of the channel or page, and APIToken of its bot at BotBonnie; empty for as it was.
	AccessToken string `json:"accessToken,omitempty"`
	APIToken    string `json:"apiToken,omitempty"`
	// Secret is the key of the webhooks' signatures from now on.
	Secret string `json:"secret,omitempty"`
}

// listMessages shows the user's chat.
func (s *Simulator) listMessages(w http.ResponseWriter, _ *http.Request, _ *channel, u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	writeJSON(w, http.StatusOK, u.messages())
}

// maxSaid is the length of what a user says: LINE's.
const maxSaid = maxLINEText

// postMessage has the user say something, and answers when whoever listens has taken it.
func (s *Simulator) postMessage(w http.ResponseWriter, r *http.Request, c *channel, u *user) {
	var said Said
	if !read(w, r, &said) {
		return
	}
	if n := len([]rune(said.Text)); n == 0 || n > maxSaid {
		failed(w, http.StatusBadRequest, "want some text, and not too much")
		return
	}
	s.say(r.Context(), c, u, said.Text)
	s.listMessages(w, r, c, u)
}

// pressButton taps a button.
func (s *Simulator) pressButton(w http.ResponseWriter, r *http.Request, c *channel, u *user) {
	var p Press
	if !read(w, r, &p) {
		return
	}
	pressed, err := s.press(r.Context(), c, u, p.Button)
	switch {
	case errors.Is(err, errNoButton):
		failed(w, http.StatusNotFound, err.Error())
	case err != nil:
		failed(w, http.StatusConflict, err.Error())
	default:
		writeJSON(w, http.StatusOK, pressed)
	}
}

// putChannel opens a chat, or opens it anew: users and what they said are gone then.
func (s *Simulator) putChannel(w http.ResponseWriter, r *http.Request) {
	var c Channel
	if !read(w, r, &c) {
		return
	}
	c.Name = r.PathValue("channel")
	if err := c.validate(); err != nil {
		failed(w, http.StatusBadRequest, err.Error())
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.channels = slices.DeleteFunc(s.channels, func(old *channel) bool { return old.Name == c.Name })
	s.addChannel(c)
	s.changed()
	w.WriteHeader(http.StatusNoContent)
}

// setCredentials renews tokens: the old ones are good no longer.
func (s *Simulator) setCredentials(w http.ResponseWriter, r *http.Request, c *channel) {
	var renewed Credentials
	if !read(w, r, &renewed) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.accessToken = cmp.Or(renewed.AccessToken, c.accessToken)
	c.apiToken = cmp.Or(renewed.APIToken, c.apiToken)
	c.Secret = cmp.Or(renewed.Secret, c.Secret)
	w.WriteHeader(http.StatusNoContent)
}

// clearFaults forgets what was to go wrong.
func (s *Simulator) clearFaults(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
	w.WriteHeader(http.StatusNoContent)
}

// addRequest takes a program's word for a request between itself and another, so that the record shows the whole wire.
func (s *Simulator) addRequest(w http.ResponseWriter, r *http.Request) {
	var told Request
	if !read(w, r, &told) {
		return
	}
	told.At = s.now()
	s.log.add(told)
	w.WriteHeader(http.StatusNoContent)
}
