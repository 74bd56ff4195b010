//go:build cluster

package cluster

import (
	"fmt"
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
	// unheard has nobody listen to what his browser sends and gets, so that it need not be searched for.
	unheard bool
}

// page is where a browser ends up.
type page struct {
	status int
	url    *url.URL
	text   string
}

func (at page) String() string {
	return fmt.Sprintf("%s%s (%d):\n%s", at.url.Host, at.url.Path, at.status, at.text)
}

func newPerson(t *testing.T) *person {
	return &person{t: t, cookies: map[string]map[string]string{}}
}

// maxHops bounds the redirects of a login: five, on the longest way.
const maxHops = 12

// open opens an address, with a form when there is one, and follows where that leads.
func (p *person) open(address string, form url.Values) page {
	p.t.Helper()
	end, err := p.tryOpen(address, form)
	if err != nil {
		p.t.Fatal(err)
	}
	return end
}

// tryOpen is open for those who go on when it fails.
func (p *person) tryOpen(address string, form url.Values) (page, error) {
	for range maxHops {
		at, err := url.Parse(address)
		if err != nil {
			return page{}, err
		}
		resp, text, err := p.ask(at, form)
		if err != nil {
			return page{}, err
		}
		next, err := resp.Location()
		if err != nil {
			return page{resp.StatusCode, at, text}, nil //nolint:nilerr // that it leads nowhere is no error
		}
		address, form = next.String(), nil
	}
	return page{}, fmt.Errorf("no end of redirects at %s", address)
}

// ask makes one request as a browser would. The body of the answer is read and closed.
func (p *person) ask(at *url.URL, form url.Values) (*http.Response, string, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(p.t.Context(), method, at.String(), body)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14) Chrome/130 Mobile")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", at.Scheme+"://"+at.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range p.cookies[at.Host] {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := loopback.Transport.RoundTrip(req) // redirects are ours to follow
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, "", err
	}
	if !p.unheard {
		overheard(at.Query())
		overheard(form)
		overheardCookies(resp.Cookies())
	}
	p.keep(at.Host, resp.Cookies()...)
	return resp, string(text), nil
}

// keep keeps the cookies of a host.
func (p *person) keep(host string, cookies ...*http.Cookie) {
	for _, c := range cookies {
		if p.cookies[host] == nil {
			p.cookies[host] = map[string]string{}
		}
		p.cookies[host][c.Name] = c.Value
	}
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
	formToken  = regexp.MustCompile(`name="token" value="([^"]+)"`)
)

// submit fills in the page's form.
func (p *person) submit(on page, fields ...string) (page, error) {
	action := formAction.FindStringSubmatch(on.text)
	if action == nil {
		return page{}, fmt.Errorf("no form on %s", on)
	}
	to, err := on.url.Parse(html.UnescapeString(action[1]))
	if err != nil {
		return page{}, err
	}
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	if token := formToken.FindStringSubmatch(on.text); token != nil {
		form.Set("token", html.UnescapeString(token[1]))
	}
	return p.tryOpen(to.String(), form)
}

// logIn opens what Log in opens, signs in at dex, and agrees. It ends on the platform's page.
func (p *person) logIn(address string) {
	p.t.Helper()
	if err := p.tryLogIn(address, account); err != nil {
		p.t.Fatal(err)
	}
}

// tryLogIn logs in as that account.
func (p *person) tryLogIn(address, account string) error {
	signIn, err := p.tryOpen(address, nil)
	if err != nil {
		return err
	}
	consent, err := p.submit(signIn, "login", account, "password", password)
	if err != nil {
		return err
	}
	if !strings.Contains(consent.text, account) {
		return fmt.Errorf("no consent page: %s", consent)
	}
	end, err := p.submit(consent, "choice", "link")
	if err != nil {
		return err
	}
	if end.status != http.StatusOK || !strings.Contains(end.text, "Accounts linked") {
		return fmt.Errorf("the login ended on %s", end)
	}
	return nil
}
