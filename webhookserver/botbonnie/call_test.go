package botbonnie_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/signature"
)

// signed is the body as BotBonnie would have signed it.
func signed(t testing.TB, body string) signature.Verified {
	t.Helper()
	h := hmac.New(sha1.New, []byte("secret"))
	h.Write([]byte(body))
	header := http.Header{"X-Hub-Signature": {"sha1=" + hex.EncodeToString(h.Sum(nil))}}
	v, err := signature.BotBonnie(header, []secretfile.Secret{secretfile.NewSecret("secret")}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestReadCall(t *testing.T) {
	yes, no := true, false
	onFacebook := botbonnie.Call{BotID: "bot-xxxxx", PageID: "1234779123812", UserID: "2xxxxxxxxxxxx0", Channel: botbonnie.Facebook, Locale: "zh_TW", Linked: &yes}
	onLINE := botbonnie.Call{BotID: "bot-M-BOieOXZ", PageID: pageID, UserID: userID, Channel: botbonnie.LINE}
	for _, c := range []struct {
		reason, body string
		want         botbonnie.Call
		ok           bool
	}{
		{"the documentation's example", `{"bot_id":"bot-xxxxx","bot_uid":"3xxxxxxxxxxxd","bot_raw_uid":"2xxxxxxxxxxxx0","bot_pid":"1234779123812","bot_channel":0,"bot_isLinked":true,"user":{"id":"3xxxxxxxxxxxd","rawId":"2xxxxxxxxxxxx0","created":1505360797321,"name":"陳邦妮","gender":"female","last_name":"陳","pic":"https://scontent.xx.fbcdn.net/...","locale":"zh_TW","first_name":"邦妮","timezone":8},"userParams":{"input":"..."}}`, onFacebook, true},
		{"ids as numbers", `{"bot_id":"b","bot_raw_uid":7051340731987654,"bot_pid":1234779123812,"bot_channel":0}`, botbonnie.Call{BotID: "b", PageID: "1234779123812", UserID: "7051340731987654", Channel: botbonnie.Facebook}, true},
		{"the channel as a string, as real clients write it", `{"bot_id":"bot-M-BOieOXZ","bot_raw_uid":"` + userID + `","bot_pid":"507oftxz","bot_channel":"1"}`, onLINE, true},
		{"not linked, as BotBonnie has it", `{"bot_id":"b","bot_raw_uid":"u","bot_pid":"p","bot_channel":0,"bot_isLinked":false}`, botbonnie.Call{BotID: "b", PageID: "p", UserID: "u", Channel: botbonnie.Facebook, Linked: &no}, true},
		{"a hint of another type is none", `{"bot_id":"b","bot_raw_uid":"u","bot_pid":"p","bot_channel":0,"bot_isLinked":"false"}`, botbonnie.Call{BotID: "b", PageID: "p", UserID: "u", Channel: botbonnie.Facebook}, true},
		{"nor is null", `{"bot_id":"b","bot_raw_uid":"u","bot_pid":"p","bot_channel":0,"bot_isLinked":null}`, botbonnie.Call{BotID: "b", PageID: "p", UserID: "u", Channel: botbonnie.Facebook}, true},
		{"a channel that nobody knows", `{"bot_id":"b","bot_raw_uid":"u","bot_pid":"p","bot_channel":2}`, botbonnie.Call{}, false},
		{"no channel", `{"bot_id":"b","bot_raw_uid":"u","bot_pid":"p"}`, botbonnie.Call{}, false},
		{"no user", `{"bot_id":"b","bot_pid":"p","bot_channel":1}`, botbonnie.Call{}, false},
		{"only the user's encrypted id", `{"bot_id":"b","bot_uid":"u","bot_pid":"p","bot_channel":1}`, botbonnie.Call{}, false},
		{"no bot", `{"bot_raw_uid":"u","bot_pid":"p","bot_channel":1}`, botbonnie.Call{}, false},
		{"two users", `{"bot_id":"b","bot_raw_uid":"u","bot_raw_uid":"v","bot_pid":"p","bot_channel":1}`, botbonnie.Call{}, false},
		{"not JSON", `bot_id=b`, botbonnie.Call{}, false},
	} {
		got, err := botbonnie.ReadCall(signed(t, c.body))
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != c.ok {
			t.Errorf("%s: %v (-want +got)\n%s", c.reason, err, diff)
		}
	}
}

// FuzzReadCall: a call that is taken names bot, page, user and platform. C43
func FuzzReadCall(f *testing.F) {
	f.Add(`{"bot_id":"b","bot_raw_uid":"u","bot_pid":1,"bot_channel":"1"}`)
	f.Fuzz(func(t *testing.T, body string) {
		call, err := botbonnie.ReadCall(signed(t, body))
		if err == nil && (call.BotID == "" || call.PageID == "" || call.UserID == "" || call.Channel != botbonnie.Facebook && call.Channel != botbonnie.LINE) {
			t.Fatalf("%s gave %+v", body, call)
		}
	})
}
