package webhookserver

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"

	"channellink.dev/operator/webhookserver/pages"
)

// Every answer is written here, one function for each audience: a person in a browser, a program that speaks JSON, a probe.
// What went wrong inside is in the log alone, under the request's id.

// contentSecurityPolicy of every answer: nothing is loaded, nothing may frame it. A page adds its own style.
const contentSecurityPolicy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"

// safeHeaders hold for every answer of every port, errors included. Nothing of ours may be cached, framed, guessed at or leak
// its address to another site. The values are shared by all answers, so that they cost none of them anything: a handler
// that wants another sets a value of its own.
var safeHeaders = map[string][]string{
	"Cache-Control":           {"no-store"},
	"Content-Security-Policy": {contentSecurityPolicy},
	"Referrer-Policy":         {"no-referrer"},
	"X-Content-Type-Options":  {"nosniff"},
	"X-Frame-Options":         {"DENY"},
}

func setSafeHeaders(h http.Header) { maps.Copy(h, safeHeaders) }

// problemWriter answers with a problem in the form that a port's callers understand.
type problemWriter func(w http.ResponseWriter, r *http.Request, code int)

// page is something that a person can look at.
type page interface {
	Document() (pages.Document, error)
}

func writePage(w http.ResponseWriter, code int, p page) {
	document, err := p.Document()
	if err != nil {
		panic(err) // a template that does not fit its page: a fault of ours, recovered and logged
	}
	w.Header().Set("Content-Security-Policy", document.ContentSecurityPolicy)
	write(w, code, "text/html; charset=utf-8", document.HTML)
}

// problems by status code, for what can go wrong before a channel is known.
var problems = map[int]pages.ProblemKind{
	http.StatusNotFound:           pages.ProblemNotFound,
	http.StatusMisdirectedRequest: pages.ProblemNotFound,
	http.StatusRequestTimeout:     pages.ProblemBusy,
	http.StatusServiceUnavailable: pages.ProblemBusy,
}

func writeProblemPage(w http.ResponseWriter, r *http.Request, code int) {
	kind, ok := problems[code]
	switch {
	case ok:
	case code < http.StatusInternalServerError:
		kind = pages.ProblemParameters
	default:
		kind = pages.ProblemInternal
	}
	head := headFor(r)
	head.RequestID = w.Header().Get(requestIDHeader)
	writePage(w, code, pages.Trouble{Head: head, Kind: kind})
}

// headFor is the head of a page in the language that the browser prefers.
func headFor(r *http.Request) pages.Head {
	return pages.Head{Language: pages.Match(r.Header.Values("Accept-Language")...)}
}

// jsonProblem is what a program gets. It is told the code in words and nothing else: why a token was refused, say, would
// help nobody but the one who forges it.
type jsonProblem struct {
	Error string `json:"error"`
}

func writeJSONProblem(w http.ResponseWriter, _ *http.Request, code int) {
	if code == http.StatusUnauthorized {
		write(w, code, "application/json", unauthorized)
		return
	}
	writeJSON(w, code, jsonProblem{Error: http.StatusText(code)})
}

// unauthorized is the answer to a forgery, as jsonProblem would be written: whoever sends them in floods shall cost little.
var unauthorized = []byte(`{"error":"Unauthorized"}` + "\n")

func writeJSON(w http.ResponseWriter, code int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // a type that JSON has no word for: a fault of ours, recovered and logged
	}
	write(w, code, "application/json", append(body, '\n'))
}

func writeText(w http.ResponseWriter, code int, text string) {
	write(w, code, "text/plain; charset=utf-8", []byte(text+"\n"))
}

func write(w http.ResponseWriter, code int, contentType string, body []byte) {
	h := w.Header()
	h["Content-Type"], h["Content-Length"] = []string{contentType}, []string{strconv.Itoa(len(body))}
	w.WriteHeader(code)
	_, _ = w.Write(body) //nolint:gosec // pages come from templates, all else is no HTML; an error means that the client is gone
}
