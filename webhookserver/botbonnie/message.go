package botbonnie

import (
	"strings"
	"unicode/utf16"
)

// MaxText is the length of a text message in characters (BotBonnie, message formats).
// They are counted as JavaScript and LINE count them, in UTF-16, which is never less
// than the number of code points.
const MaxText = 320

// Message is one message in the form in which BotBonnie's JSON API takes answers. Type
// says which of the other members it has; see [ReadMessage].
type Message struct {
	Type         string       `json:"type"`
	Text         string       `json:"text,omitempty"`
	ImageURL     string       `json:"imageUrl,omitempty"`
	VideoURL     string       `json:"videoUrl,omitempty"`
	AudioURL     string       `json:"audioUrl,omitempty"`
	Cards        []Card       `json:"cards,omitempty"`
	Buttons      []Button     `json:"buttons,omitempty"`
	QuickReplies []QuickReply `json:"quickReplies,omitempty"`
}

// Card is one of a gallery.
type Card struct {
	Title    string   `json:"title"`
	Subtitle string   `json:"subtitle,omitempty"`
	ImageURL string   `json:"imageUrl,omitempty"`
	Buttons  []Button `json:"buttons,omitempty"`
}

// Button is a button below a message. Value is a module for the type postback, a URL
// for web_url.
type Button struct {
	Title string `json:"title"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// QuickReply is an answer that the chat offers above its keyboard. Payload is the module
// that it starts.
type QuickReply struct {
	Title   string `json:"title"`
	Type    string `json:"type"`
	Payload string `json:"payload"`
}

// Text is a message of at most [MaxText] characters; what is longer is cut off.
func Text(text string, buttons ...Button) Message {
	return Message{Type: typeText, Text: cut(text), Buttons: buttons}
}

// Postback is a button that starts one of the bot's modules.
func Postback(title, module string) Button {
	return Button{Title: title, Type: typePostback, Value: module}
}

// length counts the characters of a text as [MaxText] does.
func length(text string) (n int) {
	for _, r := range text {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

// cut shortens a text to MaxText, the last character an ellipsis then.
func cut(text string) string {
	if length(text) <= MaxText {
		return text
	}
	n := 0
	for i, r := range text {
		if n += max(utf16.RuneLen(r), 1); n >= MaxText { // no room for it and the ellipsis
			return strings.TrimRight(text[:i], " \n") + "…"
		}
	}
	return text
}
