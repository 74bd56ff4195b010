package chatsim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"unicode/utf16"
)

// Limits of LINE's messages, in UTF-16 code units where it counts characters (LINE, Messaging API reference, message objects).
const (
	maxLINEMessages    = 5
	maxLINEText        = 5000
	maxLINEAltText     = 1500
	maxLINETitle       = 40
	maxLINEButtonsText = 160
	// maxLINETitledText is for buttons with a title or a picture, and for the columns of a carousel.
	maxLINETitledText  = 60
	maxLINEColumnText  = 120
	maxLINEConfirmText = 240
	maxLINEActions     = 4
	maxLINEColumns     = 10
	maxLINEColumnActs  = 3
	maxLINEQuickReply  = 13
	maxLINELabel       = 20
	maxLINEURI         = 1000
	maxLINEData        = 300
	maxLINEImageURL    = 2000
)

// lineProblem is one line of the details of a refusal.
type lineProblem struct {
	Message  string `json:"message"`
	Property string `json:"property"`
}

// lineReader turns LINE's message objects into a chat's, and collects what is wrong with them.
type lineReader struct{ problems []lineProblem }

func (r *lineReader) wrong(property, format string, args ...any) {
	r.problems = append(r.problems, lineProblem{fmt.Sprintf(format, args...), property})
}

// text checks the length of a string.
func (r *lineReader) text(property, value string, most int) string {
	if n := len(utf16.Encode([]rune(value))); n < 1 || n > most {
		r.wrong(property, "May not be empty or longer than %d characters", most)
	}
	return value
}

type lineMessage struct {
	Type       string        `json:"type"`
	Text       string        `json:"text"`
	AltText    string        `json:"altText"`
	Template   *lineTemplate `json:"template"`
	QuickReply *struct {
		Items []struct {
			Type   string     `json:"type"`
			Action lineAction `json:"action"`
		} `json:"items"`
	} `json:"quickReply"`
	OriginalContentURL string `json:"originalContentUrl"`
	PreviewImageURL    string `json:"previewImageUrl"`
}

type lineTemplate struct {
	Type string `json:"type"`
	lineColumn
	Columns []lineColumn `json:"columns"`
}

type lineColumn struct {
	ThumbnailImageURL string       `json:"thumbnailImageUrl"`
	Title             string       `json:"title"`
	Text              string       `json:"text"`
	Actions           []lineAction `json:"actions"`
}

type lineAction struct {
	Type        string `json:"type"`
	Label       string `json:"label"`
	URI         string `json:"uri"`
	Data        string `json:"data"`
	DisplayText string `json:"displayText"`
	Text        string `json:"text"`
}

// messages reads the messages of a call.
func (r *lineReader) messages(raw []json.RawMessage) []Message {
	if n := len(raw); n < 1 || n > maxLINEMessages {
		r.wrong("messages", "Size must be between 1 and %d", maxLINEMessages)
		return nil
	}
	var all []Message
	for i, one := range raw {
		at := fmt.Sprintf("messages[%d]", i)
		var m lineMessage
		if err := json.Unmarshal(one, &m); err != nil {
			r.wrong(at, "Not a message object")
			continue
		}
		all = append(all, r.message(at, m))
	}
	return all
}

func (r *lineReader) message(at string, m lineMessage) Message {
	shown := Message{By: ByBot}
	switch m.Type {
	case "text":
		shown.Text = r.text(at+".text", m.Text, maxLINEText)
	case "image":
		r.imageURL(at+".originalContentUrl", m.OriginalContentURL)
		r.imageURL(at+".previewImageUrl", m.PreviewImageURL)
		shown.Media = m.PreviewImageURL
	case "template":
		r.text(at+".altText", m.AltText, maxLINEAltText)
		if m.Template == nil {
			r.wrong(at+".template", "May not be null")
			break
		}
		shown.Cards = r.template(at+".template", *m.Template)
	default:
		r.wrong(at+".type", "Must be one of the following values: [text, image, template]; the simulator knows no others")
	}
	if m.QuickReply != nil {
		if n := len(m.QuickReply.Items); n < 1 || n > maxLINEQuickReply {
			r.wrong(at+".quickReply.items", "Size must be between 1 and %d", maxLINEQuickReply)
		}
		for i, item := range m.QuickReply.Items {
			shown.QuickReplies = append(shown.QuickReplies, r.action(fmt.Sprintf("%s.quickReply.items[%d].action", at, i), item.Action))
		}
	}
	return shown
}

