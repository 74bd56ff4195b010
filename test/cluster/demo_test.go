//go:build cluster

package cluster

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDemo plays the page that `make up` ends with, as a person would: with a browser, a keyboard and a terminal.
func TestDemo(t *testing.T) {
	browser := newBrowser(t)
	for _, tc := range []struct {
		channel   string
		botBonnie bool
	}{{"vision-hr", true}, {"vision-hr-messenger", true}, {"vision-line", false}, {"vision-messenger", false}} {
		t.Run(tc.channel, func(t *testing.T) {
			w := openWindow(browser, t)
			w.screen("light", 1440, 1000)
			w.visit(simulator() + "/")
			w.clicks(fmt.Sprintf(`nav a[href*="channel=%s&"]`, tc.channel))
			w.waits(fmt.Sprintf(`document.body.dataset.channel === %q && "ready" in document.body.dataset`, tc.channel))
			before := value[string](w, "document.body.dataset.user")
			w.clicks("#anew")
			w.waits(fmt.Sprintf(`document.body.dataset.user !== %q && "ready" in document.body.dataset`, before))
			w.waits(`document.querySelector("#conditions .first")?.innerText.startsWith("Ready True")`)

			w.types("#words", "leave balance\r")
			if tc.botBonnie {
				w.sees("#chat .message.bot button[type=button]")
				w.types("#chat .message.bot button[type=button]", "\r") // a button that the keyboard reaches
			}
			w.sees("#chat .message.bot button.main")
			w.speaks()
			w.picture("demo-" + tc.channel + "-1-asked")
			w.logsIn(tc.channel)

			w.types("#words", "leave balance\r")
			w.waits(fmt.Sprintf(`[...document.querySelectorAll("#chat .message.bot")].at(-1)?.innerText.includes(%q)`, balance))
			w.waits(`document.querySelectorAll("#steps .done").length === 3`)
			w.waits(`document.querySelectorAll("#wire .good").length > 4`)
			w.picture("demo-" + tc.channel + "-3-answered")

			pasted(t, value[string](w, `document.getElementById("commands").textContent`))
			w.sees("#unlinks .good")
			w.waits(`document.querySelectorAll("#steps .done").length === 4`)
			if tc.botBonnie {
				w.waits(`document.getElementById("chat").innerText.includes("notified an agent: “This person has left the company.”")`)
				w.waits(`document.getElementById("record").innerText.includes("not linked")`)
			}
			w.types("#words", "leave balance\r")
			w.waits(`[...document.querySelectorAll("#chat .line")].at(-1)?.querySelector("button") != null`)
			w.picture("demo-" + tc.channel + "-4-unlinked")
			w.speaks()
			if tc.channel == "vision-hr" {
				w.screen("light", 1280, 1400)
				w.picture("demo") // docs/images/demo.png
				w.screen("dark", 1440, 1000)
				w.picture("demo-dark")
			}
			if tc.channel == "vision-messenger" {
				w.screen("light", 390, 844, chromedp.EmulateScale(2), chromedp.EmulateMobile)
				w.picture("demo-phone")
				w.screen("dark", 320, 640, chromedp.EmulateScale(2), chromedp.EmulateMobile)
				w.do("scrolling", chromedp.ScrollIntoView(chromedp.CSS("#wire")))
				w.picture("demo-phone-dark")
			}
		})
	}
}

// logsIn taps Log in, signs in and agrees in the window that this opens, and is back in the chat when that has closed.
func (w *window) logsIn(channel string) {
	w.t.Helper()
	login := w.opens(func() { w.clicks("#chat .message.bot button.main") })
	login.sees("input[name=login]")
	login.types("input[name=login]", account)
	login.types("input[name=password]", password+"\r")
	login.sees("button[value=link]")
	login.picture("demo-" + channel + "-2-consent")
	login.clicks("button[value=link]")
	w.waits(`document.getElementById("linked").textContent === "your account is linked"`)
	w.waits(`document.getElementById("away").hidden`)
}

// pasted runs what the page gives to paste, in the project's folder.
func pasted(t *testing.T, commands string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), unlinkTime)
	defer cancel()
	terminal := exec.CommandContext(ctx, "bash", "-euc", commands)
	terminal.Dir = filepath.Join("..", "..")
	out, err := terminal.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "condition met") {
		t.Fatalf("%v\n%s\n%s", err, commands, out)
	}
}
