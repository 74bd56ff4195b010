package webhookserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/config"
)

func TestPublicURLNamesTheChannel(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/hr", "/hr/"} {
		a := w.get(t, path)
		if a.Code != http.StatusOK {
			t.Errorf("GET %s: %d, want 200", path, a.Code)
		}
		if !strings.Contains(a.Body, "<h1>Vision &lt;HR&gt;</h1>") {
			t.Errorf("GET %s: the page does not name the channel, escaped (C24):\n%s", path, a.Body)
		}
	}
}

// C19: every answer of every port carries the headers that keep it out of frames and caches, and an HTML answer is a whole
// page, errors included.
func TestEveryAnswerHasSafeHeaders(t *testing.T) {
	w := newWorld(t)
	want := map[string]string{
		"Cache-Control":          "no-store",
		"Referrer-Policy":        "no-referrer",
		"X-Content-Type-Options": "nosniff",
		"X-Frame-Options":        "DENY",
	}
	policy := []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"}
	for name, tc := range map[string]struct {
		method, url string
		change      func(*http.Request)
		code        int
		html        bool
	}{
		"channel":           {method: "GET", url: w.Public + "/hr", code: 200, html: true},
		"head":              {method: "HEAD", url: w.Public + "/hr", code: 200},
		"not found":         {method: "GET", url: w.Public + "/hr/nothing", code: 404, html: true},
		"outside the path":  {method: "GET", url: w.Public + "/hrx", code: 404, html: true},
		"other method":      {method: "POST", url: w.Public + "/hr", code: 404, html: true},
		"made-up method":    {method: "BREW", url: w.Public + "/hr", code: 404, html: true},
		"double slash":      {method: "GET", url: w.Public + "//hr", code: 404, html: true},
		"dots":              {method: "GET", url: w.Public + "/hr/../hr", code: 404, html: true},
		"encoded slash":     {method: "GET", url: w.Public + "/hr%2Fauthorize", code: 404, html: true},
		"encoded dots":      {method: "GET", url: w.Public + "/hr/%2e%2e/hr", code: 404, html: true},
		"other host":        {method: "GET", url: w.Public + "/hr", change: func(r *http.Request) { r.Host = "evil.example" }, code: 421, html: true},
		"too large":         {method: "POST", url: w.Public + "/hr", change: announceLarge, code: 413, html: true},
		"healthz":           {method: "GET", url: w.Ops + "/healthz", code: 200},
		"metrics":           {method: "GET", url: w.Ops + "/metrics", code: 200},
		"ops not found":     {method: "GET", url: w.Ops + "/debug/pprof/", code: 404},
		"ops double slash":  {method: "GET", url: w.Ops + "//healthz", code: 404},
		"admin, no token":   {method: "GET", url: w.Admin + "/admin/v1/status", code: 401},
		"admin not found":   {method: "GET", url: w.Admin + "/", code: 404},
		"admin, wrong verb": {method: "DELETE", url: w.Admin + "/admin/v1/status", code: 404},
	} {
		t.Run(name, func(t *testing.T) {
			a := do(t, tc.method, tc.url, func(r *http.Request) {
				r.Host = visionHost
				if tc.change != nil {
					tc.change(r)
				}
			})
			if a.Code != tc.code {
				t.Errorf("got %d, want %d", a.Code, tc.code)
			}
			for header, value := range want {
				if got := a.Header.Get(header); got != value {
					t.Errorf("%s: got %q, want %q", header, got, value)
				}
			}
			for _, directive := range policy {
				if got := a.Header.Get("Content-Security-Policy"); !strings.Contains(got, directive) {
					t.Errorf("Content-Security-Policy: got %q, want %s in it", got, directive)
				}
			}
			if got := a.Header.Get("Content-Type") == "text/html; charset=utf-8"; tc.html && !got {
				t.Errorf("Content-Type: got %q, want a page", a.Header.Get("Content-Type"))
			}
			if tc.html && !strings.HasPrefix(a.Body, "<!DOCTYPE html>\n<html lang=\"en\">") {
				t.Errorf("not a page:\n%s", a.Body)
			}
			if a.Header.Get("Location") != "" || a.Header.Get("Set-Cookie") != "" {
				t.Errorf("got a redirect or a cookie: %v", a.Header)
			}
		})
	}
}