func (r *lineReader) template(at string, t lineTemplate) []Card {
	switch t.Type {
	case "buttons":
		most := maxLINEButtonsText
		if t.Title != "" || t.ThumbnailImageURL != "" {
			most = maxLINETitledText
		}
		return []Card{r.column(at, t.lineColumn, most, 1, maxLINEActions)}
	case "confirm":
		return []Card{r.column(at, t.lineColumn, maxLINEConfirmText, 2, 2)}
	case "carousel":
		if n := len(t.Columns); n < 1 || n > maxLINEColumns {
			r.wrong(at+".columns", "Size must be between 1 and %d", maxLINEColumns)
		}
		var cards []Card
		for i, c := range t.Columns {
			most := maxLINEColumnText
			if c.Title != "" || c.ThumbnailImageURL != "" {
				most = maxLINETitledText
			}
			cards = append(cards, r.column(fmt.Sprintf("%s.columns[%d]", at, i), c, most, 1, maxLINEColumnActs))
		}
		return cards
	}
	r.wrong(at+".type", "Must be one of the following values: [buttons, confirm, carousel]; the simulator knows no others")
	return nil
}

func (r *lineReader) column(at string, c lineColumn, text, least, most int) Card {
	card := Card{Title: c.Title, Text: r.text(at+".text", c.Text, text), ImageURL: c.ThumbnailImageURL}
	if c.Title != "" {
		r.text(at+".title", c.Title, maxLINETitle)
	}
	if c.ThumbnailImageURL != "" {
		r.imageURL(at+".thumbnailImageUrl", c.ThumbnailImageURL)
	}
	if n := len(c.Actions); n < least || n > most {
		r.wrong(at+".actions", "Size must be between %d and %d", least, most)
	}
	for i, a := range c.Actions {
		card.Buttons = append(card.Buttons, r.action(fmt.Sprintf("%s.actions[%d]", at, i), a))
	}
	return card
}

func (r *lineReader) action(at string, a lineAction) Button {
	b := Button{Label: r.text(at+".label", a.Label, maxLINELabel)}
	switch a.Type {
	case "uri":
		b.Action, b.Value = OpenURL, r.text(at+".uri", a.URI, maxLINEURI)
		if u, err := url.Parse(a.URI); err != nil || !slices.Contains([]string{"http", "https", "line", "tel"}, u.Scheme) {
			r.wrong(at+".uri", "Invalid action URI scheme")
		}
	case "postback":
		b.Action, b.Value, b.Says = SendPostback, r.text(at+".data", a.Data, maxLINEData), a.DisplayText
		if a.DisplayText != "" {
			r.text(at+".displayText", a.DisplayText, maxLINEData)
		}
	case "message":
		b.Action, b.Value = SayText, r.text(at+".text", a.Text, maxLINEData)
	default:
		r.wrong(at+".type", "Must be one of the following values: [uri, postback, message]; the simulator knows no others")
	}
	return b
}

// imageURL wants https, as LINE does; on this machine pictures come by http.
func (r *lineReader) imageURL(property, raw string) {
	r.text(property, raw, maxLINEImageURL)
	if u, err := url.Parse(raw); err != nil || u.Host == "" || u.Scheme != "https" && !local(u.Hostname()) {
		r.wrong(property, "Must use HTTPS")
	}
}
