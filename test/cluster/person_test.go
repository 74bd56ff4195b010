//go:build cluster

package cluster

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Who signs in at dex (hack/dex/deploy.yaml).
const (
	account  = "j.dupont@vision.example"
	password = "password"
)

// person is somebody with a browser of his own, without a screen. Cookies are kept by host, also the Secure ones: a browser
// takes *.localhost for a secure origin, and net/http/cookiejar does not.
type person struct {
	t       *testing.T
	cookies map[string]map[string]string
}

// page is where a browser ends up.
type page struct {
	status int
	url    *url.URL
	text   string
}

func newPerson(t *testing.T) *person {
	return &person{t, map[string]map[string]string{}}
}

// maxHops bounds the redirects of a login: five, on the longest way.
const maxHops = 12

// open opens an address, with a form when there is one, and follows where that leads.
func (p *person) open(address string, form url.Values) page {
	p.t.Helper()
	for range maxHops {
		at, err := url.Parse(address)
		if err != nil {
			p.t.Fatal(err)
		}
		resp, text := p.ask(at, form)
		next, err := resp.Location()
		if err != nil {
			return page{resp.StatusCode, at, text}
		}
		address, form = next.String(), nil
	}
	p.t.Fatalf("no end of redirects at %s", address)
	return page{}
}

// ask makes one request as a browser would.
func (p *person) ask(at *url.URL, form url.Values) (*http.Response, string) {
	p.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, at.String(), body)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14) Chrome/130 Mobile")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", at.Scheme+"://"+at.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	overheard(at.Query())
	overheard(form)
	for name, value := range p.cookies[at.Host] {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := loopback.Transport.RoundTrip(req) // redirects are ours to follow
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		p.t.Fatal(err)
	}
	overheardCookies(resp.Cookies())
	for _, c := range resp.Cookies() {
		if p.cookies[at.Host] == nil {
			p.cookies[at.Host] = map[string]string{}
		}
		p.cookies[at.Host][c.Name] = c.Value
	}
	return resp, string(text)
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
	formToken  = regexp.MustCompile(`name="token" value="([^"]+)"`)
)

// submit fills in the page's form.
func (p *person) submit(on page, fields ...string) page {
	p.t.Helper()
	action := formAction.FindStringSubmatch(on.text)
	if action == nil {
		p.t.Fatalf("no form on %s (%d):\n%s", on.url.Host+on.url.Path, on.status, on.text)
	}
	to, err := on.url.Parse(html.UnescapeString(action[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	if token := formToken.FindStringSubmatch(on.text); token != nil {
		form.Set("token", html.UnescapeString(token[1]))
	}
	return p.open(to.String(), form)
}

// logIn opens what Log in opens, signs in at dex, and agrees. It ends on the platform's page.
func (p *person) logIn(address string) {
	p.t.Helper()
	consent := p.submit(p.open(address, nil), "login", account, "password", password)
	if !strings.Contains(consent.text, account) {
		p.t.Fatalf("no consent page (%d):\n%s", consent.status, consent.text)
	}
	end := p.submit(consent, "choice", "link")
	if end.status != http.StatusOK || !strings.Contains(end.text, "Accounts linked") {
		p.t.Fatalf("the login ended on %s (%d):\n%s", end.url.Host+end.url.Path, end.status, end.text)
	}
}
