package webhookserver

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"channellink.dev/operator/webhookserver/pages"
)

// Every answer is written here, one function for each audience: a person in a browser, a program that speaks JSON, a probe.
// What went wrong inside is in the log alone, under the request's id.

// contentSecurityPolicy of every answer: nothing is loaded, nothing may frame it.
const contentSecurityPolicy = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"

// setSafeHeaders sets what holds for every answer of every port, errors included. Nothing here may be cached, framed,
// guessed at or leak its address to another site.
func setSafeHeaders(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// page is something that a person can look at.
type page interface{ Render(w io.Writer) error }

func writePage(w http.ResponseWriter, code int, p page) {
	var body bytes.Buffer
	if err := p.Render(&body); err != nil {
		panic(err) // a template that does not fit its page: a fault of ours, recovered and logged
	}
	write(w, code, "text/html; charset=utf-8", body.Bytes())
}

// problems by status code. They say nothing of how the server is made.
var problems = map[int]pages.Problem{
	http.StatusNotFound: {
		Title:  "Nothing here",
		Advice: "This address leads nowhere. Go back to the chat and tap Log in there.",
	},
	http.StatusRequestTimeout: {
		Title:  "That took too long",
		Advice: "The request did not arrive in time. Please try again.",
	},
	http.StatusRequestEntityTooLarge: {
		Title:  "Too large",
		Advice: "What was sent is larger than this address takes.",
	},
	http.StatusMisdirectedRequest: {
		Title:  "Wrong address",
		Advice: "This server does not answer to that name.",
	},
	http.StatusInternalServerError: {
		Title:  "Something went wrong",
		Advice: "That is our fault. Please go back to the chat and try again in a moment.",
	},
}

func writeProblemPage(w http.ResponseWriter, code int) {
	p, ok := problems[code]
	if !ok {
		p = pages.Problem{Title: http.StatusText(code), Advice: "Please go back to the chat and try again."}
	}
	p.RequestID = w.Header().Get(requestIDHeader)
	writePage(w, code, p)
}

// jsonProblem is what a program gets. It is told the code in words and nothing else: why a token was refused, say, would
// help nobody but the one who forges it.
type jsonProblem struct {
	Error string `json:"error"`
}

func writeJSONProblem(w http.ResponseWriter, code int) {
	writeJSON(w, code, jsonProblem{Error: http.StatusText(code)})
}

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
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client is gone: nobody is left to be told
}
