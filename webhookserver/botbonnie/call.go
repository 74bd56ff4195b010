package botbonnie

import (
	"encoding/json"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/signature"
)

// Call is a signed call of one of a bot's modules (BotBonnie, JSON messages).
type Call struct {
	BotID  string
	PageID string
	// UserID is the chat user as the platform knows him: LINE user id or PSID.
	UserID string
	// Channel is the platform.
	Channel Platform
	// Locale is the user's, such as zh_TW; empty unless the URL asks for it
	// (?fields=user).
	Locale string
	// Linked is what BotBonnie believes of the user's link (bot_isLinked, deprecated);
	// nil when it does not say.
	Linked *bool
}

// ReadCall reads a call. Ids come as strings or numbers, and so does bot_channel,
// whatever the documentation says. The error is one of package signature's.
func ReadCall(v signature.Verified) (Call, error) {
	var body struct {
		BotID   event.ID        `json:"bot_id"`
		RawUID  event.ID        `json:"bot_raw_uid"`
		PageID  event.ID        `json:"bot_pid"`
		Channel event.ID        `json:"bot_channel"`
		User    json.RawMessage `json:"user"`
		Linked  json.RawMessage `json:"bot_isLinked"`
	}
	if err := v.Decode(&body); err != nil {
		return Call{}, err
	}
	platform := map[event.ID]Platform{"0": Facebook, "1": LINE}[body.Channel]
	if body.BotID == "" || body.RawUID == "" || body.PageID == "" || platform == "" {
		return Call{}, signature.ErrNotJSON
	}
	var user struct {
		Locale string `json:"locale"`
	}
	_ = json.Unmarshal(body.User, &user) // most calls have none
	var linked *bool
	if json.Unmarshal(body.Linked, &linked) != nil {
		linked = nil // a hint: what is no bool is none
	}
	return Call{
		BotID: string(body.BotID), PageID: string(body.PageID), UserID: string(body.RawUID), Channel: platform,
		Locale: user.Locale, Linked: linked,
	}, nil
}
