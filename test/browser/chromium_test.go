//go:build browser

package browser

import (
	"context"
	"errors"
	"log"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"channellink.dev/operator/test/machine"
)

// stepTime bounds what a person does in one go. Nothing here takes a second on a machine that is free.
const stepTime = 15 * time.Second

// chromium is the one browser of all tests; every person has a profile of his own in it.
var chromium context.Context

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	path, err := exec.LookPath("chromium")
	if err != nil {
		log.Print("Chromium is not installed. On Debian: apt-get install --no-install-recommends chromium")
		return 1
	}
	profile, err := os.MkdirTemp("", "browser")
	if err != nil {
		log.Print(err)
		return 1
	}
	defer func() { _ = os.RemoveAll(profile) }()
	allocator, end := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(profile),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"),
	)
	defer end()
	started, stop := chromedp.NewContext(allocator)
	defer stop()
	chromium = started                            //nolint:fatcontext // all tests share the browser, and chromedp knows it by its context
	if err := chromedp.Do(chromium); err != nil { // starts it
		log.Print(err)
		return 1
	}
	defer machine.RemoveWebhookserver()
	return m.Run()
}

// person is somebody with a browser: a profile, and one tab of it.
type person struct {
	*world
	tab context.Context //nolint:containedctx // chromedp knows a tab by its context

	mu       sync.Mutex
	requests []string // every URL that the tab has asked for
}

// newPerson opens a browser that knows nobody.
func (w *world) newPerson(t *testing.T) *person {
	t.Helper()
	return w.open(t, chromedp.WithNewBrowserContext())
}

// newTab opens another tab of the same browser.
func (p *person) newTab(t *testing.T) *person {
	t.Helper()
	return p.open(t, chromedp.WithExistingBrowserContext(chromedp.FromContext(p.tab).BrowserContextID))
}

func (w *world) open(t *testing.T, how chromedp.ContextOption) *person {
	t.Helper()
	tab, closeTab := chromedp.NewContext(chromium, how)
	t.Cleanup(closeTab)
	p := &person{world: w, tab: tab}
	if err := chromedp.Listen(tab, func(ev any) {
		if e, ok := ev.(*network.EventRequestWillBeSent); ok {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.requests = append(p.requests, e.Request.URL)
		}
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.explain(t, p) })
	return p
}

// do takes actions, all of them within stepTime.
func (p *person) do(t *testing.T, what string, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := p.try(actions...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (p *person) try(actions ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.tab, stepTime)
	defer cancel()
	return chromedp.Do(ctx, actions...)
}

// eval runs an expression in the page and returns its value.
func eval[T any](t *testing.T, p *person, expression string) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(p.tab, stepTime)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// visit opens an address and waits for the page where that leads.
func (p *person) visit(t *testing.T, address string) {
	t.Helper()
	p.do(t, "opening "+address, chromedp.Navigate(address))
}

// text is what the page says.
func (p *person) text(t *testing.T) string { return eval[string](t, p, "document.body.innerText") }

// at is the address of the page.
func (p *person) at(t *testing.T) string { return eval[string](t, p, "location.href") }

// sees waits for an element.
func (p *person) sees(t *testing.T, selector string) {
	t.Helper()
	p.do(t, "waiting for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// waits waits until an expression is true, on whatever page the browser is by then.
func (p *person) waits(t *testing.T, expression string) {
	t.Helper()
	eventually(t, expression, func() error {
		ctx, cancel := context.WithTimeout(p.tab, stepTime)
		defer cancel()
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err == nil && !is {
			err = errors.New("it is not so")
		}
		return err
	})
}

// runs runs a statement in the page.
func (p *person) runs(t *testing.T, statement string) {
	t.Helper()
	p.do(t, statement, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.Evaluate[chromedp.Void](statement)(ctx, tab)
		return err
	}))
}

// leaves runs a statement that leads to another page: after the evaluation has ended, which it would break off now and then.
func (p *person) leaves(t *testing.T, statement string) {
	t.Helper()
	p.runs(t, "void setTimeout(() => { "+statement+" })")
}

// goBack presses Back until a page of a login appears. It waits for no event: a page that the browser has kept alive fires
// none when it appears again.
func (p *person) goBack(t *testing.T) {
	t.Helper()
	p.leaves(t, "history.back()")
	p.waits(t, `location.pathname.includes("/consent/")`)
}

// reads fails the test unless the page says each of the words.
func (p *person) reads(t *testing.T, words ...string) {
	t.Helper()
	text := p.text(t)
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("the page does not say %q:\n%s", word, text)
		}
	}
}

// asked returns what the tab has asked for since it was called last.
func (p *person) asked() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	urls := p.requests
	p.requests = nil
	return urls
}
