package chatsim

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"
)

// lineAnswerTime is how long LINE waits for an answer (LINE, check-webhook-error-statistics).
const lineAnswerTime = 2 * time.Second

type lineDelivery struct {
	Destination string      `json:"destination"`
	Events      []lineEvent `json:"events"`
}

type lineEvent struct {
	ReplyToken      string              `json:"replyToken,omitempty"`
	Type            string              `json:"type"`
	Mode            string              `json:"mode"`
	Source          *lineSource         `json:"source,omitempty"`
	Timestamp       int64               `json:"timestamp"`
	WebhookEventID  string              `json:"webhookEventId"`
	DeliveryContext lineDeliveryContext `json:"deliveryContext"`
	Link            lineLink            `json:"link"`
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

// lineEvent makes the accountLink event of a linking: failed, without source and reply token, when u is nil. A caller holds
// the mutex.
func (s *Simulator) lineEvent(c *channel, u *user, nonce string) *webhook {
	e := lineEvent{
		Type: "accountLink", Mode: "active", Timestamp: s.nowLocked().UnixMilli(), WebhookEventID: eventID(),
		Link: lineLink{Result: "failed", Nonce: nonce},
	}
	hook := &webhook{answerTime: lineAnswerTime}
	if u != nil {
		e.ReplyToken = random(24)
		e.Source = &lineSource{UserID: u.ID, Type: "user"}
		e.Link.Result = "ok"
		hook.user, hook.linked = u, true
	}
	hook.render = func(again bool) ([]byte, http.Header) {
		e.DeliveryContext.IsRedelivery = again
		body, err := json.Marshal(lineDelivery{c.BotUserID, []lineEvent{e}})
		if err != nil {
			panic(err) // strings and numbers
		}
		return body, http.Header{
			"Content-Type":     {"application/json; charset=utf-8"},
			"User-Agent":       {"LineBotWebhook/2.0"},
			"X-Line-Signature": {signLINE(c.Secret, body)},
		}
	}
	return hook
}

// eventID has the form of a ULID: 26 characters of Crockford's base 32.
func eventID() string { return "01" + rand.Text()[:24] }
