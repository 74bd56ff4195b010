package samplebot

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
)

// say sends words.
func (b *Bot) say(ctx context.Context, e event, text string) error {
	message := map[string]string{"text": text}
	if e.channel.Platform == onLINE {
		message["type"] = "text"
	}
	encoded, err := json.Marshal(message)
	if err != nil {
		return err
	}
	return b.send(ctx, e, encoded)
}

// send sends a message in the platform's format, on LINE as the reply to the event.
func (b *Bot) send(ctx context.Context, e event, message json.RawMessage) error {
	c := e.channel
	var answer json.RawMessage
	if c.Platform == onLINE {
		_, err := post(ctx, b.ask, c.API+"/v2/bot/message/reply", c.AccessToken,
			map[string]any{"replyToken": e.replyToken, "messages": []json.RawMessage{message}}, &answer)
		return err
	}
	query := url.Values{"access_token": {c.AccessToken}, "appsecret_proof": {proof(c.Secret, c.AccessToken)}}
	_, err := post(ctx, b.ask, c.API+"/me/messages?"+query.Encode(), "",
		map[string]any{"recipient": map[string]string{"id": e.user}, "messaging_type": "RESPONSE", "message": message}, &answer)
	return err
}

// proof shows Graph that whoever has the token has the app secret too.
func proof(secret, token string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(token))
	return hex.EncodeToString(mac.Sum(nil))
}
