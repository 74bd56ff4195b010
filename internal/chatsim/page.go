package chatsim

import (
	"embed"
	"html/template"
	"net/http"
)

//go:embed web
var web embed.FS

var chatPage = template.Must(template.ParseFS(web, "web/page.html"))

// pagePolicy lets the page run its own and ask nothing but its own. The pictures of a bot's messages come from anywhere, and a
// tap on a button leads anywhere.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src * data:; " +
	"form-action *; base-uri 'none'; frame-ancestors 'none'"

// routePage serves the page where a person plays a chat user, and what it is made of.
func (s *Simulator) routePage() {
	s.routes.HandleFunc("GET /{$}", s.page)
	s.routes.HandleFunc("GET /sim/view", s.onView(s.showView))
	s.routes.HandleFunc("GET /sim/stream", s.onView(s.stream))
	s.routes.HandleFunc("POST /sim/open", s.open)
	s.routes.HandleFunc("GET /sim/pictures/{picture}", picture)
	s.routes.Handle("GET /sim/web/{file}", http.StripPrefix("/sim/", http.FileServerFS(web)))
}

// tab is one way to the company.
type tab struct {
	Path, App, Way string
	Current        bool
}

// page shows one user's chat. What is in it comes by the stream.
func (s *Simulator) page(w http.ResponseWriter, r *http.Request) {
	c, u := s.whose(r.URL.Query().Get("channel"), r.URL.Query().Get("user"))
	if u == nil {
		refusePage(w, r, "chatsim", "there is no such chat")
		return
	}
	shown := struct {
		Channel, User, Name, Company, App string
		Kind                              Kind
		Tabs                              []tab
		Picture                           string
	}{Channel: c.Name, User: u.ID, Name: u.Name, Company: c.displayName(), App: c.app(), Kind: c.Kind, Picture: picturePath(u.ID)}
	s.mu.Lock()
	for _, other := range s.channels {
		if len(other.users) == 0 {
			continue
		}
		way := "directly"
		if other.BotBonnie != nil {
			way = "through BotBonnie"
		}
		shown.Tabs = append(shown.Tabs, tab{chatPath(other, other.users[0]), other.app(), way, other == c})
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", pagePolicy)
	_ = chatPage.Execute(w, shown) // a browser that is gone has nobody left to tell
}
