//go:build soak

package soak

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/link"
)

// How a login ends.
const (
	linked    = "linked"
	loggedOut = "linked and logged out"
	unheard   = "linked, and the log-out not heard" // BotBonnie asks a module once, and does not repeat what nobody took
	stopped   = "stopped by a page"                 // of ours: the person starts again from the chat
)

// patience bounds how long a link may take once the platform has said that the accounts are linked, or are no more. The
// weather is never bad for as long.
const patience = 3 * time.Minute

// disappointment is how long nobody comes where somebody was sent away.
const disappointment = 500 * time.Millisecond

// visit is one person: he comes into a channel's chat, logs in, and every third logs out again.
func (w *world) visit(t *testing.T, c channel) {
	n := w.visitors.Add(1)
	subject := fmt.Sprintf("person-%d", n)
	p := &person{world: w, cookies: map[string]string{}}
	var state chatsim.UserState
	if err := w.control(http.MethodPost, "channels/"+c.name+"/users", chatsim.User{Name: subject}, &state); err != nil {
		t.Error(err)
		return
	}
	user := state.ID
	said, err := p.logIn(t, c, user, subject)
	if err != nil {
		w.tally.end(stopped)
		w.neverAnother(t, c, user, subject)
		pause(t.Context(), disappointment)
		return
	}
	if !strings.Contains(said, "Accounts linked") {
		t.Errorf("%s on %s: the platform says\n%s", user, c.name, said)
		return
	}
	began := time.Now()
	if !w.until(t, "the link of "+user+" on "+c.name, func() error {
		l, err := w.store.ActiveLink(t.Context(), c.id(), user, time.Time{})
		if err != nil {
			return err
		}
		if l.Identity.Subject != subject || !l.Confirmed {
			t.Errorf("%s, who is %s, is linked as %+v", user, subject, l)
		}
		return nil
	}) {
		return
	}
	w.tally.waited(time.Since(began))
	if n%3 != 0 || !c.logsOut {
		w.tally.end(linked)
		return
	}
	if err := w.control(http.MethodPost, "channels/"+c.name+"/users/"+user+"/logout", nil, nil); err != nil {
		t.Error(err)
		return
	}
	if c.botBonnie && !w.answered(t, c, user) {
		w.tally.end(unheard)
		return
	}
	if w.until(t, "the end of the link of "+user+" on "+c.name, func() error {
		_, err := w.store.ActiveLink(t.Context(), c.id(), user, time.Time{})
		switch {
		case errors.Is(err, link.ErrNotFound):
			return nil
		case err == nil:
			return errors.New("the link is there")
		}
		return err
	}) {
		w.tally.end(loggedOut)
	}
}

// answered reports whether the last word in the chat is that of the bot: its module was taken.
func (w *world) answered(t *testing.T, c channel, user string) bool {
	var said []chatsim.Message
	if err := w.control(http.MethodGet, "channels/"+c.name+"/users/"+user+"/messages", nil, &said); err != nil {
		t.Error(err)
		return false
	}
	return len(said) > 0 && said[len(said)-1].By == chatsim.ByBot
}

// neverAnother fails the test if the user is linked to anybody else.
func (w *world) neverAnother(t *testing.T, c channel, user, subject string) {
	l, err := w.store.ActiveLink(t.Context(), c.id(), user, time.Time{})
	if err == nil && l.Identity.Subject != subject {
		t.Errorf("%s, who is %s, is linked as %+v", user, subject, l)
	}
}

// until waits until there is no error, and reports whether there is none in the end.
func (w *world) until(t *testing.T, what string, ask func() error) bool {
	deadline := time.After(patience)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return true
		}
		select {
		case <-deadline:
			t.Errorf("waited for %s: %v", what, err)
			return false
		case <-t.Context().Done():
			return false
		case <-tick.C:
		}
	}
}

// person is somebody with a browser.
type person struct {
	*world
	cookies map[string]string
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]+)"`)
	formToken  = regexp.MustCompile(`name="token"[^>]* value="([^"]+)"`)
)

// errPage is a page of ours that ends a login.
var errPage = errors.New("the login ended on a page")

// logIn goes from the button to the platform's last page, and returns what that says.
func (p *person) logIn(t *testing.T, c channel, user, subject string) (string, error) {
	var login chatsim.Login
	if err := p.control(http.MethodPost, "channels/"+c.name+"/users/"+user+"/login", nil, &login); err != nil {
		return "", err
	}
	p.cookies["chatsim-line-user"] = user // LINE looks whose browser it is
	at, _, err := p.follow(t.Context(), login.URL, nil)
	if err != nil {
		return "", err
	}
	if !strings.HasPrefix(at, p.provider.URL) {
		return "", errPage
	}
	asked, err := url.Parse(at)
	if err != nil {
		return "", err
	}
	answer := p.provider.SignIn(t, at, issuertest.Login{Claims: map[string]any{"sub": subject}})
	_, consent, err := p.follow(t.Context(), asked.Query().Get("redirect_uri")+"?"+answer.Encode(), nil)
	if err != nil {
		return "", err
	}
	action, token := formAction.FindStringSubmatch(consent), formToken.FindStringSubmatch(consent)
	if action == nil || token == nil {
		return "", errPage
	}
	end, said, err := p.follow(t.Context(), html.UnescapeString(action[1]),
		url.Values{"token": {html.UnescapeString(token[1])}, "choice": {"link"}})
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(end, p.link) {
		return "", errPage
	}
	return said, nil
}

// maxHops bounds the redirects of a login.
const maxHops = 12

// follow opens an address, with a form when there is one, and goes where that leads; not on to the provider's own pages.
func (p *person) follow(ctx context.Context, address string, form url.Values) (at, said string, err error) {
	for range maxHops {
		if strings.HasPrefix(address, p.provider.URL) {
			return address, "", nil
		}
		next, said, err := p.open(ctx, address, form)
		if err != nil || next == "" {
			return address, said, err
		}
		address, form = next, nil
	}
	return "", "", errors.New("no end of redirects")
}

func (p *person) open(ctx context.Context, address string, form url.Values) (next, said string, err error) {
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return "", "", err
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (Linux; Android 14) Chrome/130 Mobile")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, value := range p.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := p.network.RoundTrip(req) // redirects are ours to follow
	if err != nil {
		return "", "", err
	}
	defer func() { _ = resp.Body.Close() }()
	for _, c := range resp.Cookies() {
		p.cookies[c.Name] = c.Value
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", "", err
	}
	if to, err := resp.Location(); err == nil {
		return to.String(), "", nil
	}
	return "", string(page), nil
}
