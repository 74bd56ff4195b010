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

type metaMessaging struct {
	Sender         metaID          `json:"sender"`
	Recipient      metaID          `json:"recipient"`
	Timestamp      int64           `json:"timestamp"`
	AccountLinking metaAccountLink `json:"account_linking"`
}

type metaID struct {
	ID string `json:"id"`
}

type metaAccountLink struct {
	Status            string `json:"status"`
	AuthorizationCode string `json:"authorization_code,omitempty"`
}

// messengerEvent makes the account_linking event, linked with a code and else unlinked, and keeps what it says. A caller holds
// the mutex.
func (s *Simulator) messengerEvent(c *channel, u *user, code string) *webhook {
	now := s.nowLocked()
	u.linked, u.active = code != "", now
	if c.BotBonnie != nil {
		u.extID = code
	}
	linking := metaAccountLink{Status: "unlinked"}
	if code != "" {
		linking = metaAccountLink{Status: "linked", AuthorizationCode: code}
	}
	body, err := json.Marshal(metaDelivery{"page", []metaEntry{{c.PageID, now.UnixMilli(), []metaMessaging{{
		metaID{u.ID}, metaID{c.PageID}, now.UnixMilli(), linking,
	}}}}})
	if err != nil {
		panic(err) // strings and numbers
	}
	header := http.Header{
		"Content-Type":        {"application/json"},
		"User-Agent":          {"facebookexternalua"},
		"X-Hub-Signature-256": {signMeta(c.Secret, body)},
	}
	return &webhook{
		user: u, linked: code != "", answerTime: messengerAnswerTime,
		render: func(bool) ([]byte, http.Header) { return body, header.Clone() },
	}
}

// verifyWebhook makes the GET by which Meta finds whether a webhook is the app's (Graph API webhooks, getting started).
func (s *Simulator) verifyWebhook(ctx context.Context, c *channel) bool {
	const lowest = 1_000_000_000
	challenge := strconv.FormatInt(lowest+s.now().UnixNano()%lowest, 10)
	address := appendQuery(c.Server+"/webhook",
		"hub.mode", "subscribe", "hub.challenge", challenge, "hub.verify_token", c.VerifyToken)
	status, answer := s.call(ctx, http.MethodGet, address, http.Header{}, nil, messengerAnswerTime)
	return status == http.StatusOK && string(answer) == challenge
}
