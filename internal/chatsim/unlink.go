package chatsim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
)

// unlinkCall is the body of accountLink/unlink (BotBonnie, account linking, 3.1). Pointers tell what is missing from what is
// empty or 0.
type unlinkCall struct {
	BotID   *string           `json:"bot_id"`
	RawUID  *string           `json:"bot_raw_uid"`
	PageID  *string           `json:"bot_pid"`
	Channel *int              `json:"bot_channel"`
	Actions []json.RawMessage `json:"actions"`
}

// unlinkAction is an action that has been understood.
type unlinkAction struct {
	Type    string  `json:"type"`
	Name    *string `json:"name"`
	Value   *string `json:"value"`
	Message *string `json:"message"`
}

// botBonnieRefuse answers as BotBonnie's first API does.
func botBonnieRefuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	judge(r.Context()).refusal = message
	writeJSON(w, status, map[string]any{"errorMessage": message, "errorCode": status})
}

// botChannels finds the channels of the bot whose token a call carries: one bot may have several. On false it has answered.
func (s *Simulator) botChannels(w http.ResponseWriter, r *http.Request) ([]*channel, bool) {
	given, ok := bearer(r)
	if !ok {
		botBonnieRefuse(w, r, http.StatusUnauthorized, "no token")
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.find(func(c *channel) bool { return c.BotBonnie != nil && c.apiToken == given })
	if first == nil {
		botBonnieRefuse(w, r, http.StatusUnauthorized, "the token is no bot's")
		return nil, false
	}
	judge(r.Context()).credentials = "ok"
	return slices.Collect(func(yield func(*channel) bool) {
		for _, c := range s.channels {
			if c.BotBonnie != nil && c.BotBonnie.BotID == first.BotBonnie.BotID && !yield(c) {
				return
			}
		}
	}), true
}

// unlink ends a user's linking for the company and carries its actions out: all of them, or none when one is no good.
func (s *Simulator) unlink(w http.ResponseWriter, r *http.Request) {
	channels, ok := s.botChannels(w, r)
	if !ok {
		return
	}
	if r.Header.Get("Content-Type") != "application/json" {
		botBonnieRefuse(w, r, http.StatusUnsupportedMediaType, "Content-Type: want application/json")
		return
	}
	var call unlinkCall
	if !decodeStrictly(r, &call) {
		botBonnieRefuse(w, r, http.StatusBadRequest, "the body is not of the documented fields and types")
		return
	}
	c, status, wrong := call.channel(channels)
	if wrong != "" {
		botBonnieRefuse(w, r, status, wrong)
		return
	}
	said := judge(r.Context())
	said.channel, said.user = c.Name, *call.RawUID
	actions, wrong := readActions(c, call.Actions)
	if wrong != "" {
		botBonnieRefuse(w, r, http.StatusBadRequest, wrong)
		return
	}
	s.mu.Lock()
	u := c.user(*call.RawUID)
	s.mu.Unlock()
	if u == nil {
		botBonnieRefuse(w, r, http.StatusNotFound, "bot_raw_uid: no such user")
		return
	}
	s.unlinkUser(r.Context(), c, u, actions)
	writeJSON(w, http.StatusOK, map[string]any{"res": "ok", "status": http.StatusOK})
}

// channel finds which of the bot's channels a call is about.
func (call unlinkCall) channel(channels []*channel) (c *channel, status int, wrong string) {
	for _, required := range []struct {
		name string
		text *string
	}{{"bot_id", call.BotID}, {"bot_raw_uid", call.RawUID}, {"bot_pid", call.PageID}} {
		if required.text == nil || *required.text == "" {
			return nil, http.StatusBadRequest, required.name + " is required"
		}
	}
	if call.Channel == nil {
		return nil, http.StatusBadRequest, "bot_channel is required"
	}
	if *call.BotID != channels[0].BotBonnie.BotID {
		return nil, http.StatusForbidden, "the token is another bot's"
	}
	for _, c := range channels {
		if c.PageID == *call.PageID && c.number() == *call.Channel {
			return c, 0, ""
		}
	}
	return nil, http.StatusNotFound, "the bot has no such bot_pid on bot_channel"
}

// number is BotBonnie's for the platform.
func (c *channel) number() int {
	if c.Kind == LINE {
		return 1
	}
	return 0
}

// readActions wants each action with its own fields and no others, and a tag that the console knows.
func readActions(c *channel, all []json.RawMessage) ([]unlinkAction, string) {
	var actions []unlinkAction
	for i, raw := range all {
		var a unlinkAction
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&a); err != nil {
			return nil, fmt.Sprintf("actions[%d] is not of the documented fields and types", i)
		}
		var fits bool
		switch a.Type {
		case "saveParams":
			fits = a.Name != nil && *a.Name != "" && a.Value != nil && a.Message == nil
		case "addTag", "removeTag":
			fits = a.Name == nil && a.Value != nil && a.Message == nil
			if fits && !slices.Contains(c.BotBonnie.Tags, *a.Value) {
				return nil, fmt.Sprintf("actions[%d].value: no such tag", i)
			}
		case "notifyAgent":
			fits = a.Name == nil && a.Value == nil
		default:
			return nil, fmt.Sprintf("actions[%d].type: want saveParams, addTag, removeTag or notifyAgent", i)
		}
		if !fits {
			return nil, fmt.Sprintf("actions[%d] has not just the fields of its type", i)
		}
		actions = append(actions, a)
	}
	return actions, ""
}

// unlinkUser does what was asked for.
func (s *Simulator) unlinkUser(ctx context.Context, c *channel, u *user, actions []unlinkAction) {
	s.mu.Lock()
	was := u.linked
	u.linked, u.extID = false, ""
	if was {
		s.note(u, c.displayName()+" has unlinked your account.")
	}
	for _, a := range actions {
		switch a.Type {
		case "saveParams":
			u.params[*a.Name] = *a.Value
		case "addTag":
			if !slices.Contains(u.tags, *a.Value) {
				u.tags = append(u.tags, *a.Value)
			}
		case "removeTag":
			u.tags = slices.DeleteFunc(u.tags, func(tag string) bool { return tag == *a.Value })
		case "notifyAgent":
			notice := ""
			if a.Message != nil {
				notice = *a.Message
			}
			u.notices = append(u.notices, notice)
			told := "BotBonnie has notified an agent."
			if notice != "" {
				told = "BotBonnie has notified an agent: “" + notice + "”"
			}
			s.note(u, told)
		}
	}
	s.changed()
	echo := c.switches.EchoUnlink && !c.switches.Mute
	s.mu.Unlock()
	if echo {
		s.tellLinked(context.WithoutCancel(ctx), c, u, false)
	}
}
