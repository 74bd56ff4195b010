package messenger

import "unicode/utf8"

// maxTitle is the length of an element's title in characters (Send API, generic
// template).
const maxTitle = 80

// Message is a message as the Send API takes it.
type Message struct {
	Attachment Attachment `json:"attachment"`
}

// Attachment is a message's template.
type Attachment struct {
	Type    string  `json:"type"`
	Payload Payload `json:"payload"`
}

// Payload is a generic template.
type Payload struct {
	Type     string    `json:"template_type"`
	Elements []Element `json:"elements"`
}

// Element is a card of a generic template.
type Element struct {
	Title    string   `json:"title"`
	ImageURL string   `json:"image_url,omitempty"`
	Buttons  []Button `json:"buttons"`
}

// Button is Messenger's own Log In or Log Out, which it names in the user's language.
// Only Log In has a URL.
type Button struct {
	Type string `json:"type"`
	URL  string `json:"url,omitempty"`
}

// LoginMessage prompts a user to log in at the channel's authorize URL. Messenger adds
// its parameters to it. A title that is too long is cut off; imageURL may be empty.
func LoginMessage(title, imageURL, authorizeURL string) Message {
	return card(title, imageURL, Button{Type: "account_link", URL: authorizeURL})
}

// LogoutMessage offers a user to unlink. Messenger tells the webhook when he does.
func LogoutMessage(title, imageURL string) Message {
	return card(title, imageURL, Button{Type: "account_unlink"})
}

func card(title, imageURL string, button Button) Message {
	if utf8.RuneCountInString(title) > maxTitle {
		title = string([]rune(title)[:maxTitle-1]) + "…"
	}
	element := Element{Title: title, ImageURL: imageURL, Buttons: []Button{button}}
	return Message{Attachment{"template", Payload{"generic", []Element{element}}}}
}
