package chatsim

import (
	"context"
	"errors"
	"strings"
)

// Pressed is what comes of a tap on a button.
type Pressed struct {
	// Open is what the app's browser opens; empty when the button opens nothing.
	Open string `json:"open,omitempty"`
}

var errNoButton = errors.New("there is no such button in the chat")

// say has the user say something, and hands it to who listens.
func (s *Simulator) say(ctx context.Context, c *channel, u *user, text string) {
	s.mu.Lock()
	s.show(u, Message{By: ByUser, Text: text})
	s.mu.Unlock()
	if c.BotBonnie != nil {
		s.hear(ctx, c, u, text)
		return
	}
	s.mu.Lock()
	hook := s.textEvent(c, u, text)
	s.mu.Unlock()
	s.deliver(ctx, c, hook)
}

// textEvent makes the event of words that the user said. A caller holds the mutex.
func (s *Simulator) textEvent(c *channel, u *user, text string) *webhook {
	if c.Kind == LINE {
		return s.lineText(c, u, text)
	}
	return s.messengerText(c, u, text)
}

// press taps a button of the user's chat.
func (s *Simulator) press(ctx context.Context, c *channel, u *user, id int) (Pressed, error) {
	s.mu.Lock()
	b, ok := u.button(id)
	if ok && b.Says != "" {
		s.show(u, Message{By: ByUser, Text: b.Says})
	}
	s.mu.Unlock()
	if !ok {
		return Pressed{}, errNoButton
	}
	switch b.Action {
	case OpenURL:
		return Pressed{b.Value}, nil
	case LinkAccount:
		s.mu.Lock()
		defer s.mu.Unlock()
		u.active = s.nowLocked()
		return Pressed{s.issue(c, u).loginURL(b.Value)}, nil
	case UnlinkAccount:
		return Pressed{}, s.logOut(ctx, c, u)
	case StartModule:
		s.start(ctx, c, u, b.Value)
	case SayText:
		s.say(ctx, c, u, b.Value)
	case SendPostback:
		s.mu.Lock()
		hook := s.postbackEvent(c, u, b)
		s.mu.Unlock()
		s.deliver(ctx, c, hook)
	}
	return Pressed{}, nil
}

// postbackEvent makes the event of a tap that goes to the bot. A caller holds the mutex.
func (s *Simulator) postbackEvent(c *channel, u *user, b Button) *webhook {
	if c.Kind == LINE {
		return s.linePostback(c, u, b)
	}
	return s.messengerPostback(c, u, b)
}

// mentions reports whether somebody says one of the words, in whatever case.
func mentions(text string, words []string) bool {
	text = strings.ToLower(text)
	for _, word := range words {
		if strings.Contains(text, strings.ToLower(word)) {
			return true
		}
	}
	return false
}
