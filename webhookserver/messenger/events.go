package messenger

import (
	"encoding/json"
	"strconv"
	"time"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/signature"
)

// delivery is the body of a webhook call (Messenger Platform, webhook events). What
// else is in it is none of our business, and may be anything.
type delivery struct {
	Object string            `json:"object"`
	Entry  []json.RawMessage `json:"entry"`
}

type entry struct {
	ID        event.ID          `json:"id"`
	Time      event.Millis      `json:"time"`
	Messaging []json.RawMessage `json:"messaging"`
	// Standby holds the same when another app, such as BotBonnie's, has the
	// conversation.
	Standby []json.RawMessage `json:"standby"`
}

type messaging struct {
	Sender    struct{ ID event.ID } `json:"sender"`
	Recipient struct{ ID event.ID } `json:"recipient"`
	Timestamp event.Millis          `json:"timestamp"`
	Linking   struct {
		Status string `json:"status"`
		Code   string `json:"authorization_code"`
	} `json:"account_linking"`
}

// Events reads the linking events of one page. Fixtures of several libraries show ids
// as numbers, entries without messaging and items without a timestamp: those are
// normal. An event without a time has its entry's, or else that of its receipt.
//
// The error is one of package signature's, or [event.ErrTooMany].
func Events(v signature.Verified, pageID string, received time.Time) (event.Batch, error) {
	var batch event.Batch
	var d delivery
	if err := v.Decode(&d); err != nil {
		return batch, err
	}
	if d.Object != "page" {
		return batch, nil // Instagram, permissions: other subscriptions of the same app
	}
	for _, raw := range d.Entry {
		var e entry
		if !event.Decode(raw, &e) {
			batch.Skipped++
			continue
		}
		if string(e.ID) != pageID {
			batch.Foreign++
			continue
		}
		batch.Ours = true
		for _, items := range [][]json.RawMessage{e.Messaging, e.Standby} {
			for _, item := range items {
				if err := read(&batch, e, item, received); err != nil {
					return event.Batch{}, err
				}
			}
		}
	}
	return batch, nil
}

// read adds the item's event, if it is about linking.
func read(batch *event.Batch, e entry, item json.RawMessage, received time.Time) error {
	var about struct {
		Linking json.RawMessage `json:"account_linking"`
	}
	if !event.Mentions(item, "account_linking") || !event.Decode(item, &about) || about.Linking == nil {
		return nil // a message, a postback, or what Meta thinks of next
	}
	var m messaging
	if !event.Decode(item, &m) || m.Sender.ID == "" {
		batch.Skipped++
		return nil
	}
	// A PSID of another page is another person.
	if m.Recipient.ID != e.ID {
		batch.Foreign++
		return nil
	}
	sent := m.Timestamp
	if sent == 0 {
		sent = e.Time
	}
	happened := event.Event{UserID: string(m.Sender.ID), At: sent.Or(received)}
	switch {
	case m.Linking.Status == "linked" && m.Linking.Code != "":
		happened.Kind, happened.Code = event.Linked, m.Linking.Code
	case m.Linking.Status == "unlinked":
		happened.Kind = event.Unlinked
	default:
		batch.Skipped++
		return nil
	}
	happened.ID = event.DerivedID("messenger", string(e.ID), happened.UserID,
		strconv.FormatInt(int64(sent), 10), m.Linking.Status, happened.Code)
	return batch.Add(happened)
}
