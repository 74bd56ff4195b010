package chatsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// routeControl serves the API that a test drives the simulator with. It has no credentials: whoever reaches it is the test.
func (s *Simulator) routeControl() {
	const user = "/sim/channels/{channel}/users/{user}"
	s.routes.HandleFunc("GET /sim/channels/{channel}/users", s.onChannel(s.listUsers))
	s.routes.HandleFunc("POST /sim/channels/{channel}/users", s.onChannel(s.createUser))
	s.routes.HandleFunc("GET "+user, s.onUser(s.showUser))
	s.routes.HandleFunc("POST "+user+"/login", s.onUser(s.tapLogin))
	s.routes.HandleFunc("POST "+user+"/logout", s.onUser(s.tapLogout))
	s.routes.HandleFunc("POST "+user+"/attack", s.onUser(s.attack))
	s.routes.HandleFunc("GET "+user+"/messages", s.onUser(s.listMessages))
	s.routes.HandleFunc("POST "+user+"/messages", s.onUser(s.postMessage))
	s.routes.HandleFunc("POST "+user+"/press", s.onUser(s.pressButton))
	s.routes.HandleFunc("PUT /sim/channels/{channel}", s.putChannel)
	s.routes.HandleFunc("PUT /sim/channels/{channel}/credentials", s.onChannel(s.setCredentials))
	s.routes.HandleFunc("PUT /sim/channels/{channel}/switches", s.onChannel(s.setSwitches))
	s.routes.HandleFunc("POST /sim/channels/{channel}/verify", s.onChannel(s.verify))
	s.routes.HandleFunc("POST /sim/channels/{channel}/redeliver", s.onChannel(s.redeliver))
	s.routes.HandleFunc("PUT /sim/clock", s.setClock)
	s.routes.HandleFunc("POST /sim/faults", s.addFault)
	s.routes.HandleFunc("DELETE /sim/faults", s.clearFaults)
	s.routes.HandleFunc("POST /sim/requests", s.addRequest)
	s.routes.HandleFunc("GET /sim/requests", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, s.log.all())
	})
	s.routes.HandleFunc("DELETE /sim/requests", func(w http.ResponseWriter, _ *http.Request) {
		s.log.forget()
		w.WriteHeader(http.StatusNoContent)
	})
	s.routes.HandleFunc("GET /sim/browser", s.beUser)
}

// Login is what a tap on Log in opens.
type Login struct {
	URL string `json:"url"`
	// Token is the linkToken or account_linking_token in it.
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

func failed(w http.ResponseWriter, status int, why string) {
	writeJSON(w, status, map[string]string{"error": why})
}

// onChannel finds the channel that the path names.
func (s *Simulator) onChannel(next func(http.ResponseWriter, *http.Request, *channel)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		c := s.find(func(c *channel) bool { return c.Name == r.PathValue("channel") })
		s.mu.Unlock()
		if c == nil {
			failed(w, http.StatusNotFound, "no such channel")
			return
		}
		next(w, r, c)
	}
}

// onUser finds the channel and the user that the path names.
func (s *Simulator) onUser(next func(http.ResponseWriter, *http.Request, *channel, *user)) http.HandlerFunc {
	return s.onChannel(func(w http.ResponseWriter, r *http.Request, c *channel) {
		s.mu.Lock()
		u := c.user(r.PathValue("user"))
		s.mu.Unlock()
		if u == nil {
			failed(w, http.StatusNotFound, "no such user")
			return
		}
		next(w, r, c, u)
	})
}

// read reads the JSON body of a control request; on false it has answered.
func read(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		failed(w, http.StatusBadRequest, fmt.Sprintf("reading the body: %v", err))
		return false
	}
	return true
}

func (s *Simulator) listUsers(w http.ResponseWriter, _ *http.Request, c *channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := []UserState{}
	for _, u := range c.users {
		states = append(states, u.state())
	}
	writeJSON(w, http.StatusOK, states)
}

