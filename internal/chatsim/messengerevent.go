package chatsim

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// messengerAnswerTime is how long Meta waits for an answer (Messenger Platform, FAQ).
const messengerAnswerTime = 20 * time.Second

type metaDelivery struct {
	Object string      `json:"object"`
	Entry  []metaEntry `json:"entry"`
}

type metaEntry struct {
	ID        string          `json:"id"`
	Time      int64           `json:"time"`
	Messaging []metaMessaging `json:"messaging"`
}

// metaMessaging is an event: what all have, and one property that says what happened.
type metaMessaging struct {
	Sender         metaID           `json:"sender"`
	Recipient      metaID           `json:"recipient"`
	Timestamp      int64            `json:"timestamp"`
	AccountLinking *metaAccountLink `json:"account_linking,omitempty"`
	Message        *metaMessage     `json:"message,omitempty"`
	Postback       *metaPostback    `json:"postback,omitempty"`
}

type metaID struct {
	ID string `json:"id"`
}

type metaAccountLink struct {
	Status            string `json:"status"`
	AuthorizationCode string `json:"authorization_code,omitempty"`
}

type metaMessage struct {
	MID  string `json:"mid"`
	Text string `json:"text"`
}

type metaPostback struct {
	MID     string `json:"mid"`
	Title   string `json:"title"`
	Payload string `json:"payload"`
}

// messengerLinked makes the account_linking event, linked with a code and else unlinked, and keeps what it says. A caller
// holds the mutex.
func (s *Simulator) messengerLinked(c *channel, u *user, code string) *webhook {
	u.linked, u.active = code != "", s.nowLocked()
	if code != "" {
		u.code, u.linkedAt = code, s.nowLocked()
	}
	if c.BotBonnie != nil {
		u.extID = code
	}
	linking := &metaAccountLink{Status: "unlinked"}
	if code != "" {
		linking = &metaAccountLink{Status: "linked", AuthorizationCode: code}
	}
	hook := s.messengerEvent(c, u, metaMessaging{AccountLinking: linking})
	hook.user, hook.linked = u, code != ""
	return hook
}

// messengerText makes the event of words that the user said. A caller holds the mutex.
func (s *Simulator) messengerText(c *channel, u *user, text string) *webhook {
	return s.messengerEvent(c, u, metaMessaging{Message: &metaMessage{"m_" + random(24), text}})
}

// messengerPostback makes the event of a tap. A caller holds the mutex.
func (s *Simulator) messengerPostback(c *channel, u *user, b Button) *webhook {
	return s.messengerEvent(c, u, metaMessaging{Postback: &metaPostback{"m_" + random(24), b.Label, b.Value}})
}

// messengerEvent gives an event what all have and makes a webhook of it. A caller holds the mutex.
func (s *Simulator) messengerEvent(c *channel, u *user, m metaMessaging) *webhook {
	now := s.nowLocked().UnixMilli()
	m.Sender, m.Recipient, m.Timestamp = metaID{u.ID}, metaID{c.PageID}, now
	body, err := json.Marshal(metaDelivery{"page", []metaEntry{{c.PageID, now, []metaMessaging{m}}}})
	if err != nil {
		panic(err) // strings and numbers
	}
	header := http.Header{
		"Content-Type":        {"application/json"},
		"User-Agent":          {"facebookexternalua"},
		"X-Hub-Signature-256": {signMeta(c.Secret, body)},
	}
	return &webhook{
		about:      u,
		answerTime: messengerAnswerTime,
		render:     func(bool) ([]byte, http.Header) { return body, header.Clone() },
	}
}

// verifyWebhook makes the GET by which Meta finds whether a webhook is the app's (Graph API webhooks, getting started).
func (s *Simulator) verifyWebhook(ctx context.Context, c *channel) bool {
	const lowest = 1_000_000_000
	challenge := strconv.FormatInt(lowest+s.now().UnixNano()%lowest, 10)
	address := appendQuery(c.Server+"/webhook",
		"hub.mode", "subscribe", "hub.challenge", challenge, "hub.verify_token", c.VerifyToken)
	status, answer := s.call(ctx, c, sending{method: http.MethodGet, address: address, within: messengerAnswerTime})
	return status == http.StatusOK && string(answer) == challenge
}
