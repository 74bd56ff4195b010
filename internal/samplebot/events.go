package samplebot

import (
	"encoding/json"
	"strconv"
)

// what happened.
type what int

const (
	said what = iota + 1
	linked
	unlinked
)

// event is what happened to a chat user, on whatever platform.
type event struct {
	channel *channel
	what    what
	user    string
	// text is what he said, code what the platform confirms of his linking.
	text, code string
	// replyToken answers on LINE, once.
	replyToken string
	// id is the same when the platform sends the event again.
	id string
}

// logoutPostback is the data with which a tap on the server's log-out message on LINE comes back.
const logoutPostback = "channellink:logout"

// readLINE reads LINE's events; those that mean nothing to the bot are passed over.
func readLINE(body []byte) ([]event, error) {
	var call struct {
		Events []struct {
			Type       string `json:"type"`
			ID         string `json:"webhookEventId"`
			ReplyToken string `json:"replyToken"`
			Mode       string `json:"mode"`
			Source     struct {
				Type   string `json:"type"`
				UserID string `json:"userId"`
			} `json:"source"`
			Message  struct{ Type, Text string }    `json:"message"`
			Postback struct{ Data string }          `json:"postback"`
			Link     struct{ Result, Nonce string } `json:"link"`
		} `json:"events"`
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	var events []event
	for _, e := range call.Events {
		if e.Source.Type != "user" || e.Source.UserID == "" || e.Mode == "standby" {
			continue
		}
		happened := event{user: e.Source.UserID, replyToken: e.ReplyToken, id: e.ID}
		switch {
		case e.Type == "message" && e.Message.Type == "text":
			happened.what, happened.text = said, e.Message.Text
		case e.Type == "accountLink" && e.Link.Result == "ok":
			happened.what, happened.code = linked, e.Link.Nonce
		case e.Type == "postback" && e.Postback.Data == logoutPostback:
			happened.what = unlinked
		default:
			continue
		}
		events = append(events, happened)
	}
	return events, nil
}

// readMessenger reads Messenger's events; those that mean nothing to the bot are passed over.
func readMessenger(body []byte) ([]event, error) {
	var call struct {
		Entry []struct {
			Messaging []struct {
				Sender    struct{ ID string }         `json:"sender"`
				Timestamp int64                       `json:"timestamp"`
				Message   *struct{ MID, Text string } `json:"message"`
				Linking   *struct {
					Status string `json:"status"`
					Code   string `json:"authorization_code"`
				} `json:"account_linking"`
			} `json:"messaging"`
		} `json:"entry"`
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	var events []event
	for _, entry := range call.Entry {
		for _, m := range entry.Messaging {
			happened := event{user: m.Sender.ID}
			switch {
			case m.Sender.ID == "":
				continue
			case m.Message != nil:
				happened.what, happened.text, happened.id = said, m.Message.Text, m.Message.MID
			case m.Linking != nil && m.Linking.Status == "linked":
				happened.what, happened.code = linked, m.Linking.Code
			case m.Linking != nil && m.Linking.Status == "unlinked":
				happened.what = unlinked
			default:
				continue
			}
			if happened.id == "" { // such an event carries no id of its own
				happened.id = happened.user + strconv.FormatInt(m.Timestamp, 10) + happened.code
			}
			events = append(events, happened)
		}
	}
	return events, nil
}
