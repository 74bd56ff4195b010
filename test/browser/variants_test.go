//go:build browser

package browser

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
)

// state is what the platforms know of a user.
func (w *world) state(t *testing.T, r route, user chatsim.User) chatsim.UserState {
	t.Helper()
	var u chatsim.UserState
	w.control(t, http.MethodGet, "channels/"+r.name+"/users/"+user.ID, nil, &u)
	return u
}

// switches sets the simulator's switches of a channel for the rest of the test.
func (w *world) switches(t *testing.T, r route, s chatsim.Switches) {
	t.Helper()
	w.control(t, http.MethodPut, "channels/"+r.name+"/switches", s, nil)
	t.Cleanup(func() { w.control(t, http.MethodPut, "channels/"+r.name+"/switches", chatsim.Switches{}, nil) })
}

// behindBotBonnie are the routes on which BotBonnie's record confirms.
func behindBotBonnie() []route {
	var list []route
	for _, r := range routes {
		if r.botBonnie {
			list = append(list, r)
		}
	}
	return list
}

// linking.confirmation AfterRedirect: the link counts when the browser has been sent back, marked as unconfirmed; BotBonnie's
// record confirms it later where there is one. It takes nobody's place (C3).
func TestAfterRedirect(t *testing.T) {
	w := newWorld(t, sqlite, func(w *world) {
		w.routes = behindBotBonnie()
		w.adjust = func(_ route, c *config.Channel) { c.Linking.AfterRedirect = true }
	})
	for _, r := range w.routes {
		t.Run(r.name, func(t *testing.T) {
			user := w.newUser(t, r, "Amy Chen")
			w.linkAs(t, r, user)
			eventually(t, "a confirmed link", func() error {
				l, err := w.store.ActiveLink(t.Context(), r.id(), user.ID, time.Time{})
				if err == nil && !l.Confirmed {
					err = errors.New("it is not confirmed")
				}
				return err
			})
		})
		t.Run(r.name+", never confirmed", func(t *testing.T) {
			mallory, bob := w.newUser(t, r, "Mallory Moss"), w.newUser(t, r, "Bob Ho")
			a := w.attack(t, r, mallory, chatsim.Attack{Kind: chatsim.CraftedUser, Victim: bob.ID})
			p := w.newPerson(t)
			p.beAt(t, r, mallory)
			p.toConsent(t, a.URL)
			p.press(t, buttonLink)
			p.sees(t, r.platformPage())
			if l := w.active(t, r, bob); l.Confirmed {
				t.Errorf("a query has confirmed %+v", l)
			}
			w.asksBotBonnie(t, r)
			l := w.active(t, r, bob) // who takes this risk sees it wherever the link is used
			listed := runProgram(t, "links", "list", "--settings-dir", w.settings, "--channel", string(r.id()))
			if l.Confirmed || !strings.Contains(listed, `"confirmed":false`) {
				t.Errorf("the link is %+v and listed as %s", l, listed)
			}
		})
	}
}

// linking.code Stable: BotBonnie keeps the same pseudonym of a person on every channel with that key. It is not his subject.
func TestStableCode(t *testing.T) {
	w := newWorld(t, sqlite, func(w *world) {
		w.routes = behindBotBonnie()
		w.adjust = func(_ route, c *config.Channel) {
			c.Linking.StableCode = true
			c.Linking.CodeKey = mounts{t, t.TempDir()}.file("linking.codeKeySecretRef", "a key that all channels of the company share")
		}
	})
	var codes []string
	for _, r := range w.routes {
		user := w.newUser(t, r, "Amy Chen")
		for range 2 { // linking anew changes nothing
			w.linkAs(t, r, user)
			l := w.active(t, r, user)
			code := w.state(t, r, user).ExtID
			if len(code) != 43 || strings.Contains(code, l.Identity.Subject) {
				t.Errorf("%s: BotBonnie keeps %q of %s", r.name, code, l.Identity.Subject)
			}
			codes = append(codes, code)
		}
	}
	for _, code := range codes {
		if code != codes[0] {
			t.Errorf("one person has the codes %q", codes)
			break
		}
	}
}

// C1: what docs/security.md says of a BotBonnie that keeps the code when its page is loaded. Its record shows then that the
// browser came back, and not whose chat it was: the question, with the chat user's name and the focus on Cancel, is the only
// wall between a forwarded URL and a link. It holds as long as nobody presses.
func TestConsentIsTheWall(t *testing.T) {
	w := newWorld(t, sqlite, func(w *world) { w.routes = behindBotBonnie() })
	for _, r := range w.routes {
		t.Run(r.name, func(t *testing.T) {
			w.switches(t, r, chatsim.Switches{EarlyExtID: true})
			mallory, bob := w.newUser(t, r, "Mallory Moss"), w.newUser(t, r, "Bob Ho")
			p := w.newPerson(t)
			p.beAt(t, r, bob)
			p.toConsent(t, w.attack(t, r, mallory, chatsim.Attack{Kind: chatsim.Forwarded}).URL)
			p.reads(t, mallory.Name, "Did somebody send you this link?")
			p.waits(t, `document.activeElement.value === "cancel"`)
			w.notLinked(t, r, mallory, bob)
			p.do(t, "pressing Enter", chromedp.KeyEvent("\r"))
			p.do(t, "waiting for the end", chromedp.WaitNotPresent(chromedp.CSS(buttonLink)))
			w.notLinked(t, r, mallory, bob)
			if counts := w.counts(t, r); counts != "0 pending, 0 active" {
				t.Errorf("after Cancel there are %s", counts)
			}

			p.toConsent(t, w.attack(t, r, mallory, chatsim.Attack{Kind: chatsim.Forwarded}).URL)
			p.press(t, buttonLink)
			p.sees(t, r.platformPage())
			if l := w.active(t, r, mallory); l.State != link.Active {
				t.Errorf("the link is %+v", l)
			}
			w.notLinked(t, r, bob)
		})
	}
}
