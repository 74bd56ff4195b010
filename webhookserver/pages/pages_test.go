package pages

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/text/language"
)

// TestFrenchPunctuationStaysWithItsWord: a line that began with a question mark would look like a mistake.
func TestFrenchPunctuationStaysWithItsWord(t *testing.T) {
	if loose := regexp.MustCompile(`.{0,20}( [:;?!»]|« )`).FindAllString(fmt.Sprintf("%q", french), -1); loose != nil {
		t.Errorf("a space that may break a line before or after punctuation: %q", loose)
	}
}

// TestCatalogueIsComplete: every language has every sentence, with the places for names that English has.
func TestCatalogueIsComplete(t *testing.T) {
	if len(catalogue) != len(Languages) {
		t.Fatalf("%d catalogues for %d languages", len(catalogue), len(Languages))
	}
	kinds := []ProblemKind{
		ProblemNotFound, ProblemParameters, ProblemExpired, ProblemUsed, ProblemCookie, ProblemInsecure,
		ProblemRefused, ProblemTooManyLinks, ProblemIssuer, ProblemBusy, ProblemInternal,
	}
	reference := reflect.ValueOf(english)
	for tag, w := range catalogue {
		value := reflect.ValueOf(*w)
		for i := range value.NumField() {
			name := value.Type().Field(i).Name
			if value.Field(i).Kind() != reflect.String {
				continue
			}
			text := value.Field(i).String()
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s is empty", tag, name)
			}
			if want := strings.Count(reference.Field(i).String(), "%s"); strings.Count(text, "%s") != want {
				t.Errorf("%s: %s has another number of names than English: %q", tag, name, text)
			}
		}
		for claim := range english.Claims {
			if w.Claims[claim] == "" {
				t.Errorf("%s: claim %s has no label", tag, claim)
			}
		}
		for _, kind := range kinds {
			if p := w.Problems[kind]; p.Title == "" || p.Advice == "" {
				t.Errorf("%s: problem %s has no title or no advice", tag, kind)
			}
		}
		if len(w.Problems) != len(kinds) || len(w.Claims) != len(english.Claims) {
			t.Errorf("%s: has words that English has not", tag)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tc := range []struct {
		preferences []string
		want        string
		reason      string
	}{
		{nil, "en", "nobody has said anything"},
		{[]string{"zh-TW,zh;q=0.9,en;q=0.8"}, "zh-TW", "the first that there is"},
		{[]string{"zh-Hant-HK"}, "zh-TW", "traditional characters are read there too"},
		{[]string{"de, ja;q=0.4"}, "ja", "German there is not"},
		{[]string{"fr-CA"}, "fr", "a region of a language"},
		{[]string{"th"}, "th", ""},
		{[]string{"not a tag!!", "fr"}, "fr", "nonsense is passed over"},
		{[]string{"xx-invalid-"}, "en", "nonsense alone"},
	} {
		if got := Match(tc.preferences...).String(); got != tc.want {
			t.Errorf("Match(%q) = %s, want %s: %s", tc.preferences, got, tc.want, tc.reason)
		}
	}
}

func TestTextOnTheAccentCanBeRead(t *testing.T) {
	for range 2000 {
		hex := fmt.Sprintf("#%06x", rand.IntN(1<<24))
		background, text := colours(hex)
		if ratio := contrast(luminance(background), luminance(text)); ratio < 4.5 {
			t.Fatalf("%s on %s has contrast %.2f, want at least 4.5", text, background, ratio)
		}
	}
	for _, bad := range []string{"", "red", "#fff", "#12345g", "#000000;background:url(//evil.example)"} {
		if background, _ := colours(bad); background != defaultAccent {
			t.Errorf("colours(%q) = %s, want the default", bad, background)
		}
	}
}

// TestColoursOfThemes: the fixed pairs of colours meet WCAG AA in both themes.
func TestColoursOfThemes(t *testing.T) {
	for _, pair := range [][2]string{
		{"#16191d", "#ffffff"}, {"#525a65", "#ffffff"}, {"#16191d", "#fff4d6"}, {"#525a65", "#f2f4f7"},
		{"#eef1f5", "#1a1e24"}, {"#a9b2be", "#1a1e24"}, {"#eef1f5", "#33290d"}, {"#a9b2be", "#101317"},
	} {
		if !strings.Contains(style, pair[0]) || !strings.Contains(style, pair[1]) {
			t.Errorf("%v are no colours of the style any more: keep this list with it", pair)
		}
		if ratio := contrast(luminance(pair[0]), luminance(pair[1])); ratio < 4.5 {
			t.Errorf("%s on %s has contrast %.2f, want at least 4.5", pair[0], pair[1], ratio)
		}
	}
}

func consent(change func(*Consent)) Consent {
	c := Consent{
		Head:     Head{Look: Look{Name: "Vision HR", Accent: "#0b5fff"}, Language: language.English, RequestID: "R1"},
		Platform: "LINE", ChatName: "Julien", MaskedUser: "U206…7cb8",
		Claims: []Claim{{"name", "J. Dupont"}, {"email", "j.dupont@vision.example"}},
		Action: "/hr/consent/f1", Token: "t0ken",
	}
	if change != nil {
		change(&c)
	}
	return c
}

func render(t *testing.T, p interface{ Document() (Document, error) }) (Document, *html.Node) {
	t.Helper()
	d, err := p.Document()
	if err != nil {
		t.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(d.HTML))
	if err != nil {
		t.Fatal(err)
	}
	return d, root
}

// C1: the page names both sides, asks, and has Cancel in focus and first.
func TestConsentNamesBothSidesAndFocusesCancel(t *testing.T) {
	for tag := range catalogue {
		_, root := render(t, consent(func(c *Consent) { c.Language = tag }))
		text := textOf(root)
		w := catalogue[tag]
		for _, want := range []string{
			w.SignedInAs, "J. Dupont", "j.dupont@vision.example", "Julien", "LINE", "Vision HR",
			w.OnlyIf, w.SomebodySent, w.CancelThen, fmt.Sprintf(w.UnlinkAnyTime, "Vision HR"),
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the page does not say %q", tag, want)
			}
		}
		var choices []string
		each(root, func(n *html.Node) {
			if n.Data == "button" {
				choices = append(choices, attr(n, "value"))
				if _, focused := lookup(n, "autofocus"); focused != (attr(n, "value") == ChoiceCancel) {
					t.Errorf("%s: focus is on %s", tag, attr(n, "value"))
				}
			}
		})
		if want := []string{ChoiceNotYou, ChoiceCancel, ChoiceLink}; !reflect.DeepEqual(choices, want) {
			t.Errorf("%s: buttons %v, want %v: Enter must not press Link", tag, choices, want)
		}
	}
}

