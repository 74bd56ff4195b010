package chatsim

import (
	"slices"
	"time"
)

// Speaker is who said something in a chat.
type Speaker string

// The speakers.
const (
	ByUser Speaker = "user"
	ByBot  Speaker = "bot"
	// ByPlatform are the app's own notes, such as that an account was unlinked.
	ByPlatform Speaker = "platform"
)

// Message is something in a chat, as the app shows it.
type Message struct {
	// ID counts the messages of one user's chat from 1.
	ID int       `json:"id"`
	At time.Time `json:"at"`
	By Speaker   `json:"by"`
	// Text, Media and Cards are alternatives, but for a card's words.
	Text string `json:"text,omitempty"`
	// Media is the address of a picture, a film or a sound.
	Media string `json:"media,omitempty"`
	Cards []Card `json:"cards,omitempty"`
	// Buttons below Text; those of Cards stand in the cards.
	Buttons []Button `json:"buttons,omitempty"`
	// QuickReplies are there until the user says something.
	QuickReplies []Button `json:"quickReplies,omitempty"`
}

// Card is one picture with words and buttons of a template or a gallery.
type Card struct {
	Title    string   `json:"title,omitempty"`
	Text     string   `json:"text,omitempty"`
	ImageURL string   `json:"imageURL,omitempty"`
	Buttons  []Button `json:"buttons,omitempty"`
}

// Action is what a button does.
type Action string

// The actions.
const (
	// OpenURL opens Value in the app's browser.
	OpenURL Action = "open"
	// SendPostback sends Value to the bot as a postback.
	SendPostback Action = "postback"
	// StartModule starts the module Value of the bot at BotBonnie.
	StartModule Action = "module"
	// SayText has the user say Value.
	SayText Action = "say"
	// LinkAccount is Messenger's Log In: it opens Value with a token for whoever taps it.
	LinkAccount Action = "login"
	// UnlinkAccount is Log Out.
	UnlinkAccount Action = "logout"
)

// Button is something to tap in a chat.
type Button struct {
	// ID counts the buttons of one user's chat from 1.
	ID     int    `json:"id"`
	Label  string `json:"label"`
	Action Action `json:"action"`
	Value  string `json:"value,omitempty"`
	// Says is what stands in the chat as the user's words when the button is tapped; empty for nothing.
	Says string `json:"says,omitempty"`
}

// maxMessages bounds a chat; the oldest messages go first.
const maxMessages = 200

// show puts a message into the user's chat. A caller holds the mutex.
func (s *Simulator) show(u *user, m Message) {
	u.lastMessage++
	m.ID, m.At = u.lastMessage, s.nowLocked()
	for _, b := range m.buttons() {
		u.lastButton++
		b.ID = u.lastButton
	}
	if m.By == ByUser {
		u.active = m.At
		for i := range u.chat {
			u.chat[i].QuickReplies = nil
		}
	}
	if len(u.chat) == maxMessages {
		u.chat = slices.Delete(u.chat, 0, 1)
	}
	u.chat = append(u.chat, m)
	s.changed()
}

// note shows words of the app itself. A caller holds the mutex.
func (s *Simulator) note(u *user, text string) { s.show(u, Message{By: ByPlatform, Text: text}) }

// buttons are all buttons of a message.
func (m *Message) buttons() []*Button {
	var all []*Button
	for i := range m.Buttons {
		all = append(all, &m.Buttons[i])
	}
	for i := range m.Cards {
		for j := range m.Cards[i].Buttons {
			all = append(all, &m.Cards[i].Buttons[j])
		}
	}
	for i := range m.QuickReplies {
		all = append(all, &m.QuickReplies[i])
	}
	return all
}

// button finds a button that is still in the chat. A caller holds the mutex.
func (u *user) button(id int) (Button, bool) {
	for i := range u.chat {
		for _, b := range u.chat[i].buttons() {
			if b.ID == id {
				return *b, true
			}
		}
	}
	return Button{}, false
}

// messages is a copy of the user's chat. A caller holds the mutex.
func (u *user) messages() []Message { return append([]Message{}, u.chat...) }
