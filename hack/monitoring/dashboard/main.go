// Command dashboard takes a picture of a Grafana dashboard with what a Prometheus has in store, where there is no Grafana. The
// panels are drawn by Grafana's own components (draw.jsx) in Chromium; `make dashboard` has them bundled and calls this.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

//go:embed page.html
var document []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, time.Now, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "dashboard: %v\n", err)
		os.Exit(1)
	}
}

// options are what the command line says.
type options struct {
	prometheus, dashboard, bundle, out string
	past                               time.Duration
	end                                string
	width                              int64
	variables                          map[string]string
}

func parse(args []string) (options, error) {
	o := options{variables: map[string]string{}}
	flags := flag.NewFlagSet("dashboard", flag.ContinueOnError)
	flags.StringVar(&o.prometheus, "prometheus", "http://127.0.0.1:9090", "base URL of the Prometheus to ask")
	flags.StringVar(&o.dashboard, "dashboard", "../../config/monitoring/channellink.json", "the dashboard")
	flags.StringVar(&o.bundle, "bundle", "../../bin/dashboard", "folder with draw.jsx as a bundle, draw.js and draw.css")
	flags.StringVar(&o.out, "out", "dashboard.png", "the picture")
	flags.DurationVar(&o.past, "range", 30*time.Minute, "how much of the past is shown")
	flags.StringVar(&o.end, "end", "", "the end of that, as in 2006-01-02T15:04:05Z (default now)")
	flags.Int64Var(&o.width, "width", 1600, "of the picture, in pixels")
	flags.Func("variable", "NAME=REGEX, a variable of the dashboard (default all)", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is not NAME=REGEX", s)
		}
		o.variables[name] = value
		return nil
	})
	return o, flags.Parse(args)
}

func run(ctx context.Context, now func() time.Time, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	to := now()
	if o.end != "" {
		if to, err = time.Parse(time.RFC3339, o.end); err != nil {
			return err
		}
	}
	handler, err := o.handler(to)
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	drawing, err := photograph(ctx, "http://"+listener.Addr().String()+"/", o.width)
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.out, drawing.png, 0o644); err != nil {
		return err
	}
	fmt.Printf("%s: %d kB\n", o.out, len(drawing.png)/1000)
	for _, problem := range drawing.problems {
		fmt.Println("  " + problem)
	}
	return nil
}

// handler serves the page, what it is to draw, and Prometheus.
func (o options) handler(to time.Time) (http.Handler, error) {
	prometheus, err := url.Parse(o.prometheus)
	if err != nil {
		return nil, err
	}
	settings, err := json.Marshal(map[string]any{
		"from": to.Add(-o.past).UnixMilli(), "to": to.UnixMilli(), "variables": o.variables,
	})
	if err != nil {
		return nil, err
	}
	content := func(mime string, data []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mime)
			_, _ = w.Write(data)
		}
	}
	file := func(path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) }
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", content("text/html; charset=utf-8", document))
	mux.Handle("GET /settings.json", content("application/json", settings))
	mux.Handle("GET /dashboard.json", file(o.dashboard))
	for _, name := range []string{"draw.js", "draw.css"} {
		mux.Handle("GET /"+name, file(filepath.Join(o.bundle, name)))
	}
	mux.Handle("/api/v1/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(prometheus) }})
	// Of the icons, only some are in Grafana's packages; the others are left out.
	mux.Handle("GET /public/build/", http.StripPrefix("/public/build/",
		http.FileServer(http.Dir(filepath.Join(o.bundle, "node_modules/@grafana/ui/dist/public")))))
	return mux, nil
}
