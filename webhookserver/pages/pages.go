// Package pages writes the pages that people see in a browser, most often in the webview of a chat app on a phone. They are
// plain HTML and CSS: no script, no picture from elsewhere, nothing that a strict Content-Security-Policy would stop.
package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"unicode/utf8"
)

//go:embed templates/*.html
var files embed.FS

//go:embed style.css
var style string

var templates = template.Must(template.ParseFS(files, "templates/*.html"))

// Document is a page as it goes over the wire.
type Document struct {
	HTML []byte
	// ContentSecurityPolicy allows the page's own style and inlined pictures and nothing else. There is no form-action:
	// Chromium applies it to every redirect that follows a form, and those lead to the chat platform.
	ContentSecurityPolicy string
}

// view is what the templates see.
type view struct {
	Lang, Title, Name, RequestID string
	// Gap stands between two sentences: nothing after the wide full stop of Chinese and Japanese.
	Gap  string
	CSS  template.CSS
	Logo template.URL
	W    *words
	// Heading and Text are those of a message, and Mark the sign beside them: chat, done, stopped or alert.
	Heading, Text, Mark string
	consentView
}

type consentView struct {
	Page                    *Consent
	Account, Chat, Platform string
	Initial                 string
	ChatKnown               bool
	Picture                 template.URL
	Details                 []Claim
	FieldToken, FieldChoice string
	Link, Cancel, NotYou    string
}

// Document writes the page.
func (p Landing) Document() (Document, error) {
	v := p.view()
	v.Title, v.Heading, v.Text = p.Look.Name, p.Look.Name, v.W.LandingText
	v.Name, v.Mark = "", "chat"
	return v.write("message", p.Look)
}

// Document writes the page.
func (p End) Document() (Document, error) {
	v := p.view()
	v.Heading, v.Text, v.Mark = v.W.DoneTitle, v.W.DoneText, "done"
	if p.Kind == EndCancelled {
		v.Heading, v.Text, v.Mark = v.W.CancelledTitle, v.W.CancelledText, "stopped"
	}
	v.Title = v.Heading
	return v.write("message", p.Look)
}

// Document writes the page.
func (p Trouble) Document() (Document, error) {
	v := p.view()
	problem, ok := v.W.Problems[p.Kind]
	if !ok {
		problem = v.W.Problems[ProblemInternal]
	}
	v.Title, v.Heading, v.Text, v.Mark = problem.Title, problem.Title, problem.Advice, "alert"
	return v.write("message", p.Look)
}

// Document writes the page.
func (p Consent) Document() (Document, error) {
	v := p.view()
	v.Title = v.W.Link
	v.consentView = consentView{
		Page: &p, Platform: platformName(p.Platform), Picture: dataURL(p.ChatPicture),
		FieldToken: FieldToken, FieldChoice: FieldChoice, Link: ChoiceLink, Cancel: ChoiceCancel, NotYou: ChoiceNotYou,
	}
	v.Chat, v.ChatKnown = v.W.UnknownUser, false
	for _, name := range []string{p.ChatName, p.MaskedUser} {
		if name != "" {
			v.Chat, v.ChatKnown = name, true
			break
		}
	}
	v.Initial = initial(p.ChatName)
	if len(p.Claims) > 0 {
		v.Account = p.Claims[0].Value
		for _, claim := range p.Claims[1:] {
			v.Details = append(v.Details, Claim{Name: v.label(claim.Name), Value: claim.Value})
		}
	}
	return v.write("consent", p.Look)
}

func (h Head) view() view {
	w, ok := catalogue[h.Language]
	lang := h.Language.String()
	if !ok {
		w, lang = &english, "en"
	}
	gap := " "
	if base, _ := h.Language.Base(); ok && (base.String() == "zh" || base.String() == "ja") {
		gap = ""
	}
	return view{Lang: lang, Gap: gap, Name: h.Look.Name, RequestID: h.RequestID, W: w, Logo: dataURL(h.Look.Logo)}
}

func (v view) label(claim string) string {
	if label, ok := v.W.Claims[claim]; ok {
		return label
	}
	return claim
}

func (v view) write(name string, look Look) (Document, error) {
	css := stylesheet(look.Accent)
	v.CSS = template.CSS(css) //nolint:gosec // our own file; the colour in it is checked
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, v); err != nil {
		return Document{}, fmt.Errorf("writing page %s: %w", name, err)
	}
	sum := sha256.Sum256([]byte(css))
	return Document{
		HTML: body.Bytes(),
		ContentSecurityPolicy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; img-src data:; base-uri 'none'; frame-ancestors 'none'",
	}, nil
}

// stylesheet is the style with the channel's colour.
func stylesheet(accent string) string {
	accent, onAccent := colours(accent)
	return strings.NewReplacer("ON-ACCENT", onAccent, "ACCENT", accent).Replace(style)
}

// pictureTypes are the types of pictures that are inlined. An SVG in an img element runs no script and loads nothing.
var pictureTypes = map[string]bool{"image/png": true, "image/jpeg": true}

// dataURL inlines a picture; one of another type than those that are meant is left out.
func dataURL(picture []byte) template.URL {
	if len(picture) == 0 {
		return ""
	}
	kind := http.DetectContentType(picture)
	if !pictureTypes[kind] {
		if !bytes.Contains(picture[:min(len(picture), 1024)], []byte("<svg")) {
			return ""
		}
		kind = "image/svg+xml"
	}
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(picture)) //nolint:gosec // base64 of a picture
}

func platformName(platform string) string {
	if platform == "Facebook" {
		return "Messenger"
	}
	return platform
}

// initial stands for a picture; it is empty for a chat user without a name.
func initial(name string) string {
	r, _ := utf8.DecodeRuneInString(strings.ToUpper(strings.TrimSpace(name)))
	if r == utf8.RuneError {
		return ""
	}
	return string(r)
}
