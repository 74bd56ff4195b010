package line

import (
	"unicode/utf16"

	"channellink.dev/operator/webhookserver/link"
)

// The limits of a buttons template (Messaging API reference). LINE counts some of them in grapheme clusters and others in
// UTF-16 units; of the latter a text never has fewer.
const (
	maxAltText   = 400
	maxTitle     = 40
	maxText      = 160
	maxShortText = 60 // beside a title or a picture
	maxLabel     = 20
)

// Message is a message as the Messaging API takes it.
type Message struct {
	Type     string   `json:"type"`
	AltText  string   `json:"altText"`
	Template Template `json:"template"`
}

// Template is a buttons template.
type Template struct {
	Type      string   `json:"type"`
	Thumbnail string   `json:"thumbnailImageUrl,omitempty"`
	Title     string   `json:"title,omitempty"`
	Text      string   `json:"text"`
	Actions   []Action `json:"actions"`
}

// Action is what a button does: opening a URI, or a postback.
type Action struct {
	Type        string `json:"type"`
	Label       string `json:"label"`
	URI         string `json:"uri,omitempty"`
	Data        string `json:"data,omitempty"`
	DisplayText string `json:"displayText,omitempty"`
}

// Words are what a prompt says. What is longer than LINE takes is cut off. Title and ImageURL may be empty; a picture must be
// https, since LINE refuses the whole message otherwise.
type Words struct{ Title, Text, Label, ImageURL string }

// LoginMessage prompts a user to log in at the channel's authorize URL, with the link token that was issued to him.
// External has LINE open the phone's own browser, for issuers that refuse to show themselves in an app. The error is about
// authorizeURL.
func LoginMessage(w Words, authorizeURL, linkToken string, external bool) (Message, error) {
	pairs := []string{paramToken, linkToken}
	if external {
		pairs = append(pairs, "openExternalBrowser", "1")
	}
	uri, err := link.AppendQuery(authorizeURL, pairs...)
	if err != nil {
		return Message{}, err
	}
	return w.buttons(Action{Type: "uri", URI: uri}), nil
}

// LogoutMessage offers a user to unlink. The button's postback comes back in the webhook, signed by LINE.
func LogoutMessage(w Words) Message {
	return w.buttons(Action{Type: "postback", Data: LogoutPostback, DisplayText: clip(w.Label, maxLabel)})
}

// buttons makes a template with one button.
func (w Words) buttons(action Action) Message {
	action.Label = clip(w.Label, maxLabel)
	t := Template{
		Type: "buttons", Thumbnail: w.ImageURL, Title: clip(w.Title, maxTitle), Text: clip(w.Text, maxText),
		Actions: []Action{action},
	}
	alt := w.Text
	if t.Title != "" {
		alt = w.Title + "\n" + w.Text
	}
	if t.Title != "" || t.Thumbnail != "" {
		t.Text = clip(w.Text, maxShortText)
	}
	return Message{Type: "template", AltText: clip(alt, maxAltText), Template: t}
}

// clip shortens text to so many UTF-16 units, the mark of omission included.
func clip(text string, limit int) string {
	if len(utf16.Encode([]rune(text))) <= limit {
		return text
	}
	const omission = "…"
	units := 1 // of the omission
	for i, r := range text {
		if units += utf16.RuneLen(r); units > limit {
			return text[:i] + omission
		}
	}
	return text
}
