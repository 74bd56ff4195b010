package chatsim

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// lineAnswerTime is how long LINE waits for an answer (LINE, check-webhook-error-statistics).
const lineAnswerTime = 2 * time.Second

type lineDelivery struct {
	Destination string      `json:"destination"`
	Events      []lineEvent `json:"events"`
}

// lineEvent is a webhook event: what all have, and the one property that its type is named after.
type lineEvent struct {
	ReplyToken      string              `json:"replyToken,omitempty"`
	Type            string              `json:"type"`
	Mode            string              `json:"mode"`
	Source          *lineSource         `json:"source,omitempty"`
	Timestamp       int64               `json:"timestamp"`
	WebhookEventID  string              `json:"webhookEventId"`
	DeliveryContext lineDeliveryContext `json:"deliveryContext"`
	Link            *lineLink           `json:"link,omitempty"`
	Message         *lineTextMessage    `json:"message,omitempty"`
	Postback        *linePostbackData   `json:"postback,omitempty"`
}

type lineSource struct {
	UserID string `json:"userId"`
	Type   string `json:"type"`
}

type lineDeliveryContext struct {
	IsRedelivery bool `json:"isRedelivery"`
}

type lineLink struct {
	Result string `json:"result"`
	Nonce  string `json:"nonce"`
}

type lineTextMessage struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	QuoteToken string `json:"quoteToken"`
	Text       string `json:"text"`
}

type linePostbackData struct {
	Data string `json:"data"`
}

// lineLinked makes the accountLink event of a linking: failed, without source and reply token, when u is nil. A caller holds
// the mutex.
func (s *Simulator) lineLinked(c *channel, u *user, nonce string) *webhook {
	e := lineEvent{Type: "accountLink", Link: &lineLink{Result: "failed", Nonce: nonce}}
	hook := s.lineEvent(c, u, &e)
	if u != nil {
		e.Link.Result = "ok"
		hook.user, hook.linked = u, true
	}
	return hook
}

// lineText makes the event of words that the user said. A caller holds the mutex.
func (s *Simulator) lineText(c *channel, u *user, text string) *webhook {
	return s.lineEvent(c, u, &lineEvent{Type: "message", Message: &lineTextMessage{
		ID: messageID(), Type: "text", QuoteToken: random(40), Text: text,
	}})
}

// linePostback makes the event of a tap. A caller holds the mutex.
func (s *Simulator) linePostback(c *channel, u *user, b Button) *webhook {
	return s.lineEvent(c, u, &lineEvent{Type: "postback", Postback: &linePostbackData{b.Value}})
}

// lineEvent gives an event what all have, with a reply token where the user is told; and makes a webhook of it. A caller
// holds the mutex.
func (s *Simulator) lineEvent(c *channel, u *user, e *lineEvent) *webhook {
	e.Mode, e.Timestamp, e.WebhookEventID = "active", s.nowLocked().UnixMilli(), eventID()
	if u != nil {
		e.ReplyToken = s.newReplyToken(c, u)
		e.Source = &lineSource{UserID: u.ID, Type: "user"}
	}
	destination, secret := c.BotUserID, c.Secret
	return &webhook{about: u, answerTime: lineAnswerTime, render: func(again bool) ([]byte, http.Header) {
		e.DeliveryContext.IsRedelivery = again
		return signedByLINE(secret, lineDelivery{destination, []lineEvent{*e}})
	}}
}

// signedByLINE is what goes over the wire.
func signedByLINE(secret string, d lineDelivery) ([]byte, http.Header) {
	body, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and numbers
	}
	return body, http.Header{
		"Content-Type":     {"application/json; charset=utf-8"},
		"User-Agent":       {"LineBotWebhook/2.0"},
		"X-Line-Signature": {signLINE(secret, body)},
	}
}

// eventID has the form of a ULID: 26 characters of Crockford's base 32.
func eventID() string { return "01" + rand.Text()[:24] }

// messageID has the form of LINE's: 18 digits.
func messageID() string {
	const first = 100_000_000_000_000_000
	return strconv.FormatUint(first+randomUint64()%(9*first), 10)
}
