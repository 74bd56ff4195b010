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

// accountLink is LINE's account link event. One that failed has no source.
type accountLink struct {
	ID        string       `json:"webhookEventId"`
	Timestamp event.Millis `json:"timestamp"`
	Source    struct {
		Type   string   `json:"type"`
		UserID event.ID `json:"userId"`
	} `json:"source"`
	Link struct {
		Result string `json:"result"`
		Nonce  string `json:"nonce"`
	} `json:"link"`
}

// Events reads the account link events of one bot; botUserID is empty where it is not
// known. Every other kind of event is for the bot. An event without a time has that of
// its receipt. An unfollow is a block, which ends no link.
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
	for _, raw := range d.Events {
		if err := read(&batch, raw, received); err != nil {
			return event.Batch{}, err
		}
	}
	return batch, nil
}

// read adds the event, if it is about linking.
func read(batch *event.Batch, raw json.RawMessage, received time.Time) error {
	var about struct {
		Type string `json:"type"`
	}
	if !event.Decode(raw, &about) || about.Type != "accountLink" {
		return nil
	}
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
	// LINE's own id does not tell all events apart: batches are seen whose events share one.
	happened.ID = event.DerivedID("line", a.ID, strconv.FormatInt(int64(a.Timestamp), 10),
		a.Link.Result, happened.UserID, happened.Code)
	return batch.Add(happened)
}
