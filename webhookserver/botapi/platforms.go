package botapi

import (
	"context"
	"fmt"
	"time"

	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
)

// MessengerPrompts are those of a page of Messenger.
type MessengerPrompts struct {
	AuthorizeURL string
	// Graph sends them; without a page access token it cannot.
	Graph *messenger.Graph
}

// Prompt implements [Prompter]. The buttons are Messenger's own: they need no token and do not end.
func (m MessengerPrompts) Prompt(_ context.Context, w Wanted) (Prompt, error) {
	message := messenger.LoginMessage(w.Title, w.ImageURL, m.AuthorizeURL)
	if w.Kind == Logout {
		message = messenger.LogoutMessage(w.Title, w.ImageURL)
	}
	return Prompt{Message: message, Send: func(ctx context.Context) error {
		if !m.Graph.Configured() {
			return NeedsField("messenger.pageAccessTokenSecretRef")
		}
		return m.Graph.Send(ctx, w.UserID, message)
	}}, nil
}

// LINEPrompts are those of a LINE Official Account.
type LINEPrompts struct {
	Channel      link.ChannelID
	AuthorizeURL string
	// ExternalBrowser has the login opened in the phone's own browser.
	ExternalBrowser bool
	API             *line.API
	Store           func() (link.IssuedStore, error)
	Now             func() time.Time
}

// Prompt implements [Prompter].
func (l LINEPrompts) Prompt(ctx context.Context, w Wanted) (Prompt, error) {
	text, label := w.Text()
	words := line.Words{Title: w.Title, Text: text, Label: label}
	if isPicture(w.ImageURL) {
		words.ImageURL = w.ImageURL
	}
	prompt, message := Prompt{}, line.LogoutMessage(words)
	if w.Kind == Login {
		var err error
		if message, prompt.ExpiresAt, err = l.login(ctx, w.UserID, words); err != nil {
			return Prompt{}, err
		}
	}
	prompt.Message = message
	prompt.Send = func(ctx context.Context) error {
		if !l.API.Configured() {
			return needsLINEToken
		}
		return l.API.Push(ctx, w.UserID, message)
	}
	return prompt, nil
}

var needsLINEToken = NeedsField("line.channelAccessTokenSecretRef")

// login has a link token issued, and remembers for whom before anybody can use it: so the login is known to be that user's on
// every replica.
func (l LINEPrompts) login(ctx context.Context, userID string, words line.Words) (line.Message, time.Time, error) {
	if !l.API.Configured() {
		return line.Message{}, time.Time{}, needsLINEToken
	}
	store, err := l.Store()
	if err != nil {
		return line.Message{}, time.Time{}, err
	}
	expires := l.Now().Add(link.LINETokenLife)
	token, err := l.API.IssueLinkToken(ctx, userID)
	if err != nil {
		return line.Message{}, time.Time{}, err
	}
	err = store.PutIssued(ctx, link.Issued{Channel: l.Channel, Token: link.HashCode(token), UserID: userID, ExpiresAt: expires})
	if err != nil {
		return line.Message{}, time.Time{}, err
	}
	message, err := line.LoginMessage(words, l.AuthorizeURL, token, l.ExternalBrowser)
	if err != nil {
		return line.Message{}, time.Time{}, fmt.Errorf("publicURL: %w", err)
	}
	return message, expires, nil
}
