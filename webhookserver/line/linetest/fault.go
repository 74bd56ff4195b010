package linetest

import (
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf16"
)

// Fault says what LINE would find wrong with a buttons template message; empty: nothing. It counts UTF-16 units throughout,
// which is at least as strict as LINE.
func Fault(message json.RawMessage) string {
	var m struct {
		Type     string `json:"type"`
		AltText  string `json:"altText"`
		Template struct {
			Type      string  `json:"type"`
			Thumbnail *string `json:"thumbnailImageUrl"`
			Title     *string `json:"title"`
			Text      string  `json:"text"`
			Actions   []struct {
				Type        string `json:"type"`
				Label       string `json:"label"`
				URI         string `json:"uri"`
				Data        string `json:"data"`
				DisplayText string `json:"displayText"`
			} `json:"actions"`
		} `json:"template"`
	}
	if json.Unmarshal(message, &m) != nil || m.Type != "template" || m.Template.Type != "buttons" {
		return "not a buttons template"
	}
	within := func(text string, limit int) bool { return text != "" && len(utf16.Encode([]rune(text))) <= limit }
	text := 160
	if m.Template.Title != nil || m.Template.Thumbnail != nil {
		text = 60
	}
	switch t := m.Template; {
	case !within(m.AltText, 400):
		return "altText"
	case t.Title != nil && !within(*t.Title, 40):
		return "title"
	case !within(t.Text, text):
		return "text"
	case t.Thumbnail != nil && (!strings.HasPrefix(*t.Thumbnail, "https://") || !within(*t.Thumbnail, 1000)):
		return "thumbnailImageUrl"
	case len(t.Actions) == 0 || len(t.Actions) > 4:
		return "actions"
	}
	for _, action := range m.Template.Actions {
		if !within(action.Label, 20) {
			return "label"
		}
		switch u, err := url.Parse(action.URI); action.Type {
		case "uri":
			if err != nil || u.Scheme != "https" && u.Scheme != "http" || !within(action.URI, 1000) {
				return "uri"
			}
		case "postback":
			if !within(action.Data, 300) || action.DisplayText != "" && !within(action.DisplayText, 300) {
				return "postback"
			}
		default:
			return "action"
		}
	}
	return ""
}
