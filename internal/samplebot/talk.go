package samplebot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// What people say when they want something.
var (
	leaveWords  = []string{"leave", "congé", "solde", "特休", "休假"}
	logoutWords = []string{"log out", "logout", "déconnexion", "登出"}
	loginWords  = []string{"log in", "login", "connexion", "登入"}
)

// What the bot says.
const (
	greeting  = "Hello! Ask me for your leave balance, or say “log out”."
	welcome   = "You are logged in. Ask me for your leave balance."
	goodbye   = "You are logged out. Your chat account is no longer linked."
	cannotNow = "I cannot look that up right now. Please try again in a minute."
)

// errNotLinked: the leave service does not take the pair.
var errNotLinked = errors.New("the pair is not linked")

// handle does what an event asks for.
func (b *Bot) handle(ctx context.Context, e event) {
	ctx, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	who := person{e.channel.Name, e.user}
	var err error
	switch e.what {
	case linked:
		b.codes[who] = e.code
		err = b.say(ctx, e, welcome)
	case unlinked:
		delete(b.codes, who)
		err = b.say(ctx, e, goodbye)
	case said:
		err = b.answer(ctx, e, who)
	}
	if err != nil {
		b.log.WarnContext(ctx, "an event was not answered", "channel", e.channel.Name, "error", err)
	}
}

// answer answers words.
func (b *Bot) answer(ctx context.Context, e event, who person) error {
	switch {
	case mentions(e.text, logoutWords):
		return b.prompt(ctx, e, "logout")
	case mentions(e.text, loginWords):
		return b.prompt(ctx, e, "login")
	case !mentions(e.text, leaveWords):
		return b.say(ctx, e, greeting)
	}
	code, known := b.codes[who]
	if !known {
		return b.prompt(ctx, e, "login")
	}
	text, err := b.askLeave(ctx, e, code)
	switch {
	case errors.Is(err, errNotLinked):
		delete(b.codes, who) // the company has ended the link
		return b.prompt(ctx, e, "login")
	case err != nil:
		return errors.Join(err, b.say(ctx, e, cannotNow))
	}
	return b.say(ctx, e, text)
}

func mentions(text string, words []string) bool {
	text = strings.ToLower(text)
	for _, word := range words {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// askLeave presents code and user to the leave service.
func (b *Bot) askLeave(ctx context.Context, e event, code string) (string, error) {
	var answer struct {
		Text string `json:"text"`
	}
	status, err := post(ctx, b.ask, b.leave.URL, b.leave.Key,
		map[string]string{"channel": e.channel.Name, "code": code, "user_id": e.user}, &answer)
	if status == http.StatusForbidden {
		return "", errNotLinked
	}
	if err != nil {
		return "", fmt.Errorf("leave service: %w", err)
	}
	return answer.Text, nil
}

// prompt has the server make a login or logout message. On LINE the bot sends it itself, as the reply that costs nothing; on
// Messenger the server does.
func (b *Bot) prompt(ctx context.Context, e event, kind string) error {
	c := e.channel
	var made struct {
		Message json.RawMessage `json:"message"`
	}
	_, err := post(ctx, c.server, c.Server+"/api/v1/users/"+e.user+"/prompts", c.ServerToken,
		map[string]any{"kind": kind, "send": c.Platform == onMessenger}, &made)
	if err != nil {
		return errors.Join(fmt.Errorf("prompt: %w", err), b.say(ctx, e, cannotNow))
	}
	if c.Platform == onMessenger {
		return nil
	}
	return b.send(ctx, e, made.Message)
}

// post sends JSON and reads JSON. The status is 0 when no answer came. Errors show no address: Graph's hold a token.
func post(ctx context.Context, client *http.Client, address, bearer string, body, into any) (int, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(encoded))
	if err != nil {
		return 0, errors.New("the address is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "samplebot")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("no answer after %s", time.Since(began).Round(time.Millisecond))
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return resp.StatusCode, errors.New("the answer broke off")
	}
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, fmt.Errorf("the answer has status %d", resp.StatusCode)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return resp.StatusCode, errors.New("the answer is not the JSON that was expected")
	}
	return resp.StatusCode, nil
}
