package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// drawTime bounds how long Prometheus may take to answer everything, and the page to draw it.
const drawTime = 2 * time.Minute

// drawing is a picture, and what is missing in it.
type drawing struct {
	png      []byte
	problems []string
}

// photograph opens a page in Chromium, and takes a picture of all of it as soon as it sets window.drawn.
func photograph(ctx context.Context, url string, width int64) (drawing, error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		return drawing{}, fmt.Errorf("find Chromium (on Debian: apt-get install --no-install-recommends chromium): %w", err)
	}
	profile, err := os.MkdirTemp("", "dashboard")
	if err != nil {
		return drawing{}, err
	}
	defer func() { _ = os.RemoveAll(profile) }()
	ctx, cancel := context.WithTimeout(ctx, drawTime)
	defer cancel()
	ctx, end := chromedp.NewExecAllocator(ctx,
		chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.UserDataDir(profile),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"),
	)
	defer end()
	ctx, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	const height = 900 // of the window; the picture is as high as the page
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, height), chromedp.Navigate(url)); err != nil {
		return drawing{}, err
	}
	type state struct{ Problems []string }
	drawn, err := chromedp.Run(ctx, chromedp.Poll[state]("window.drawn", chromedp.WithPollingTimeout(drawTime)))
	if err != nil {
		return drawing{}, fmt.Errorf("waiting for the page: %w", err)
	}
	whole := true
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
	if err != nil {
		return drawing{}, err
	}
	small, err := smaller(shot.Data)
	return drawing{small, drawn.Problems}, err
}
