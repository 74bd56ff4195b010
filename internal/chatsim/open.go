package chatsim

import (
	"net/http"
	"net/url"
	"strconv"
)

// open is a tap on a button that opens something. The browser is the user's at LINE from then on, and goes where the app's own
// browser would.
func (s *Simulator) open(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	c, u := s.whose(r.PostFormValue("channel"), r.PostFormValue("user"))
	if u == nil {
		refusePage(w, r, "chatsim", "there is no such user")
		return
	}
	button, err := strconv.Atoi(r.PostFormValue("button"))
	if err != nil {
		refusePage(w, r, "chatsim", "there is no such button")
		return
	}
	pressed, err := s.press(r.Context(), c, u, button)
	if err != nil {
		refusePage(w, r, "chatsim", err.Error())
		return
	}
	setBrowserUser(w, u.ID)
	if pressed.Open == "" {
		pressed.Open = chatPath(c, u)
	} else {
		s.log.add(Request{
			At: s.now(), From: theBrowser, To: theServer, Channel: c.Name, User: u.ID, Method: http.MethodGet, Path: pressed.Open,
		})
	}
	http.Redirect(w, r, pressed.Open, http.StatusSeeOther)
}

// chatPath is the page with the user's chat.
func chatPath(c *channel, u *user) string {
	return "/?" + url.Values{"channel": {c.Name}, "user": {u.ID}}.Encode()
}
