package webhookserver_test

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// contract is docs/openapi.yaml. Every answer that a test of this package gets is held against it.
type contract struct {
	document *openapi3.T
	paths    map[string]*regexp.Regexp // by template
	seen     sync.Map                  // answers that were judged already: the same one is the same again
}

var theContract = sync.OnceValues(func() (*contract, error) {
	document, err := openapi3.NewLoader().LoadFromFile(filepath.Join("..", "docs", "openapi.yaml"))
	if err != nil {
		return nil, err
	}
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	c := &contract{document: document, paths: map[string]*regexp.Regexp{}}
	parameter := regexp.MustCompile(`\\\{\w+\\\}`)
	for path, item := range document.Paths.Map() {
		pattern := parameter.ReplaceAllString(regexp.QuoteMeta(path), `[^/]+`)
		if len(item.Servers) == 0 { // the public port: below the path of the channel's public URL
			pattern = "/hr" + pattern
		}
		c.paths[path] = regexp.MustCompile("^" + pattern + "$")
	}
	return c, nil
})

// operation finds what the document says of a request; nil for what is no route.
func (c *contract) operation(r *http.Request) *routers.Route {
	for template, pattern := range c.paths {
		item := c.document.Paths.Find(template)
		if operation := item.GetOperation(r.Method); operation != nil && pattern.MatchString(r.URL.Path) {
			return &routers.Route{Spec: c.document, Path: template, PathItem: item, Method: r.Method, Operation: operation}
		}
	}
	return nil
}

// documented holds an answer against the document: its code, the headers and the body.
func documented(t testing.TB, r *http.Request, a answer) {
	t.Helper()
	c, err := theContract()
	if err != nil {
		t.Fatal(err)
	}
	route := c.operation(r)
	if route == nil || notThere[a.Code] && strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		return
	}
	key := strings.Join([]string{r.Method, route.Path, http.StatusText(a.Code), a.Header.Get("Content-Type"), a.Body}, "\n")
	if _, judged := c.seen.LoadOrStore(key, true); judged {
		return
	}
	err = openapi3filter.ValidateResponse(context.WithoutCancel(t.Context()), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route},
		Status:                 a.Code, Header: a.Header, Body: io.NopCloser(strings.NewReader(a.Body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("docs/openapi.yaml knows another answer to %s %s than %d: %v", r.Method, route.Path, a.Code, err)
	}
}

// notThere are the codes of the page for a route that is not mounted, or not for this host.
var notThere = map[int]bool{http.StatusNotFound: true, http.StatusMisdirectedRequest: true}
