package webhookserver

import (
	"io"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"channellink.dev/operator/webhookserver/adminapi"
)

// route is one entry of the mount list.
type route struct {
	// pattern as http.ServeMux has it; on the public port it is below the path of the channel's publicURL.
	pattern string
	handler http.HandlerFunc
	// readsBody: the handler receives the body itself. For every other route it is read and thrown away, up to a limit.
	readsBody bool
}

// elsewhere is the pattern of what no other route takes.
const elsewhere = "/"

// The mount list: every route of every port.

func (s *Server) publicRoutes(c *channel) []route {
	return slices.Concat(
		loginRoutes(c.logins),
		s.webhookRoutes(c),
		s.botBonnieRoutes(c),
		s.botAPIRoutes(c),
		s.serviceRoutes(c),
		[]route{
			{"GET /{$}", s.showChannel(c), false},
			{elsewhere, nothingHere, false},
		},
	)
}

func (s *Server) opsRoutes() []route {
	return []route{
		{"GET /healthz", s.healthz, false},
		{"GET /readyz", s.readyz, false},
		{"GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP, false},
		{elsewhere, nothingForPrograms, false},
	}
}

func (s *Server) adminRoutes() []route {
	return []route{
		{"GET " + adminapi.StatusPath, s.authorized(s.showStatus), true},
		{"PUT " + adminapi.UnlinksPath + "{id}", s.authorized(s.putUnlink), true},
		{elsewhere, nothingForPrograms, false},
	}
}

// mount puts the routes into a mux; problem answers when a body that nobody asked for is too much.
func mount(routes []route, problem problemWriter) *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range routes {
		handler := r.handler
		if !r.readsBody {
			handler = withoutBody(handler, problem)
		}
		mux.HandleFunc(r.pattern, handler)
	}
	return mux
}

func withoutBody(next http.HandlerFunc, problem problemWriter) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := receive(w, r, io.Discard, maxStrayBody); err != nil {
			problem(w, r, bodyProblem(err))
			return
		}
		next(w, r)
	}
}

func nothingHere(w http.ResponseWriter, r *http.Request) { writeProblemPage(w, r, http.StatusNotFound) }

func nothingForPrograms(w http.ResponseWriter, r *http.Request) {
	writeJSONProblem(w, r, http.StatusNotFound)
}
