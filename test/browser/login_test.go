//go:build browser

package browser

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"channellink.dev/operator/internal/chatsim"
	"channellink.dev/operator/webhookserver/authorize/dextest"
	"channellink.dev/operator/webhookserver/link"
)

// scenarios are what happens on every route, with every store.
var scenarios = []struct {
	name string
	run  func(*testing.T, *world, route)
}{
	{"a person links", links},
	{"BotBonnie keeps the code early and has no modules", linksEarly},
	{"webhooks come three times", linksOnce},
	{"a person links and logs out", logsOut},
	{"a person cancels", cancels},
	{"back and reload change nothing", goesBack},
	{"two tabs", twoTabs},
	{"a URL is forwarded", forwarded},
	{"a URL names somebody else", craftedUser},
	{"an attacker ends his token with a code of his own", ownCode},
}

// TestLogin tries C1, C2, C3, C13, C23, C30 and C38 on each of the four routes, from the button in the chat to the active link.
func TestLogin(t *testing.T) {
	for _, kind := range []storeKind{sqlite, postgres} {
		t.Run(string(kind), func(t *testing.T) {
			w := newWorld(t, kind)
			for _, r := range routes {
				t.Run(r.name, func(t *testing.T) {
					for _, s := range scenarios {
						t.Run(s.name, func(t *testing.T) { s.run(t, w, r) })
					}
				})
			}
		})
	}
}

// Selectors of the pages.
const (
	buttonLink   = `button[name="choice"][value="link"]`
	buttonCancel = `button[name="choice"][value="cancel"]`
	message      = "section.message"
)

// platformPage is the heading of the page on which a linking ends at the platform.
func (r route) platformPage() string {
	if r.kind == chatsim.LINE {
		return "h1#line"
	}
	return "h1#messenger"
}

// beAt makes the browser that of the chat user, where the platform looks.
func (p *person) beAt(t *testing.T, r route, user chatsim.User) {
	t.Helper()
	if r.kind == chatsim.LINE {
		p.visit(t, "http://"+chatHost+strings.TrimPrefix(p.chat, "http://localhost")+"/sim/browser?user="+user.ID)
	}
}

// signIn opens a login URL and signs in at the company.
func (p *person) signIn(t *testing.T, address string) {
	t.Helper()
	p.visit(t, address)
	if at := p.at(t); !p.atIssuer(at) {
		t.Fatalf("the login URL leads to %s, want the provider:\n%s", at, p.text(t))
	}
	p.enter(t)
}

// enter signs in where the browser is at the company.
func (p *person) enter(t *testing.T) {
	t.Helper()
	p.do(t, "signing in",
		chromedp.SendKeys(chromedp.CSS("#login"), dextest.User),
		chromedp.SendKeys(chromedp.CSS("#password"), dextest.Password),
		chromedp.Click(chromedp.CSS("#submit-login")))
	p.sees(t, "main") // a page of ours
}

// toConsent goes as far as the question.
func (p *person) toConsent(t *testing.T, address string) {
	t.Helper()
	p.signIn(t, address)
	p.sees(t, buttonLink)
}

func (p *person) press(t *testing.T, button string) {
	t.Helper()
	p.do(t, "pressing "+button, chromedp.Click(chromedp.CSS(button)))
}

// linkAs goes the whole way as the user.
func (w *world) linkAs(t *testing.T, r route, user chatsim.User) *person {
	t.Helper()
	p := w.newPerson(t)
	p.beAt(t, r, user)
	p.toConsent(t, w.tap(t, r, user).URL)
	p.press(t, buttonLink)
	p.sees(t, r.platformPage())
	p.reads(t, "Accounts linked")
	return p
}

// active waits for the user's link.
func (w *world) active(t *testing.T, r route, user chatsim.User) link.Link {
	t.Helper()
	var found link.Link
	eventually(t, "the link of "+user.ID, func() (err error) {
		found, err = w.store.ActiveLink(t.Context(), r.id(), user.ID, time.Time{})
		return err
	})
	return found
}

// notLinked fails the test if one of the users is linked.
func (w *world) notLinked(t *testing.T, r route, users ...chatsim.User) {
	t.Helper()
	for _, user := range users {
		if l, err := w.store.ActiveLink(t.Context(), r.id(), user.ID, time.Time{}); !errors.Is(err, link.ErrNotFound) {
			t.Errorf("%s is linked: %+v, %v", user.Name, l, err)
		}
	}
}

// counts are the channel's links by state.
func (w *world) counts(t *testing.T, r route) string {
	t.Helper()
	n, err := w.store.CountLinks(t.Context(), r.id())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d pending, %d active", n[link.Pending], n[link.Active])
}

// asksBotBonnie waits until the server has asked BotBonnie for its records once more, where there is a BotBonnie to ask: what
// it would believe it believes then.
func (w *world) asksBotBonnie(t *testing.T, r route) {
	t.Helper()
	if !r.botBonnie {
		return // the platform's event came before its page
	}
	asked := func() int {
		var all []chatsim.Request
		w.control(t, http.MethodGet, "requests", nil, &all)
		n := 0
		for _, q := range all {
			if strings.HasSuffix(q.Path, "/customers") && strings.Contains(q.Query, "bot-"+r.name) && q.Status == http.StatusOK {
				n++
			}
		}
		return n
	}
	before := asked()
	eventually(t, "a look at BotBonnie", func() error {
		if asked() == before {
			return errors.New("it has not asked")
		}
		return nil
	})
}

