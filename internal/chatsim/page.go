package chatsim

import (
	"hash/fnv"
	"html/template"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"net/url"
	"strings"
)

// routePage serves the page where a person plays the chat users, and their pictures.
func (s *Simulator) routePage() {
	s.routes.HandleFunc("GET /{$}", s.chat)
	s.routes.HandleFunc("POST /sim/tap", s.tap)
	s.routes.HandleFunc("GET /sim/pictures/{picture}", picture)
}

var chatPage = template.Must(template.New("chat").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chat simulator</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }
section { border: 1px solid #8884; border-radius: .75rem; padding: 1rem; margin: 1rem 0 }
form { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; padding: .5rem 0 }
form span { flex: 1 1 14rem; min-width: 0; overflow-wrap: anywhere } small { display: block; opacity: .7 }
img { border-radius: 50% } button { font: inherit; min-height: 2.5rem; padding: 0 1rem }
h2 { margin: 0; font-size: 1.1rem }
</style>
<h1>Chat simulator</h1>
<p>Each row is somebody in a chat. <strong>Log in</strong> opens what the chat app would open; this browser is that user then.</p>
{{range .}}<section><h2>{{.Name}}: {{.Kind}}{{if .BotBonnie}} behind BotBonnie{{end}}</h2>
{{$channel := .Name}}{{range .People}}<form method="post" action="/sim/tap">
<input type="hidden" name="channel" value="{{$channel}}"><input type="hidden" name="user" value="{{.ID}}">
<img src="/sim/pictures/{{.ID}}.png" alt="" width="40" height="40">
<span>{{.Name}}<small>{{.ID}}</small><small>{{if .Linked}}linked{{else}}not linked{{end}}</small></span>
<button name="button" value="login">Log in</button>{{if .Linked}}<button name="button" value="logout">Log out</button>{{end}}
</form>{{else}}<p>Nobody yet.</p>{{end}}</section>{{end}}
`))

// chat shows who is in the chats.
func (s *Simulator) chat(w http.ResponseWriter, _ *http.Request) {
	type room struct {
		Channel
		People []UserState
	}
	var rooms []room
	s.mu.Lock()
	for _, c := range s.channels {
		r := room{Channel: c.Channel}
		for _, u := range c.users {
			r.People = append(r.People, u.state())
		}
		rooms = append(rooms, r)
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = chatPage.Execute(w, rooms) // a browser that is gone has nobody left to tell
}

// tap is a press on one of the page's buttons.
func (s *Simulator) tap(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	name, id := r.PostFormValue("channel"), r.PostFormValue("user")
	s.mu.Lock()
	c := s.find(func(c *channel) bool { return c.Name == name })
	var u *user
	if c != nil {
		u = c.user(id)
	}
	s.mu.Unlock()
	if u == nil {
		refusePage(w, r, "chatsim", "there is no such user")
		return
	}
	setBrowserUser(w, u.ID)
	if r.PostFormValue("button") == "login" {
		http.Redirect(w, r, s.login(c, u).URL, http.StatusSeeOther)
		return
	}
	if err := s.logOut(r.Context(), c, u); err != nil {
		refusePage(w, r, "chatsim", err.Error())
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// pictureURL is for the server, which fetches the picture itself.
func (s *Simulator) pictureURL(u *user) string {
	return s.config.APIURL + "/sim/pictures/" + url.PathEscape(u.ID) + ".png"
}

// picture draws a face of the user's own: mirrored squares, by his id.
func picture(w http.ResponseWriter, r *http.Request) {
	const cells, cell, margin = 5, 16, 8
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(strings.TrimSuffix(r.PathValue("picture"), ".png"))) // never fails
	bits := hash.Sum64()
	ink := color.RGBA{uint8(bits>>40)/2 + 32, uint8(bits>>48)/2 + 32, uint8(bits>>56)/2 + 32, 255} //nolint:gosec // a byte of each
	const side = cells*cell + 2*margin
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{235, 238, 242, 255}), image.Point{}, draw.Src)
	for y := range cells {
		for x := range cells {
			if bits>>(y*3+min(x, cells-1-x))&1 == 1 {
				at := image.Rect(0, 0, cell, cell).Add(image.Pt(margin+x*cell, margin+y*cell))
				draw.Draw(img, at, image.NewUniform(ink), image.Point{}, draw.Src)
			}
		}
	}
	w.Header().Set("Content-Type", "image/png")
	_ = png.Encode(w, img) // as above
}
