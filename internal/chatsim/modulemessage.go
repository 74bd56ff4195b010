package chatsim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Limits of a module's message. BotBonnie gives the first; the others are those of the stricter platform, Messenger.
const (
	maxModuleText    = 320
	maxModuleButtons = 3
	maxModuleCards   = 10
	maxModuleReplies = 13
)

// moduleMessage is what a service answers (BotBonnie, message formats).
type moduleMessage struct {
	Type         string         `json:"type"`
	Text         string         `json:"text"`
	ImageURL     string         `json:"imageUrl"`
	VideoURL     string         `json:"videoUrl"`
	AudioURL     string         `json:"audioUrl"`
	Cards        []moduleCard   `json:"cards"`
	Buttons      []moduleButton `json:"buttons"`
	QuickReplies []moduleButton `json:"quickReplies"`
}

type moduleCard struct {
	Title    string         `json:"title"`
	Subtitle string         `json:"subtitle"`
	ImageURL string         `json:"imageUrl"`
	Buttons  []moduleButton `json:"buttons"`
}

// moduleButton is a button, which has a value, or a quick reply, which has a payload.
type moduleButton struct {
	Title   string `json:"title"`
	Type    string `json:"type"`
	Value   string `json:"value"`
	Payload string `json:"payload"`
}

// readModuleMessage reads what BotBonnie would show, or says why it could not.
func readModuleMessage(c *channel, status int, answer []byte) (Message, string) {
	if status != http.StatusOK {
		return Message{}, "the status is not 200"
	}
	var said moduleMessage
	dec := json.NewDecoder(bytes.NewReader(answer))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&said); err != nil || dec.More() {
		return Message{}, "it is no JSON object of a message"
	}
	r := moduleReader{bot: c.BotBonnie}
	shown := Message{By: ByBot}
	switch said.Type {
	case "text":
		if n := utf8.RuneCountInString(said.Text); n == 0 || n > maxModuleText {
			r.refuse("its text has not 1 to %d characters", maxModuleText)
		}
		shown.Text, shown.Buttons = said.Text, r.buttons(said.Buttons)
	case "image":
		shown.Media = r.media(said.ImageURL, ".jpg", ".jpeg", ".png", ".gif")
	case "video":
		shown.Media = r.media(said.VideoURL, ".mp4")
	case "audio":
		shown.Media = r.media(said.AudioURL, ".mp3")
	case "gallery":
		shown.Cards = r.cards(said.Cards)
	default:
		r.refuse("its type is not text, image, gallery, video or audio")
	}
	if said.Type != "text" && len(said.Buttons) > 0 {
		r.refuse("only a text and a card have buttons")
	}
	if len(said.QuickReplies) > maxModuleReplies {
		r.refuse("it has more than %d quick replies", maxModuleReplies)
	}
	for _, q := range said.QuickReplies {
		if q.Type != "text" || q.Title == "" || q.Value != "" {
			r.refuse("a quick reply has a title, the type text and a payload")
		}
		shown.QuickReplies = append(shown.QuickReplies, Button{Label: q.Title, Action: StartModule, Value: r.module(q.Payload), Says: q.Title})
	}
	return shown, r.wrong
}

// moduleReader keeps the first thing that is wrong.
type moduleReader struct {
	bot   *BotBonnie
	wrong string
}

func (r *moduleReader) refuse(format string, args ...any) {
	if r.wrong == "" {
		r.wrong = fmt.Sprintf(format, args...)
	}
}

func (r *moduleReader) buttons(all []moduleButton) []Button {
	if len(all) > maxModuleButtons {
		r.refuse("it has more than %d buttons", maxModuleButtons)
	}
	var buttons []Button
	for _, b := range all {
		if b.Title == "" || b.Payload != "" {
			r.refuse("a button has a title, a type and a value")
		}
		switch b.Type {
		case "postback":
			buttons = append(buttons, Button{Label: b.Title, Action: StartModule, Value: r.module(b.Value), Says: b.Title})
		case "web_url":
			if !absolute(b.Value) {
				r.refuse("the value of a web_url is no URL")
			}
			buttons = append(buttons, Button{Label: b.Title, Action: OpenURL, Value: b.Value})
		default:
			r.refuse("the type of a button is not postback or web_url")
		}
	}
	return buttons
}

// module wants a module that the bot has: a button to any other would be dead.
func (r *moduleReader) module(id string) string {
	if _, ok := r.bot.module(id); !ok {
		r.refuse("the bot has no module of the id in a button")
	}
	return id
}

func (r *moduleReader) media(raw string, endings ...string) string {
	u, err := url.Parse(raw)
	if err != nil || !absolute(raw) {
		r.refuse("it has no URL of its media")
		return ""
	}
	for _, ending := range endings {
		if strings.HasSuffix(strings.ToLower(u.Path), ending) {
			return raw
		}
	}
	r.refuse("the media is none of %s", strings.Join(endings, ", "))
	return ""
}

func (r *moduleReader) cards(all []moduleCard) []Card {
	if n := len(all); n == 0 || n > maxModuleCards {
		r.refuse("a gallery has 1 to %d cards", maxModuleCards)
	}
	var cards []Card
	for _, c := range all {
		if c.Title == "" {
			r.refuse("a card has a title")
		}
		card := Card{Title: c.Title, Text: c.Subtitle, Buttons: r.buttons(c.Buttons)}
		if c.ImageURL != "" {
			card.ImageURL = r.media(c.ImageURL, ".jpg", ".jpeg", ".png", ".gif")
		}
		cards = append(cards, card)
	}
	return cards
}
