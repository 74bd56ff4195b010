package chatsim

import (
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
)

// writeJSON answers with a JSON document.
func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that is gone has nobody left to tell
}

var notice = template.Must(template.New("notice").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:26rem;margin:4rem auto;padding:0 1rem}</style>
<h1 id="{{.Platform}}">{{.Title}}</h1><p>{{.Text}}</p>
{{with .Back}}<p><a href="{{.}}">Back to the chat</a></p><script src="/sim/web/close.js"></script>{{end}}
`))

// pageAnswer is a page that the platform shows in the browser.
type pageAnswer struct {
	// Platform is the id of the heading, so that tests know whose page it is.
	Platform    string
	Title, Text string
	status      int
	// Back leads to the chat; empty for nowhere.
	Back string
}

func writePage(w http.ResponseWriter, p pageAnswer) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(p.status)
	_ = notice.Execute(w, p) // as above
}

// refusePage shows an error of the platform and notes why.
func refusePage(w http.ResponseWriter, r *http.Request, platform, why string) {
	judge(r.Context()).refusal = why
	writePage(w, pageAnswer{platform, "Something is wrong", why + ".", http.StatusBadRequest, ""})
}

// strictQuery returns the parameters if each of the names is there exactly once with a value, and the others of optional at
// most once; and else says what is wrong.
func strictQuery(r *http.Request, names []string, optional ...string) (url.Values, string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, "the query cannot be read"
	}
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
		if len(query[name]) != 1 || query.Get(name) == "" {
			return nil, "want one " + name
		}
	}
	for _, name := range optional {
		known[name] = true
	}
	for name, values := range query {
		if !known[name] {
			return nil, "the parameter " + name + " is none of ours"
		}
		if len(values) != 1 {
			return nil, "want one " + name
		}
	}
	return query, ""
}

// bearer judges the credentials of a call to an API.
func bearer(r *http.Request) (string, bool) {
	const scheme = "Bearer "
	header := r.Header.Values("Authorization")
	if len(header) != 1 || len(header[0]) <= len(scheme) || header[0][:len(scheme)] != scheme {
		judge(r.Context()).credentials = "missing"
		return "", false
	}
	judge(r.Context()).credentials = "wrong" // until the caller finds whose it is
	return header[0][len(scheme):], true
}
