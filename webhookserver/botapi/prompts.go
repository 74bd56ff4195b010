package botapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// Kind says what a prompt is for.
type Kind string

// The kinds of prompts.
const (
	Login  Kind = "login"
	Logout Kind = "logout"
)

// Words are the texts of prompts in one language, for platforms whose buttons have none of their own.
type Words struct{ LoginText, LogoutText, LoginLabel, LogoutLabel string }

// Wanted is a prompt that the bot wants for a chat user.
type Wanted struct {
	UserID string
	Kind   Kind
	// Title is not empty; ImageURL may be.
	Title, ImageURL string
	Words           Words
}

// Text is what the prompt says, and label what its button does.
func (w Wanted) Text() (text, label string) {
	if w.Kind == Logout {
		return w.Words.LogoutText, w.Words.LogoutLabel
	}
	return w.Words.LoginText, w.Words.LoginLabel
}

// Prompt is a message in the platform's format.
type Prompt struct {
	Message any
	// ExpiresAt is when its button is good no more; zero: it stays good.
	ExpiresAt time.Time
	// Send sends it to its user.
	Send func(ctx context.Context) error
}

// Prompter makes the prompts of a platform. Its errors are those of package link about messages, a [Problem], or what the call
// of the platform came to.
type Prompter interface {
	Prompt(ctx context.Context, w Wanted) (Prompt, error)
}

// promptRequest is what the bot asks for.
type promptRequest struct {
	Kind     Kind   `json:"kind"`
	Title    string `json:"title"`
	ImageURL string `json:"imageURL"`
	Send     bool   `json:"send"`
}

// prompted is the message for the bot, which sends it itself unless it was sent.
type prompted struct {
	Message   any        `json:"message"`
	Sent      bool       `json:"sent"`
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
}

// Prompts serves POST /api/v1/users/{userID}/prompts.
func (a *API) Prompts() http.HandlerFunc { return a.serve(botRealm, a.BotToken, a.prompt) }

func (a *API) prompt(ctx context.Context, r *http.Request, body []byte) (any, error) {
	userID, err := a.userID(r)
	if err != nil {
		return nil, err
	}
	asked, err := readPrompt(r.Header.Get("Content-Type"), body)
	if err != nil {
		return nil, err
	}
	prompt, err := a.Prompter.Prompt(ctx, a.wanted(userID, asked, r.Header.Get("Accept-Language")))
	if err != nil {
		return nil, err
	}
	if asked.Send {
		if err := prompt.Send(ctx); err != nil {
			return nil, deliveryError(err)
		}
	}
	answer := prompted{Message: prompt.Message, Sent: asked.Send}
	if !prompt.ExpiresAt.IsZero() {
		answer.ExpiresAt = &prompt.ExpiresAt
	}
	return answer, nil
}

// wanted fills in what the bot leaves to the channel.
func (a *API) wanted(userID string, asked promptRequest, preferred string) Wanted {
	branding := a.Channel.Branding
	title := branding.LoginTitle
	if asked.Kind == Logout {
		title = branding.LogoutTitle
	}
	return Wanted{
		UserID: userID, Kind: asked.Kind,
		Title:    cmp.Or(asked.Title, title, a.Channel.DisplayName),
		ImageURL: cmp.Or(asked.ImageURL, branding.ImageURL),
		Words:    a.Words(preferred),
	}
}

// maxImageURL is LINE's limit for the address of a picture, in characters.
const maxImageURL = 1000

// readPrompt reads what the bot asks for. A field that nobody knows is a mistake, such as tilte, that would otherwise show in
// the chat.
func readPrompt(contentType string, body []byte) (promptRequest, error) {
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/json" {
		return promptRequest{}, &Problem{
			Code: http.StatusUnsupportedMediaType, Cause: InvalidRequest, Detail: "The body must be application/json.",
		}
	}
	var asked promptRequest
	if !asked.read(body) {
		return promptRequest{}, invalid("The body must be one JSON object with kind and, if wanted, title, imageURL and send.")
	}
	if asked.Kind != Login && asked.Kind != Logout {
		return promptRequest{}, invalid("kind must be login or logout.")
	}
	if asked.ImageURL != "" && !isPicture(asked.ImageURL) {
		return promptRequest{}, invalid("imageURL must be an https URL of at most 1000 characters.")
	}
	return asked, nil
}

// read reports whether the body is one JSON object with known members, to the letter and each once. encoding/json alone takes
// KIND for kind, and the last of two.
func (p *promptRequest) read(body []byte) bool {
	members := map[string]any{"kind": &p.Kind, "title": &p.Title, "imageURL": &p.ImageURL, "send": &p.Send}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return false
	}
	for decoder.More() {
		token, err := decoder.Token()
		name, _ := token.(string)
		into, ok := members[name]
		if err != nil || !ok || decoder.Decode(into) != nil {
			return false
		}
		delete(members, name)
	}
	if _, err := decoder.Token(); err != nil { // the closing brace
		return false
	}
	_, err := decoder.Token()
	return errors.Is(err, io.EOF)
}

func isPicture(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.Host != "" && len(address) <= maxImageURL
}
