package line

import (
	"encoding/json"
	"strconv"
	"time"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/signature"
)

// delivery is the body of a webhook call. The Verify button of LINE's console sends one
// without events.
type delivery struct {
	Destination string            `json:"destination"`
	Events      []json.RawMessage `json:"events"`
}

// common is what LINE says of every event.
type common struct {
	ID        string       `json:"webhookEventId"`
	Timestamp event.Millis `json:"timestamp"`
	Source    struct {
		Type   string   `json:"type"`
		UserID event.ID `json:"userId"`
	} `json:"source"`
}

// accountLink is LINE's account link event. One that failed has no source.
type accountLink struct {
	common
	Link struct {
		Result string `json:"result"`
		Nonce  string `json:"nonce"`
	} `json:"link"`
}

// postback is the event of a tap on a button.
type postback struct {
	common
	Postback struct {
		Data string `json:"data"`
	} `json:"postback"`
}

// Events reads the events of one bot that are about linking: account links, and the
// postback of our log-out button; botUserID is empty where it is not known. Every other
// kind of event is for the bot. An event without a time has that of its receipt. An
// unfollow is a block, which ends no link.
//
// The error is one of package signature's, or [event.ErrTooMany].
func Events(v signature.Verified, botUserID string, received time.Time) (event.Batch, error) {
	var batch event.Batch
	var d delivery
	if err := v.Decode(&d); err != nil {
		return batch, err
	}
	if botUserID != "" && d.Destination != botUserID {
		batch.Foreign = len(d.Events)
		return batch, nil
	}
	batch.Ours = true
	for _, raw := range d.Events {
		if err := read(&batch, raw, received); err != nil {
			return event.Batch{}, err
		}
	}
	return batch, nil
}

// The types of events that can be about linking.
const (
	typeAccountLink = "accountLink"
	typePostback    = "postback"
)

// read adds the event, if it is about linking.
func read(batch *event.Batch, raw json.RawMessage, received time.Time) error {
	var about struct {
		Type string `json:"type"`
	}
	if !event.Mentions(raw, typeAccountLink, typePostback) || !event.Decode(raw, &about) {
		return nil
	}
	switch about.Type {
	case typeAccountLink:
		return readAccountLink(batch, raw, received)
	case typePostback:
		return readPostback(batch, raw, received)
	}
	return nil
}

func readAccountLink(batch *event.Batch, raw json.RawMessage, received time.Time) error {
	var a accountLink
	if !event.Decode(raw, &a) || a.Link.Nonce == "" {
		batch.Skipped++
		return nil
	}
	happened := event.Event{Code: a.Link.Nonce, At: a.Timestamp.Or(received)}
	switch {
	case a.Link.Result == "ok" && a.Source.Type == "user" && a.Source.UserID != "":
		happened.Kind, happened.UserID = event.Linked, string(a.Source.UserID)
	case a.Link.Result == "failed":
		happened.Kind = event.Refused // whoever it was; some senders still name him
	default:
		batch.Skipped++
		return nil
	}
	happened.ID = a.id(a.Link.Result, happened.UserID, happened.Code)
	return batch.Add(happened)
}

// readPostback takes the tap on our log-out button, whoever made it and wherever the
// message has got to: it unlinks nobody else.
func readPostback(batch *event.Batch, raw json.RawMessage, received time.Time) error {
	var p postback
	if !event.Decode(raw, &p) || p.Postback.Data != LogoutPostback {
		return nil // a button of the bot's
	}
	user := string(p.Source.UserID)
	if user == "" {
		batch.Skipped++
		return nil
	}
	return batch.Add(event.Event{
		Kind: event.Unlinked, ID: p.id("logout", user), UserID: user, At: p.Timestamp.Or(received),
	})
}

// id is the same each time LINE sends the event. LINE's own id does not tell all events
// apart: batches are seen whose events share one.
func (c common) id(what ...string) string {
	parts := append([]string{"line", c.ID, strconv.FormatInt(int64(c.Timestamp), 10)}, what...)
	return event.DerivedID(parts...)
}
