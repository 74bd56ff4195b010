// Package pages writes the pages that people see in a browser. They are plain HTML: no script, no picture, nothing from
// elsewhere.
package pages

import (
	"embed"
	"html/template"
	"io"
)

//go:embed *.html
var files embed.FS

var templates = template.Must(template.ParseFS(files, "*.html"))

// Channel is what a person sees who opens the channel's public URL itself.
type Channel struct {
	// Name of the channel as its owner shows it.
	Name string
}

// Render writes the page.
func (p Channel) Render(w io.Writer) error { return templates.ExecuteTemplate(w, "channel.html", p) }

// Problem is a page that says what went wrong and what to do, without internals.
type Problem struct {
	Title, Advice string
	// RequestID is what the person may tell to somebody who reads the server's log.
	RequestID string
}

// Render writes the page.
func (p Problem) Render(w io.Writer) error { return templates.ExecuteTemplate(w, "problem.html", p) }
