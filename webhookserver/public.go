package webhookserver

import (
	"net/http"
	"net/url"
	"path"
	"strings"

	"channellink.dev/operator/webhookserver/pages"
)

// servePublic finds the channel that a request is for, by host and path, and hands it over with the channel's prefix taken
// off. A host that belongs to no channel is answered without a word of it, whatever the
// path is: caches and links to foreign names must not come to stand on our pages.
func (s *Server) servePublic(w http.ResponseWriter, r *http.Request) served {
	hostKnown := false
	for _, ch := range s.channels {
		if !ch.answersTo(r.Host) {
			continue
		}
		hostKnown = true
		rest, ok := ch.below(r.URL.Path)
		if !ok {
			continue
		}
		u := *r.URL
		u.Path, u.RawPath = rest, ""
		r.URL = &u // the request is a copy of ours
		ch.routes.ServeHTTP(w, r)
		return served{route: r.Pattern, channel: ch}
	}
	if !hostKnown {
		writeProblemPage(w, r, http.StatusMisdirectedRequest)
		return served{route: elsewhere}
	}
	nothingHere(w, r)
	return served{route: elsewhere}
}

// clean reports whether p is a path that http.ServeMux takes as it is. Others it would answer with a redirect to a path
// without the channel's prefix.
func clean(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	cleaned := path.Clean(p)
	return cleaned == p || cleaned+"/" == p && !strings.HasSuffix(cleaned, "/")
}

// hidesSlash reports whether a slash of the path came encoded. To a proxy in front it may have been none: what that keeps from
// below /api would be reached as /api%2F.
func hidesSlash(u *url.URL) bool {
	return strings.Count(u.EscapedPath(), "/") != strings.Count(u.Path, "/")
}

// showChannel tells a person who opens the public URL where he is.
func (s *Server) showChannel(c *channel) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		head := headFor(r)
		head.Look = pages.Look{Name: c.DisplayName, Accent: c.Branding.AccentColor}
		writePage(w, http.StatusOK, pages.Landing{Head: head})
	}
}
