package chatsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// readEvery is how often an open page has Kubernetes asked for what it shows.
const readEvery = 1500 * time.Millisecond

// showView answers with the view as it is now.
func (s *Simulator) showView(w http.ResponseWriter, r *http.Request, c *channel, u *user) {
	writeJSON(w, http.StatusOK, s.view(c, u, s.resource(r.Context(), c)))
}

// stream sends the view, and sends it again whenever there is something new to see, as server-sent events.
func (s *Simulator) stream(w http.ResponseWriter, r *http.Request, c *channel, u *user) {
	control := http.NewResponseController(w)
	if err := control.SetWriteDeadline(time.Time{}); err != nil { // a page stays open for hours
		failed(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	again := time.NewTicker(readEvery)
	defer again.Stop()
	resource := s.resource(r.Context(), c)
	var last []byte
	for {
		watch := s.watch() // before the look, or what comes in between would be missed
		now, err := json.Marshal(s.view(c, u, resource))
		if err != nil {
			panic(err) // strings and numbers
		}
		if !bytes.Equal(now, last) {
			if _, err := fmt.Fprintf(w, "data: %s\n\n", now); err != nil || control.Flush() != nil {
				return // the page is gone
			}
			last = now
		}
		select {
		case <-r.Context().Done():
			return
		case <-watch:
		case <-again.C:
			resource = s.resource(r.Context(), c)
		}
	}
}

// watch is closed when there is something new to see.
func (s *Simulator) watch() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watchers
}