func links(t *testing.T, w *world, r route) {
	user := w.newUser(t, r, "Amy Chen")
	w.linkAs(t, r, user)
	l := w.active(t, r, user)
	if !l.Confirmed || l.Identity.Issuer != w.issuer || l.Identity.Subject == "" {
		t.Errorf("the link is %+v", l)
	}
	if listed := runProgram(t, "links", "list", "--settings-dir", w.settings, "--channel", string(r.id())); !strings.Contains(listed, `"confirmed":true`) {
		t.Errorf("`links list` says %s", listed)
	}
}

// linksEarly has nothing but the look-ups to confirm the link, and a code that is there before the platform has judged.
func linksEarly(t *testing.T, w *world, r route) {
	if !r.botBonnie {
		t.Skip("there is no BotBonnie on this route")
	}
	w.control(t, http.MethodPut, "channels/"+r.name+"/switches", chatsim.Switches{EarlyExtID: true, Mute: true}, nil)
	defer w.control(t, http.MethodPut, "channels/"+r.name+"/switches", chatsim.Switches{}, nil)
	user := w.newUser(t, r, "Early Bird")
	w.linkAs(t, r, user)
	w.active(t, r, user)
}

// linksOnce has the platform send its event again and again (C38).
func linksOnce(t *testing.T, w *world, r route) {
	if r.botBonnie {
		t.Skip("the platform's events are BotBonnie's on this route")
	}
	w.control(t, http.MethodPut, "channels/"+r.name+"/switches", chatsim.Switches{Duplicates: 2}, nil)
	defer w.control(t, http.MethodPut, "channels/"+r.name+"/switches", chatsim.Switches{}, nil)
	user := w.newUser(t, r, "Echo Tsai")
	before, err := w.store.CountLinks(t.Context(), r.id())
	if err != nil {
		t.Fatal(err)
	}
	w.linkAs(t, r, user)
	w.active(t, r, user)
	after, err := w.store.CountLinks(t.Context(), r.id())
	if err != nil {
		t.Fatal(err)
	}
	if after[link.Active] != before[link.Active]+1 || after[link.Pending] != before[link.Pending] {
		t.Errorf("links were %v and are %v", before, after)
	}
}

// logsOut ends a link by the chat's own button, and links again.
func logsOut(t *testing.T, w *world, r route) {
	if r.kind == chatsim.LINE && !r.botBonnie {
		t.Skip("LINE has no button for it")
	}
	user := w.newUser(t, r, "Finn Lai")
	w.linkAs(t, r, user)
	first := w.active(t, r, user)
	w.control(t, http.MethodPost, "channels/"+r.name+"/users/"+user.ID+"/logout", nil, nil)
	eventually(t, "the end of the link", func() error {
		l, err := w.store.ActiveLink(t.Context(), r.id(), user.ID, time.Time{})
		switch {
		case errors.Is(err, link.ErrNotFound):
			return nil
		case err != nil:
			return err
		}
		return fmt.Errorf("the link %s is active", l.ID)
	})
	w.linkAs(t, r, user)
	if second := w.active(t, r, user); second.ID == first.ID {
		t.Error("the link that ended is back")
	}
}

// C30: Messenger is told, LINE has no way of being told; nothing is stored on either.
func cancels(t *testing.T, w *world, r route) {
	user, before := w.newUser(t, r, "Ben Wu"), w.counts(t, r)
	p := w.newPerson(t)
	p.beAt(t, r, user)
	p.toConsent(t, w.tap(t, r, user).URL)
	p.press(t, buttonCancel)
	if r.kind == chatsim.Messenger {
		p.sees(t, r.platformPage())
		p.reads(t, "Linking cancelled")
	} else {
		p.sees(t, message)
	}
	if after := w.counts(t, r); after != before {
		t.Errorf("there were %s, now there are %s", before, after)
	}
	w.notLinked(t, r, user)
}

// C13: whoever goes back or reloads finds a page that says so, and the link as it was.
func goesBack(t *testing.T, w *world, r route) {
	user := w.newUser(t, r, "Cid Lin")
	p := w.linkAs(t, r, user)
	made, before := w.active(t, r, user), w.counts(t, r)

	p.goBack(t)
	if eval[int](t, p, "document.forms.length") > 0 { // the browser shows the page that it remembers
		p.leaves(t, "document.querySelector(`"+buttonLink+"`).click()")
		p.waits(t, "document.readyState === `complete` && document.querySelector(`"+buttonLink+"`) === null")
		if strings.Contains(p.text(t), "Accounts linked") {
			t.Error("the platform's token was good twice")
		}
		if !strings.Contains(p.at(t), "/consent/") {
			p.goBack(t)
		}
	}
	p.do(t, "reloading", chromedp.Reload())
	p.sees(t, message)
	if n := eval[int](t, p, "document.forms.length"); n != 0 {
		t.Errorf("the page of a login that is over has %d forms:\n%s", n, p.text(t))
	}
	if got := w.active(t, r, user); got.ID != made.ID {
		t.Errorf("the link was replaced: %s, then %s", made.ID, got.ID)
	}
	if after := w.counts(t, r); after != before {
		t.Errorf("there were %s, now there are %s", before, after)
	}
}

