//go:build cluster

package cluster

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	. "github.com/onsi/gomega"
)

// lookTime bounds what a person waits for in a browser.
const lookTime = 30 * time.Second

// window is a window of a browser.
type window struct {
	t   *testing.T
	tab context.Context //nolint:containedctx // chromedp knows a tab by its context
}

// newBrowser starts Chromium. Each window that openWindow opens in it knows nobody.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("Chromium is not installed. On Debian: apt-get install --no-install-recommends chromium")
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("force-color-profile", "srgb"),
	)
	t.Cleanup(end)
	browser, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	if err := chromedp.Do(browser); err != nil {
		t.Fatal(err)
	}
	return browser
}

func openWindow(browser context.Context, t *testing.T) *window {
	t.Helper()
	tab, closeTab := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(closeTab)
	return newWindow(tab, t)
}

// opens returns the window that a step opens.
func (w *window) opens(step func()) *window {
	w.t.Helper()
	opened := chromedp.WaitNewTarget(w.tab, func(info *target.Info) bool { return info.Type == "page" })
	step()
	select {
	case id, ok := <-opened:
		if !ok {
			w.t.Fatal("the browser is gone")
		}
		tab, closeTab := chromedp.NewContext(w.tab, chromedp.WithTargetID(id))
		w.t.Cleanup(closeTab)
		return newWindow(tab, w.t)
	case <-time.After(lookTime):
		w.t.Fatal("no window has opened")
		return nil
	}
}

// newWindow takes the tab over. It shows what is in it when the test has failed.
func newWindow(tab context.Context, t *testing.T) *window {
	t.Helper()
	if err := chromedp.Do(tab); err != nil { // without a deadline of its own: the tab would end with it
		t.Fatal(err)
	}
	w := &window{t, tab}
	t.Cleanup(func() {
		if !w.t.Failed() || w.tab.Err() != nil {
			return
		}
		text, err := chromedp.Run(w.tab, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
		if err != nil {
			return // it has closed by itself
		}
		w.t.Logf("the window says:\n%s", text)
		w.picture("failed-" + strings.ReplaceAll(w.t.Name(), "/", "-"))
	})
	return w
}

func (w *window) do(what string, actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.tab, lookTime)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}

func (w *window) visit(address string) {
	w.t.Helper()
	w.do("opening "+address, chromedp.Navigate(address))
}

func (w *window) sees(selector string) {
	w.t.Helper()
	w.do("waiting for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

func (w *window) clicks(selector string) {
	w.t.Helper()
	w.do("clicking "+selector, chromedp.Click(chromedp.CSS(selector)))
}

func (w *window) types(selector, keys string) {
	w.t.Helper()
	w.do("typing into "+selector, chromedp.SendKeys(chromedp.CSS(selector), keys))
}

// value runs an expression in the page.
func value[T any](w *window, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.tab, lookTime)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		w.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// waits waits until an expression is true.
func (w *window) waits(expression string) {
	w.t.Helper()
	NewWithT(w.t).Eventually(func() error {
		ctx, cancel := context.WithTimeout(w.tab, lookTime)
		defer cancel()
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if err == nil && !is {
			err = errors.New("it is not so")
		}
		return err
	}).WithTimeout(lookTime).WithPolling(poll/2).Should(Succeed(), expression)
}

// screen makes the window a screen with a theme.
func (w *window) screen(theme string, width, height int64, options ...chromedp.EmulateViewportOption) {
	w.t.Helper()
	w.do("emulating a screen", chromedp.EmulateViewport(width, height, options...))
	if _, err := chromedp.Call(w.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		},
	}); err != nil {
		w.t.Fatal(err)
	}
}

// picture takes a picture of what the window shows, into dist/test/screenshots. It fails where the page is wider than that.
func (w *window) picture(name string) {
	w.t.Helper()
	if wide := value[int](w, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
		w.t.Errorf("%s: the page is %d pixels wider than the screen", name, wide)
	}
	shot, err := chromedp.Run(w.tab, chromedp.CaptureScreenshot())
	if err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join("..", "..", "dist", "test", "screenshots", name+".png")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, shot, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// named are the roles whose elements must have a name for those who hear a page.
var named = map[string]bool{
	"button": true, "link": true, "textbox": true, "navigation": true, "log": true, "region": true, "table": true, "image": true,
}

// speaks fails the test if something of the page says nothing to a screen reader.
func (w *window) speaks() {
	w.t.Helper()
	tree, err := chromedp.Call(w.tab, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, node := range tree.Nodes {
		if node.Ignored || node.Role == nil || node.Name == nil {
			continue
		}
		role, name := string(node.Role.Value), string(node.Name.Value)
		if named[strings.Trim(role, `"`)] && strings.Trim(name, `"`) == "" {
			w.t.Errorf("an element of role %s has no name", role)
		}
	}
}
