package chatsim

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"time"
)

// moduleAnswerTime is how long a module waits here. BotBonnie documents nothing; LINE's two seconds bound the whole.
const moduleAnswerTime = 2 * time.Second

// ModuleKind is what a module of a bot at BotBonnie does.
type ModuleKind string

// The kinds of modules.
const (
	// StartLinking shows the Log in button of BotBonnie's account linking kit.
	StartLinking ModuleKind = "startLinking"
	// StopLinking shows the Log out button.
	StopLinking ModuleKind = "stopLinking"
	// JSONAPI asks the company's service for a message, and shows it.
	JSONAPI ModuleKind = "jsonAPI"
	// Words shows its text.
	Words ModuleKind = "words"
)

// Module is one step of the script of a bot at BotBonnie.
type Module struct {
	ID   string     `json:"id"`
	Kind ModuleKind `json:"kind"`
	// Keywords start the module when the user says one of them. A module of kind words without any starts when no other does.
	Keywords []string `json:"keywords,omitempty"`
	// Text stands above the button, or is all that the module says.
	Text string `json:"text,omitempty"`
	// Button is the label of its button.
	Button string `json:"button,omitempty"`
	// Path of a JSONAPI is below the server's public URL, for example /services/leave-balance; it may have a query.
	Path string `json:"path,omitempty"`
}

// moduleCall is the body of a JSON API call (BotBonnie, JSON messages).
type moduleCall struct {
	BotID      string            `json:"bot_id"`
	UID        string            `json:"bot_uid"`
	RawUID     string            `json:"bot_raw_uid"`
	PageID     string            `json:"bot_pid"`
	Channel    int               `json:"bot_channel"`
	IsLinked   bool              `json:"bot_isLinked"`
	User       *moduleUser       `json:"user,omitempty"`
	UserParams map[string]string `json:"userParams,omitempty"`
}

type moduleUser struct {
	ID      string `json:"id"`
	RawID   string `json:"rawId"`
	Created int64  `json:"created"`
	Name    string `json:"name,omitempty"`
}

// hear starts the module that the user's words ask for.
func (s *Simulator) hear(ctx context.Context, c *channel, u *user, text string) {
	for _, m := range c.BotBonnie.Modules {
		if mentions(text, m.Keywords) {
			s.run(ctx, c, u, m, text)
			return
		}
	}
	for _, m := range c.BotBonnie.Modules {
		if m.Kind == Words && len(m.Keywords) == 0 {
			s.run(ctx, c, u, m, text)
			return
		}
	}
}

// start starts a module by its id, as a postback does.
func (s *Simulator) start(ctx context.Context, c *channel, u *user, id string) {
	if m, ok := c.BotBonnie.module(id); ok {
		s.run(ctx, c, u, m, "")
	}
}

func (b *BotBonnie) module(id string) (Module, bool) {
	for _, m := range b.Modules {
		if m.ID == id {
			return m, true
		}
	}
	return Module{}, false
}

// run carries a module out.
func (s *Simulator) run(ctx context.Context, c *channel, u *user, m Module, input string) {
	if m.Kind == JSONAPI {
		s.askService(ctx, c, u, c.Server+m.Path, input)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := Message{By: ByBot, Text: m.Text}
	switch {
	case m.Kind == StopLinking:
		shown.Buttons = []Button{{Label: m.Button, Action: UnlinkAccount}}
	case m.Kind == StartLinking && c.Kind == LINE:
		// The button carries one linkToken, whenever it is tapped.
		shown.Buttons = []Button{{Label: m.Button, Action: OpenURL, Value: s.issue(c, u).loginURL(c.authorizeURL())}}
	case m.Kind == StartLinking:
		shown.Buttons = []Button{{Label: m.Button, Action: LinkAccount, Value: c.authorizeURL()}}
	}
	s.show(u, shown)
}

// tellLinked has the bot's modules "linked" or "unlinked" ask the server for a message.
func (s *Simulator) tellLinked(ctx context.Context, c *channel, u *user, linked bool) {
	path := "/botbonnie/unlinked"
	if linked {
		path = "/botbonnie/linked"
	}
	s.askService(ctx, c, u, c.Server+path, "")
}

// askService asks a service of the company for a message and shows it, if BotBonnie can.
func (s *Simulator) askService(ctx context.Context, c *channel, u *user, address, input string) {
	body, err := json.Marshal(s.moduleCall(c, u, address, input))
	if err != nil {
		panic(err) // strings and numbers
	}
	if key := c.BotBonnie.URLKey; key != "" {
		address = appendQuery(address, "k", key)
	}
	header := http.Header{
		"Content-Type":    {"application/json"},
		"X-Hub-Signature": {signBotBonnie(c.BotBonnie.APISecret, body)},
	}
	status, answer := s.call(ctx, c, sending{http.MethodPost, address, header, body, moduleAnswerTime, u})
	m, wrong := readModuleMessage(c, status, answer)
	if wrong != "" {
		s.log.add(Request{
			At: s.now(), Sent: true, From: theBotBonnie, To: theServer, Channel: c.Name, User: u.ID,
			Method: http.MethodPost, Path: address, Refusal: "the module's answer: " + wrong,
		})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show(u, m)
}

// moduleCall says who asks, and what else the URL's `fields` want.
func (s *Simulator) moduleCall(c *channel, u *user, address, input string) moduleCall {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := "x" + appSecretProof(c.BotBonnie.APISecret, u.ID)[:20]
	call := moduleCall{BotID: c.BotBonnie.BotID, UID: id, RawUID: u.ID, PageID: c.PageID, IsLinked: u.linked}
	if c.Kind == LINE {
		call.Channel = 1
	}
	if _, fields, asked := strings.Cut(address, "fields="); asked {
		fields, _, _ = strings.Cut(fields, "&")
		for field := range strings.SplitSeq(fields, ",") {
			switch field {
			case "user":
				call.User = &moduleUser{id, u.ID, u.created.UnixMilli(), u.Name}
			case "userParams", "user_params":
				call.UserParams = map[string]string{"input": input}
				maps.Copy(call.UserParams, u.params)
			}
		}
	}
	return call
}
