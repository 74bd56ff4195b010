package chatsim

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
	"unicode/utf8"
)

// moduleAnswerTime is how long a module waits here. BotBonnie documents nothing; LINE's two seconds bound the whole.
const moduleAnswerTime = 2 * time.Second

// maxModuleText is the length of a text message in characters (BotBonnie, message formats).
const maxModuleText = 320

// moduleCall is the body of a JSON API call (BotBonnie, JSON messages).
type moduleCall struct {
	BotID    string `json:"bot_id"`
	UID      string `json:"bot_uid"`
	RawUID   string `json:"bot_raw_uid"`
	PageID   string `json:"bot_pid"`
	Channel  int    `json:"bot_channel"`
	IsLinked bool   `json:"bot_isLinked"`
}

// callModule has the bot's module of the occasion ask the server for a message: "linked" or "unlinked".
func (s *Simulator) callModule(ctx context.Context, c *channel, u *user, linked bool) {
	call := moduleCall{
		BotID: c.BotBonnie.BotID, UID: "x" + appSecretProof(c.BotBonnie.APISecret, u.ID)[:20], RawUID: u.ID, PageID: c.PageID,
		IsLinked: linked,
	}
	if c.Kind == LINE {
		call.Channel = 1
	}
	body, err := json.Marshal(call)
	if err != nil {
		panic(err) // strings and numbers
	}
	address := c.Server + "/botbonnie/unlinked"
	if linked {
		address = c.Server + "/botbonnie/linked"
	}
	if key := c.BotBonnie.URLKey; key != "" {
		address = appendQuery(address, "k", key)
	}
	header := http.Header{
		"Content-Type":    {"application/json"},
		"X-Hub-Signature": {signBotBonnie(c.BotBonnie.APISecret, body)},
	}
	status, answer := s.call(ctx, http.MethodPost, address, header, body, moduleAnswerTime)
	if wrong := judgeMessage(status, answer); wrong != "" {
		s.log.add(Request{At: s.now(), Sent: true, Method: http.MethodPost, Path: address, Refusal: "the module's answer: " + wrong})
	}
}

// judgeMessage says what of a module's answer BotBonnie could not show, or nothing.
func judgeMessage(status int, answer []byte) string {
	if status != http.StatusOK {
		return "the status is not 200"
	}
	var message struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	if err := json.Unmarshal(answer, &message); err != nil {
		return "it is no JSON object"
	}
	switch n := utf8.RuneCountInString(message.Text); {
	case message.Type != "text":
		return "its type is not text"
	case n == 0 || n > maxModuleText:
		return "its text has not 1 to 320 characters"
	}
	return ""
}
