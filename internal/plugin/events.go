package plugin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"channellink.dev/operator/api/v1alpha1"
)

// Chat users that nobody is: LINE's own tests use the first.
const (
	nobodyOnLINE      = "Udeadbeefdeadbeefdeadbeefdeadbeef"
	nobodyOnMessenger = "1000000000000000"
)

// sign is the header with which a platform signs a body: LINE Messaging API, "verify webhook signature"; Graph API webhooks,
// "validating payloads".
func sign(platform v1alpha1.Platform, secret string, body []byte) (name, value string) {
	mac := hmac.New(sha256.New, []byte(secret))
	_, _ = mac.Write(body) // a hash's Write never fails
	if platform == v1alpha1.PlatformLINE {
		return "X-Line-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return "X-Hub-Signature-256", "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// eventBody is the body of an event, in the shape of the platform's documentation.
func eventBody(l *v1alpha1.ChannelLink, kind string, o simulation, now time.Time) ([]byte, error) {
	if l.Spec.Platform == v1alpha1.PlatformLINE {
		return lineBody(l, kind, o, now)
	}
	return messengerBody(l, kind, o, now)
}

var errKind = errors.New("simulate: say verify, message, linked, failed or unlinked")

// object is a JSON object.
type object map[string]any

func lineBody(l *v1alpha1.ChannelLink, kind string, o simulation, now time.Time) ([]byte, error) {
	user := o.user
	if user == "" {
		user = nobodyOnLINE
	}
	event := object{
		"mode": "active", "timestamp": now.UnixMilli(), "webhookEventId": "01" + rand.Text()[:24],
		"deliveryContext": object{"isRedelivery": false}, "source": object{"type": "user", "userId": user},
	}
	switch kind {
	case "verify":
		return json.Marshal(object{"destination": destination(l), "events": []any{}})
	case "message":
		event["type"], event["replyToken"] = "message", "00000000000000000000000000000000"
		event["message"] = object{"type": "text", "id": "1", "text": "kubectl channellink simulate"}
	case "linked":
		if o.code == "" || o.user == "" {
			return nil, errors.New("simulate: linked wants --user and --code, the nonce that LINE was sent")
		}
		event["type"], event["link"] = "accountLink", object{"result": "ok", "nonce": o.code}
	case "failed":
		if o.code == "" {
			return nil, errors.New("simulate: failed wants --code, the nonce that LINE was sent")
		}
		delete(event, "source") // LINE names nobody then
		event["type"], event["link"] = "accountLink", object{"result": "failed", "nonce": o.code}
	case "unlinked":
		return nil, errors.New("simulate: LINE has no such event; kubectl channellink unlink revokes a link")
	default:
		return nil, errKind
	}
	return json.Marshal(object{"destination": destination(l), "events": []any{event}})
}

// destination is the bot's own id in every call of LINE's.
func destination(l *v1alpha1.ChannelLink) string {
	if l.Spec.LINE != nil && l.Spec.LINE.BotUserID != "" {
		return l.Spec.LINE.BotUserID
	}
	return "U00000000000000000000000000000000"
}

func messengerBody(l *v1alpha1.ChannelLink, kind string, o simulation, now time.Time) ([]byte, error) {
	user := o.user
	if user == "" {
		user = nobodyOnMessenger
	}
	event := object{"sender": object{"id": user}, "recipient": object{"id": l.Spec.PageID}, "timestamp": now.UnixMilli()}
	switch kind {
	case "message":
		event["message"] = object{"mid": "m_" + rand.Text(), "text": "kubectl channellink simulate"}
	case "linked":
		if o.code == "" || o.user == "" {
			return nil, errors.New("simulate: linked wants --user and --code, the authorization_code that Messenger was sent")
		}
		event["account_linking"] = object{"status": "linked", "authorization_code": o.code}
	case "unlinked":
		if o.user == "" {
			return nil, errors.New("simulate: unlinked wants --user; the server takes it for the user's own wish and ends his link")
		}
		event["account_linking"] = object{"status": "unlinked"}
	case "failed":
		return nil, errors.New("simulate: Messenger has no such event: a login that fails is heard of no more")
	default:
		return nil, errKind
	}
	body, err := json.Marshal(object{"object": "page", "entry": []any{
		object{"id": l.Spec.PageID, "time": now.UnixMilli(), "messaging": []any{event}},
	}})
	if err != nil {
		return nil, fmt.Errorf("make the event: %w", err)
	}
	return body, nil
}