// C18, C24: nothing of a page runs, nothing is loaded from elsewhere, whatever the values are.
func TestNothingRunsAndNothingIsLoaded(t *testing.T) {
	evil := `"><script>alert(1)</script><img src=//evil.example onerror=alert(2)>{{.}}` + "\u202e</style>"
	pages := []interface{ Document() (Document, error) }{
		consent(func(c *Consent) {
			c.Look.Name, c.ChatName, c.MaskedUser, c.Action, c.Token, c.Platform, c.RequestID = evil, evil, evil, evil, evil, evil, evil
			c.Look.Accent = evil
			c.Look.Logo = []byte("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(3)</script></svg>")
			c.ChatPicture = []byte("<html>" + evil)
			c.Claims = []Claim{{evil, evil}, {evil, evil}}
		}),
		Landing{Head{Look: Look{Name: evil}}},
		End{Head{Look: Look{Name: evil}, RequestID: evil}, EndCancelled},
		Trouble{Head{Look: Look{Name: evil}, RequestID: evil}, ProblemKind(evil)},
	}
	for _, p := range pages {
		d, root := render(t, p)
		each(root, func(n *html.Node) {
			switch n.Data {
			case "script", "iframe", "object", "embed", "link", "base":
				t.Errorf("%T: has a <%s>", p, n.Data)
			case "svg":
				if !strings.HasPrefix(attr(n, "class"), "mark ") {
					t.Errorf("%T: has a <svg> that is not ours", p)
				}
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Errorf("%T: <%s> has %s", p, n.Data, a.Key)
				}
				if (a.Key == "src" || a.Key == "href") && !strings.HasPrefix(a.Val, "data:image/") {
					t.Errorf("%T: <%s> loads %q", p, n.Data, a.Val)
				}
			}
		})
		for _, want := range []string{"default-src 'none'", "style-src 'sha256-", "img-src data:", "frame-ancestors 'none'"} {
			if !strings.Contains(d.ContentSecurityPolicy, want) {
				t.Errorf("%T: policy %q lacks %s", p, d.ContentSecurityPolicy, want)
			}
		}
		// Seen in Chromium: form-action would stop the redirect to the chat platform.
		if strings.Contains(d.ContentSecurityPolicy, "form-action") {
			t.Errorf("%T: policy %q has form-action", p, d.ContentSecurityPolicy)
		}
	}
}

func TestPicturesAreInlinedByWhatTheyAre(t *testing.T) {
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		data   []byte
		prefix string
		reason string
	}{
		{picture.Bytes(), "data:image/png;base64,", "a PNG"},
		{[]byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>`), "data:image/svg+xml;base64,", "an SVG"},
		{[]byte("GIF89a"), "", "a type that is not meant"},
		{[]byte("<html><body>hello"), "", "no picture"},
		{nil, "", "none"},
	} {
		if got := string(dataURL(tc.data)); !strings.HasPrefix(got, tc.prefix) || (tc.prefix == "" && got != "") {
			t.Errorf("dataURL = %.40q, want %q…: %s", got, tc.prefix, tc.reason)
		}
	}
}

func TestConsentWithoutAKnownChatUser(t *testing.T) {
	_, root := render(t, consent(func(c *Consent) { c.ChatName, c.MaskedUser = "", "" }))
	if text := textOf(root); !strings.Contains(text, english.UnknownUser) {
		t.Errorf("the page does not say which chat: %s", text)
	}
	_, root = render(t, consent(func(c *Consent) { c.ChatName = "" }))
	if text := textOf(root); !strings.Contains(text, "U206…7cb8") {
		t.Errorf("the page does not show the masked id: %s", text)
	}
}

func each(n *html.Node, visit func(*html.Node)) {
	for child := range n.Descendants() {
		if child.Type == html.ElementNode {
			visit(child)
		}
	}
}

func textOf(root *html.Node) string {
	var b strings.Builder
	for n := range root.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "style" {
			b.WriteString(n.Data + " ")
		}
	}
	// What HTML takes for blanks: a no-break space stays what it is.
	words := strings.FieldsFunc(b.String(), func(r rune) bool { return strings.ContainsRune(" \t\n\f\r", r) })
	return strings.Join(words, " ")
}

func lookup(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func attr(n *html.Node, key string) string {
	value, _ := lookup(n, key)
	return value
}