// C23: the user taps twice; both logins can be finished, in any order.
func twoTabs(t *testing.T, w *world, r route) {
	user := w.newUser(t, r, "Dee Kuo")
	first := w.newPerson(t)
	first.beAt(t, r, user)
	second := first.newTab(t)
	first.toConsent(t, w.tap(t, r, user).URL)
	second.toConsent(t, w.tap(t, r, user).URL)
	for _, tab := range []*person{second, first} {
		tab.press(t, buttonLink)
		tab.sees(t, r.platformPage())
		tab.reads(t, "Accounts linked")
	}
	w.active(t, r, user)
}

// C1: Mallory sends her own URL to Bob, who works for the company. He is asked, and told whom it is about where anybody can
// know; the focus is on Cancel. Without a press nothing is stored.
func forwarded(t *testing.T, w *world, r route) {
	mallory, bob := w.newUser(t, r, "Mallory Moss"), w.newUser(t, r, "Bob Ho")
	before := w.counts(t, r)
	a := w.attack(t, r, mallory, chatsim.Attack{Kind: chatsim.Forwarded})
	p := w.newPerson(t)
	p.beAt(t, r, bob)
	p.toConsent(t, a.URL)
	p.reads(t, "Vision HR", dextest.User)
	if r.botBonnie || r.kind == chatsim.Messenger {
		p.reads(t, mallory.Name)
	}
	p.waits(t, `document.activeElement.value === "cancel"`)
	if after := w.counts(t, r); after != before {
		t.Errorf("without a press, %s became %s", before, after)
	}
	p.do(t, "pressing Enter", chromedp.KeyEvent("\r"))
	p.do(t, "waiting for the end", chromedp.WaitNotPresent(chromedp.CSS(buttonLink)))
	if after := w.counts(t, r); after != before {
		t.Errorf("Enter did more than cancel: %s became %s", before, after)
	}

	if r.kind != chatsim.LINE {
		return // Meta does not look whose browser it is: Bob's press is all there is
	}
	a = w.attack(t, r, mallory, chatsim.Attack{Kind: chatsim.Forwarded})
	p.toConsent(t, a.URL)
	p.press(t, buttonLink)
	p.sees(t, r.platformPage())
	p.reads(t, "not the one whom the token was issued for")
	w.asksBotBonnie(t, r)
	w.notLinked(t, r, mallory, bob)
}

// C2, C3: Mallory, who works for the company, puts Bob's id into her own URL.
func craftedUser(t *testing.T, w *world, r route) {
	mallory, bob := w.newUser(t, r, "Mallory Moss"), w.newUser(t, r, "Bob Ho")
	a := w.attack(t, r, mallory, chatsim.Attack{Kind: chatsim.CraftedUser, Victim: bob.ID})
	p := w.newPerson(t)
	p.beAt(t, r, mallory)
	if !r.botBonnie { // nobody but BotBonnie sends a userId
		p.visit(t, a.URL)
		p.sees(t, message)
		if p.atIssuer(p.at(t)) {
			t.Error("a login was begun for a user that the query names")
		}
		w.notLinked(t, r, mallory, bob)
		return
	}
	p.toConsent(t, a.URL)
	p.press(t, buttonLink)
	p.sees(t, r.platformPage())
	p.reads(t, "Accounts linked") // at the platform; it knows nothing of userId
	w.asksBotBonnie(t, r)
	w.notLinked(t, r, mallory, bob)
}

// C2, C3: Mallory spends her token at the platform with a code of her own, while a login with Bob's id waits for its press.
func ownCode(t *testing.T, w *world, r route) {
	mallory, bob := w.newUser(t, r, "Mallory Moss"), w.newUser(t, r, "Bob Ho")
	attack := chatsim.Attack{Kind: chatsim.OwnCode}
	if r.botBonnie {
		attack.Victim = bob.ID
	}
	a := w.attack(t, r, mallory, attack)
	p := w.newPerson(t)
	p.beAt(t, r, mallory)
	p.toConsent(t, a.URL)
	other := p.newTab(t)
	other.visit(t, a.Finish)
	other.sees(t, r.platformPage())
	other.reads(t, "Accounts linked")
	p.press(t, buttonLink)
	p.sees(t, r.platformPage())
	p.reads(t, "has been used")
	w.asksBotBonnie(t, r)
	w.notLinked(t, r, mallory, bob)
}

// attack has the user prepare an attack.
func (w *world) attack(t *testing.T, r route, user chatsim.User, a chatsim.Attack) chatsim.Attempt {
	t.Helper()
	var attempt chatsim.Attempt
	w.control(t, http.MethodPost, "channels/"+r.name+"/users/"+user.ID+"/attack", a, &attempt)
	return attempt
}
