//go:build browser

package browser

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"golang.org/x/text/language"

	"channellink.dev/operator/webhookserver/pages"
)

// size is a screen. The narrow one is the smallest phone that anybody has, in an app's own browser.
type size struct {
	name          string
	width, height int64
	scale         float64
	mobile        bool
}

var sizes = []size{{"320", 320, 640, 2, true}, {"desktop", 1280, 800, 1, false}}

// specimen is one page to look at.
type specimen struct {
	name string
	page interface {
		Document() (pages.Document, error)
	}
}

// specimens are all pages in a language: with everything that may be on them, and with as little as possible.
func specimens(t *testing.T, tag language.Tag) []specimen {
	t.Helper()
	head := pages.Head{
		Language: tag, RequestID: "2YIWJDZHWXEOV6CYB5MVATO267",
		Look: pages.Look{Name: "Vision HR", Accent: "#0b6e4f", Logo: []byte(logo)},
	}
	plain := head
	plain.Look = pages.Look{Name: "The Vision Savings and Commercial Bank of Upper Austria"}
	chinese := "陳邦妮"
	list := []specimen{
		{"landing", pages.Landing{Head: head}},
		{"consent", pages.Consent{
			Head: head, Platform: "LINE", ChatName: chinese, ChatPicture: portrait(t),
			Claims: []pages.Claim{{Name: "name", Value: "J. Dupont"}, {Name: "email", Value: "j.dupont@vision.example"}},
			Action: "/consent/x", Token: "x",
		}},
		{"consent-masked", pages.Consent{
			Head: plain, Platform: "Facebook", MaskedUser: "1001…0301",
			Claims: []pages.Claim{{Name: "email", Value: "hubert.blaine.wolfeschlegelsteinhausen@subsidiary.vision-holding.example"}},
			Action: "/consent/x", Token: "x",
		}},
		{"consent-unknown", pages.Consent{
			Head: head, Platform: "LINE", Claims: []pages.Claim{{Name: "name", Value: "林小美"}}, Action: "/consent/x", Token: "x",
		}},
		{"cancelled", pages.End{Head: head, Kind: pages.EndCancelled}},
		{"done", pages.End{Head: head, Kind: pages.EndDone}},
	}
	for _, kind := range []pages.ProblemKind{
		pages.ProblemNotFound, pages.ProblemParameters, pages.ProblemExpired, pages.ProblemUsed, pages.ProblemCookie,
		pages.ProblemInsecure, pages.ProblemRefused, pages.ProblemTooManyLinks, pages.ProblemIssuer, pages.ProblemBusy,
		pages.ProblemInternal,
	} {
		list = append(list, specimen{"problem-" + string(kind), pages.Trouble{Head: head, Kind: kind}})
	}
	return list
}

const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" rx="10" fill="#0b6e4f"/>` +
	`<path d="M9 12l11 18 11-18" fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/></svg>`

// portrait is a picture of nobody: a head, and shoulders below it.
func portrait(t *testing.T) []byte {
	t.Helper()
	const side = 144
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{196, 221, 232, 255}), image.Point{}, draw.Src)
	for _, disc := range []struct {
		x, y, radius int
		colour       color.RGBA
	}{{72, 150, 58, color.RGBA{46, 78, 110, 255}}, {72, 58, 36, color.RGBA{62, 44, 38, 255}}, {72, 66, 30, color.RGBA{240, 199, 168, 255}}} {
		for i := range side * side {
			x, y := i%side, i/side
			if (x-disc.x)*(x-disc.x)+(y-disc.y)*(y-disc.y) <= disc.radius*disc.radius {
				img.SetRGBA(x, y, disc.colour)
			}
		}
	}
	var out bytes.Buffer
	if err := png.Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestScreenshots takes a picture of every page in every language, in both themes and two sizes, into dist/test/screenshots. It
// fails where a page is wider than the screen or asks for something from elsewhere.
func TestScreenshots(t *testing.T) {
	for _, name := range []string{"en", "zh-TW", "ja", "th", "fr"} {
		tag := pages.Match(name)
		shown := map[string]pages.Document{}
		var names []string
		for _, s := range specimens(t, tag) {
			document, err := s.page.Document()
			if err != nil {
				t.Fatal(err)
			}
			shown["/"+s.name] = document
			names = append(names, s.name)
		}
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			document := shown[r.URL.Path]
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", document.ContentSecurityPolicy)
			_, _ = w.Write(document.HTML)
		}))
		t.Cleanup(server.Close)
		for _, theme := range []string{"light", "dark"} {
			for _, size := range sizes {
				t.Run(fmt.Sprintf("%s/%s/%s", tag, theme, size.name), func(t *testing.T) {
					p := (*world)(nil).newPerson(t)
					p.emulate(t, theme, size)
					for _, name := range names {
						p.picture(t, server.URL+"/"+name,
							filepath.Join(results, "screenshots", fmt.Sprintf("%s-%s-%s-%s.png", name, tag, theme, size.name)))
					}
				})
			}
		}
	}
}

// emulate makes the tab a screen with a theme.
func (p *person) emulate(t *testing.T, theme string, s size) {
	t.Helper()
	options := []chromedp.EmulateViewportOption{chromedp.EmulateScale(s.scale)}
	if s.mobile {
		options = append(options, chromedp.EmulateMobile)
	}
	p.do(t, "emulating a screen", chromedp.EmulateViewport(s.width, s.height, options...))
	if _, err := chromedp.Call(p.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
	}); err != nil {
		t.Fatal(err)
	}
}

// picture takes the picture of one page, as long as it is.
func (p *person) picture(t *testing.T, address, file string) {
	t.Helper()
	p.asked()
	p.visit(t, address)
	for _, other := range p.asked() {
		if other != address && !strings.HasPrefix(other, "data:image/") {
			t.Errorf("%s asks for %s", address, other)
		}
	}
	if wide := eval[int](t, p, "document.documentElement.scrollWidth - document.documentElement.clientWidth"); wide > 0 {
		t.Errorf("%s is %d pixels wider than the screen", address, wide)
	}
	ctx, cancel := context.WithTimeout(p.tab, stepTime)
	defer cancel()
	whole := true
	shot, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: &whole})
	if err != nil {
		t.Fatal(err)
	}
	if err := save(file, shot.Data); err != nil {
		t.Fatal(err)
	}
}