// C26: the Host header decides whether a request is for us, and is repeated nowhere.
func TestHost(t *testing.T) {
	w := newWorld(t)
	for name, tc := range map[string]struct {
		reason, host string
		code         int
	}{
		"public host":               {"the host of publicURL", visionHost, 200},
		"with a port":               {"proxies differ in whether they pass the port on", visionHost + ":8443", 200},
		"in capitals":               {"host names know no case", strings.ToUpper(visionHost), 200},
		"own Service":               {"siblings call by the Service's name", "vision-hr.hr.svc", 200},
		"own Service, with domain":  {"the usual domain of a cluster", "vision-hr.hr.svc.cluster.local:80", 200},
		"other namespace's Service": {"another namespace is another owner", "vision-hr.sales.svc", 421},
		"Service in a domain":       {"a public name that somebody made so that it looks like a Service", "vision-hr.hr.svc.evil.example", 421},
		"namespace in a domain":     {"a public name that only looks like a Service", "vision-hr.hr.svcs.evil.example", 421},
		"unknown host":              {"a cache or a page elsewhere under our roof", "evil.example", 421},
		"below our host":            {"a subdomain is another host", "x." + visionHost, 421},
		"our host as a prefix":      {"the end of a name says whose it is", visionHost + ".evil.example", 421},
		"address":                   {"a scanner", "127.0.0.1", 421},
		"user information":          {"no host at all", "evil.example@" + visionHost, 421},
	} {
		t.Run(name, func(t *testing.T) {
			a := do(t, http.MethodGet, w.Public+"/hr", func(r *http.Request) { r.Host = tc.host })
			if a.Code != tc.code {
				t.Errorf("got %d, want %d: %s", a.Code, tc.code, tc.reason)
			}
			if said := a.Body + fmt.Sprint(a.Header); strings.Contains(said, "evil") || strings.Contains(said, tc.host) {
				t.Errorf("the host is repeated:\n%s", said)
			}
		})
	}
}

// C25: no forwarding header changes an answer, whatever it says.
func TestForwardingHeadersChangeNothing(t *testing.T) {
	w := newWorld(t, func(_ *world, s *config.Settings) { s.Channels[0].TrustedProxyHops = 1 })
	plain := func(a answer) answer {
		for _, each := range []string{"Date", "X-Request-Id"} {
			id := a.Header.Get(each)
			a.Header.Del(each)
			if id != "" {
				a.Body = strings.ReplaceAll(a.Body, id, "")
			}
		}
		return a
	}
	for _, path := range []string{"/hr", "/hr/nothing"} {
		want := plain(w.get(t, path))
		for _, header := range []string{
			"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Uri", "X-Forwarded-Prefix", "X-Forwarded-Port", "X-Forwarded-For",
			"X-Forwarded-Server", "X_Forwarded_Host", "X-Original-Url", "X-Rewrite-Url", "X-Real-Ip", "Forwarded", "X-Host",
			"X-Request-Id", "X-Http-Method-Override",
		} {
			for _, value := range []string{"evil.example", "https://evil.example/x", "203.0.113.9", "host=evil.example;proto=http", "POST"} {
				got := plain(do(t, http.MethodGet, w.Public+path, func(r *http.Request) {
					r.Host = visionHost
					r.Header[header] = []string{value}
				}))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: %s changes GET %s (-want +got):\n%s", header, value, path, diff)
				}
			}
		}
	}
}

// A second channel of the same process is its own under its own path and host.
func TestChannelsAreToldApart(t *testing.T) {
	w := newWorld(t, func(_ *world, s *config.Settings) {
		sales := s.Channels[0]
		sales.UID, sales.Name, sales.PageID = "uid-of-sales", "vision-sales", "508"
		sales.DisplayName, sales.PublicURL = "Vision Sales", "https://"+visionHost+"/sales"
		other := s.Channels[0]
		other.UID, other.Name, other.PageID = "uid-of-other", "other", "509"
		other.DisplayName, other.PublicURL = "Other Company", "https://other.example"
		s.Channels = append(s.Channels, sales, other)
	})
	for _, tc := range []struct {
		host, path, says string
		code             int
	}{
		{visionHost, "/hr", "Vision &lt;HR&gt;", 200},
		{visionHost, "/sales", "Vision Sales", 200},
		{visionHost, "/", "Nothing here", 404},
		{"other.example", "/", "Other Company", 200},
		{"other.example", "/hr", "Nothing here", 404},
	} {
		a := do(t, http.MethodGet, w.Public+tc.path, func(r *http.Request) { r.Host = tc.host })
		if a.Code != tc.code || !strings.Contains(a.Body, "<h1>"+tc.says+"</h1>") {
			t.Errorf("%s%s: got %d, want %d and %q in\n%s", tc.host, tc.path, a.Code, tc.code, tc.says, a.Body)
		}
	}
}