func (s *Simulator) createUser(w http.ResponseWriter, r *http.Request, c *channel) {
	var u User
	if !read(w, r, &u) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.ID != "" && c.user(u.ID) != nil {
		failed(w, http.StatusConflict, "there is a user of that id")
		return
	}
	writeJSON(w, http.StatusCreated, s.addUser(c, u).state())
}

func (s *Simulator) showUser(w http.ResponseWriter, _ *http.Request, _ *channel, u *user) {
	s.mu.Lock()
	defer s.mu.Unlock()
	writeJSON(w, http.StatusOK, u.state())
}

func (s *Simulator) tapLogin(w http.ResponseWriter, _ *http.Request, c *channel, u *user) {
	writeJSON(w, http.StatusOK, s.login(c, u))
}

// login taps Log in for the user.
func (s *Simulator) login(c *channel, u *user) Login {
	s.mu.Lock()
	defer s.mu.Unlock()
	u.active = s.nowLocked()
	t := s.issue(c, u)
	return Login{t.loginURL(c.authorizeURL()), t.text, t.expires}
}

func (s *Simulator) tapLogout(w http.ResponseWriter, r *http.Request, c *channel, u *user) {
	err := s.logOut(r.Context(), c, u)
	switch {
	case errors.Is(err, errNotLinked), errors.Is(err, errNoLogout):
		failed(w, http.StatusConflict, err.Error())
	default:
		s.showUser(w, r, c, u)
	}
}

func (s *Simulator) setSwitches(w http.ResponseWriter, r *http.Request, c *channel) {
	var switches Switches
	if !read(w, r, &switches) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.switches = switches
	writeJSON(w, http.StatusOK, switches)
}

func (s *Simulator) verify(w http.ResponseWriter, r *http.Request, c *channel) {
	if c.Kind != Messenger {
		failed(w, http.StatusConflict, "LINE verifies no webhook by GET")
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"verified": s.verifyWebhook(r.Context(), c)})
}

// redeliver sends the last webhook once more, as the platforms do when they have not seen an answer.
func (s *Simulator) redeliver(w http.ResponseWriter, r *http.Request, c *channel) {
	s.mu.Lock()
	last := c.last
	s.mu.Unlock()
	if last == nil {
		failed(w, http.StatusConflict, "nothing has been sent yet")
		return
	}
	writeJSON(w, http.StatusOK, map[string]bool{"acknowledged": s.post(r.Context(), c, last, true)})
}

func (s *Simulator) setClock(w http.ResponseWriter, r *http.Request) {
	var clock struct {
		// OffsetSeconds is how far the simulator is ahead of the real time.
		OffsetSeconds int `json:"offsetSeconds"`
	}
	if !read(w, r, &clock) {
		return
	}
	s.mu.Lock()
	s.offset = time.Duration(clock.OffsetSeconds) * time.Second
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]time.Time{"now": s.now()})
}

func (s *Simulator) addFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if !read(w, r, &f) {
		return
	}
	if f.Path == "" || f.Status != 0 && (f.Status < 200 || f.Status > 599) || f.Delay < 0 || f.Times < 0 {
		failed(w, http.StatusBadRequest, "want a path, and status, delay and times that can be")
		return
	}
	s.mu.Lock()
	s.faults = append(s.faults, &f)
	s.mu.Unlock()
	writeJSON(w, http.StatusCreated, f)
}

// beUser makes the browser that of a LINE user: GET /sim/browser?user=U….
func (s *Simulator) beUser(w http.ResponseWriter, r *http.Request) {
	setBrowserUser(w, r.URL.Query().Get("user"))
	writePage(w, pageAnswer{"chatsim", "Signed in at LINE", "This browser is signed in now.", http.StatusOK, ""})
}

func setBrowserUser(w http.ResponseWriter, id string) {
	// Not Secure: a simulator on plain http must work in every browser.
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // it guards nothing
		Name: browserCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}
