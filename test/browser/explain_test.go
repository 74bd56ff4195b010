//go:build browser

package browser

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"channellink.dev/operator/internal/chatsim"
)

// results is where pictures go.
var results = filepath.Join("..", "..", "dist", "test")

// explain says of a test that has failed what everybody saw: the person, the simulator and the servers.
func (w *world) explain(t *testing.T, p *person) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(p.tab, stepTime)
	defer cancel()
	address, _ := chromedp.Run(ctx, chromedp.Location())
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	t.Logf("the page at %s (%v):\n%s", address, err, text)
	if picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot()); err == nil {
		file := filepath.Join(results, "failures", strings.ReplaceAll(t.Name(), "/", "-")+".png")
		if err := save(file, picture); err == nil {
			t.Logf("the page looked like %s", file)
		}
	}
	if w == nil {
		return
	}
	var requests []chatsim.Request
	w.control(t, "GET", "requests", nil, &requests)
	for _, r := range requests {
		line, _ := json.Marshal(r) // strings and numbers
		t.Logf("simulator: %s", line)
	}
	for i, s := range w.servers {
		t.Logf("server %d:\n%s", i, s.log.String())
	}
}

func save(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}
