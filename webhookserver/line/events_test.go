package line_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/signature"
)

var received = time.UnixMilli(1_700_000_000_000)

// signed is the body as LINE would have signed it.
func signed(t testing.TB, body string) signature.Verified {
	t.Helper()
	h := hmac.New(sha256.New, []byte("secret"))
	h.Write([]byte(body))
	header := http.Header{"X-Line-Signature": {base64.StdEncoding.EncodeToString(h.Sum(nil))}}
	v, err := signature.LINE(header, []secretfile.Secret{secretfile.NewSecret("secret")}, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// published are bodies from LINE's documentation and the tests of its SDKs, in Java, Go, Python and PHP.
var published = []string{
	`{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}`,
	`{"destination":"xxxxxxxxxx","events":[{"replyToken":"b60d432864f44d079f6d8efe86cf404b","type":"accountLink","mode":"active","source":{"userId":"U91eeaf62d...","type":"user"},"timestamp":1513669370317,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZR","deliveryContext":{"isRedelivery":false},"link":{"result":"ok","nonce":"xxxxxxxxxxxxxxx"}}]}`,
	`{"destination":"Uab012345678901234567890123456789","events":[{"replyToken":"nHuyWiB7yP5Zw52FIkcQobQuGDXCTA","type":"accountLink","timestamp":1462629479859,"mode":"active","source":{"type":"user","userId":"U012345678901234567890123456789ab"},"link":{"result":"ok","nonce":"xxxxxxxxxxxxxxx"}}]}`,
	`{"destination":"x","events":[{"type":"accountLink","webhookEventId":"01FZ74ASS536FW97EX38NKCZQK","mode":"standby","timestamp":1462629479859,"source":{"type":"user","userId":"U1"},"link":{"result":"failed","nonce":"1234567890abcdefghijklmnopqrstuvwxyz"}}]}`,
	`{"destination":"x","events":[{"type":"hoge","source":{"type":"galaxy"},"webhookEventId":"01G2KZKG2DS765NMRH3GZFD8AP","deliveryContext":{"isRedelivery":true}}]}`,
}

const user = "U012345678901234567890123456789ab"

// What LINE's documentation and the fixtures of its SDKs show.
func TestEvents(t *testing.T) {
	at := time.UnixMilli(1462629479859)
	for _, c := range []struct {
		reason, bot, body string
		want              event.Batch
	}{
		{
			"ok, as in the documentation", "",
			`{"destination":"xxxxxxxxxx","events":[{"replyToken":"b60d432864f44d079f6d8efe86cf404b","type":"accountLink","mode":"active","source":{"userId":"U91eeaf62d...","type":"user"},"timestamp":1513669370317,"webhookEventId":"01FZ74A0TDDPYRVKNK77XKC3ZR","deliveryContext":{"isRedelivery":false},"link":{"result":"ok","nonce":"xxxxxxxxxxxxxxx"}}]}`,
			event.Batch{Ours: true, Events: []event.Event{{Kind: event.Linked, UserID: "U91eeaf62d...", Code: "xxxxxxxxxxxxxxx", At: time.UnixMilli(1513669370317)}}},
		}, {
			"ok, without webhookEventId (Java SDK)", "Uab012345678901234567890123456789",
			`{"destination":"Uab012345678901234567890123456789","events":[{"replyToken":"nHuyWiB7yP5Zw52FIkcQobQuGDXCTA","type":"accountLink","timestamp":1462629479859,"mode":"active","source":{"type":"user","userId":"U012345678901234567890123456789ab"},"link":{"result":"ok","nonce":"xxxxxxxxxxxxxxx"}}]}`,
			event.Batch{Ours: true, Events: []event.Event{{Kind: event.Linked, UserID: user, Code: "xxxxxxxxxxxxxxx", At: at}}},
		}, {
			"failed, as the documentation says: without source and replyToken", "",
			`{"destination":"x","events":[{"type":"accountLink","mode":"active","timestamp":1462629479859,"webhookEventId":"a","link":{"result":"failed","nonce":"1234567890abcdefghijklmnopqrstuvwxyz"}}]}`,
			event.Batch{Ours: true, Events: []event.Event{{Kind: event.Refused, Code: "1234567890abcdefghijklmnopqrstuvwxyz", At: at}}},
		}, {
			"failed, with a source (PHP SDK)", "",
			`{"destination":"x","events":[{"type":"accountLink","mode":"active","timestamp":1462629479859,"source":{"type":"user","userId":"U1"},"replyToken":"t","link":{"result":"failed","nonce":"1234567890abcdefghijklmnopqrstuvwxyz"}}]}`,
			event.Batch{Ours: true, Events: []event.Event{{Kind: event.Refused, Code: "1234567890abcdefghijklmnopqrstuvwxyz", At: at}}},
		}, {
			"ok, while another module has the chat (PHP SDK)", "",
			`{"destination":"x","events":[{"type":"accountLink","mode":"standby","timestamp":1462629479859,"source":{"type":"user","userId":"` + user + `"},"link":{"result":"ok","nonce":"abcdefghij"}}]}`,
			event.Batch{Ours: true, Events: []event.Event{{Kind: event.Linked, UserID: user, Code: "abcdefghij", At: at}}},
		}, {
			"no time", "",
			`{"destination":"x","events":[{"type":"accountLink","source":{"type":"user","userId":"` + user + `"},"link":{"result":"ok","nonce":"abcdefghij"}}]}`,
			event.Batch{Ours: true, Events: []event.Event{{Kind: event.Linked, UserID: user, Code: "abcdefghij", At: received}}},
		},
		{"the console's Verify button", "", `{"destination":"xxxxxxxxxx","events":[]}`, event.Batch{Ours: true}},
		{"the Verify button, to a bot whose id is known", "U1", `{"destination":"xxxxxxxxxx","events":[]}`, event.Batch{}},
		{"no events at all", "", `{"destination":"x"}`, event.Batch{Ours: true}},
		{
			"kinds that nobody knows, a block, a follow, and what is no event", "",
			`{"destination":"x","events":[{"type":"hoge","source":{"type":"galaxy"}},{"type":"unfollow","source":{"type":"user","userId":"U1"}},{"type":"follow","follow":{"isUnblocked":true}},null,3,{"type":7}]}`,
			event.Batch{Ours: true},
		}, {
			"a tap on our log-out button", "",
			`{"destination":"x","events":[{"type":"postback","mode":"active","replyToken":"t","timestamp":1462629479859,"webhookEventId":"a","deliveryContext":{"isRedelivery":false},"source":{"type":"user","userId":"` + user + `"},"postback":{"data":"channellink:logout"}}]}`,
			event.Batch{Ours: true, Events: []event.Event{{Kind: event.Unlinked, UserID: user, At: at}}},
		}, {
			"the same in a group that the message was shared with: whoever tapped", "",
			`{"destination":"x","events":[{"type":"postback","timestamp":1462629479859,"source":{"type":"group","groupId":"C1","userId":"` + user + `"},"postback":{"data":"channellink:logout"}}]}`,
			event.Batch{Ours: true, Events: []event.Event{{Kind: event.Unlinked, UserID: user, At: at}}},
		}, {
			"taps on the bot's buttons, and words that look like ours", "",
			`{"destination":"x","events":[{"type":"postback","source":{"type":"user","userId":"U1"},"postback":{"data":"storeId=12345","params":{"datetime":"2017-12-25T01:00"}}},{"type":"postback","source":{"type":"user","userId":"U1"},"postback":{"data":"channellink:logout "}},{"type":"postback","postback":7},{"type":"message","source":{"type":"user","userId":"U1"},"message":{"type":"text","text":"channellink:logout"},"postback":{"data":"channellink:logout"}}]}`,
			event.Batch{Ours: true},
		}, {
			"a tap of nobody in particular", "",
			`{"destination":"x","events":[{"type":"postback","source":{"type":"group","groupId":"C1"},"postback":{"data":"channellink:logout"}}]}`,
			event.Batch{Ours: true, Skipped: 1},
		}, {
			"another bot's (C39)", "U1",
			`{"destination":"U2","events":[{"type":"accountLink","timestamp":1462629479859,"source":{"type":"user","userId":"` + user + `"},"link":{"result":"ok","nonce":"abcdefghij"}}]}`,
			event.Batch{Foreign: 1},
		}, {
			"ok from nobody in particular confirms nobody", "",
			`{"destination":"x","events":[{"type":"accountLink","link":{"result":"ok","nonce":"abcdefghij"}},{"type":"accountLink","source":{"type":"group","userId":"U1"},"link":{"result":"ok","nonce":"abcdefghij"}},{"type":"accountLink","source":{"type":"user","userId":""},"link":{"result":"ok","nonce":"abcdefghij"}},{"type":"accountLink","source":{"type":"user","userId":"U1"},"link":{"result":"OK","nonce":"abcdefghij"}},{"type":"accountLink","source":{"type":"user","userId":"U1"},"link":{"result":"ok"}},{"type":"accountLink","link":7}]}`,
			event.Batch{Ours: true, Skipped: 6},
		},
	} {
		got, err := line.Events(signed(t, c.body), c.bot, received)
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
		if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(event.Event{}, "ID"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
	}
}

// C38: a redelivery has the id of the first delivery; two events of a batch have two, even where LINE gives them one
// (its own SDKs' fixtures do).
func TestEventIDs(t *testing.T) {
	body := `{"destination":"x","events":[` +
		`{"type":"accountLink","timestamp":5,"webhookEventId":"testwebhookeventid","deliveryContext":{"isRedelivery":false},"source":{"type":"user","userId":"U1"},"link":{"result":"ok","nonce":"aaaaaaaaaa"}},` +
		`{"type":"accountLink","timestamp":5,"webhookEventId":"testwebhookeventid","deliveryContext":{"isRedelivery":false},"source":{"type":"user","userId":"U2"},"link":{"result":"ok","nonce":"bbbbbbbbbb"}},` +
		`{"type":"postback","timestamp":5,"webhookEventId":"testwebhookeventid","deliveryContext":{"isRedelivery":false},"source":{"type":"user","userId":"U1"},"postback":{"data":"channellink:logout"}},` +
		`{"type":"postback","timestamp":5,"webhookEventId":"testwebhookeventid","deliveryContext":{"isRedelivery":false},"source":{"type":"user","userId":"U2"},"postback":{"data":"channellink:logout"}},` +
		`{"type":"postback","timestamp":6,"webhookEventId":"testwebhookeventid","deliveryContext":{"isRedelivery":false},"source":{"type":"user","userId":"U2"},"postback":{"data":"channellink:logout"}}]}`
	ids := func(body string) []string {
		batch, err := line.Events(signed(t, body), "", received)
		if err != nil || len(batch.Events) != 5 {
			t.Fatal(batch, err)
		}
		var ids []string
		for _, e := range batch.Events {
			ids = append(ids, e.ID)
		}
		return ids
	}
	first := ids(body)
	if apart := slices.Compact(slices.Sorted(slices.Values(first))); len(apart) != len(first) {
		t.Error("two events have one id")
	}
	again := ids(strings.ReplaceAll(body, `"isRedelivery":false`, `"isRedelivery":true`))
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("a redelivery changed the ids (-first +again)\n%s", diff)
	}
}

// C43
func TestEventsRefuses(t *testing.T) {
	item := `{"type":"accountLink","link":{"result":"failed","nonce":"a"}},`
	for reason, c := range map[string]struct {
		body string
		want error
	}{
		"not JSON":                 {`hello`, signature.ErrNotJSON},
		"a result that says both":  {`{"destination":"x","events":[{"link":{"result":"failed","result":"ok"}}]}`, signature.ErrDuplicateKey},
		"depth":                    {`{"destination":"x","events":` + strings.Repeat("[", 100_000), signature.ErrTooComplex},
		"more events than allowed": {`{"events":[` + strings.TrimSuffix(strings.Repeat(item, event.MaxEvents+1), ",") + `]}`, event.ErrTooMany},
	} {
		if got, err := line.Events(signed(t, c.body), "", received); !errors.Is(err, c.want) || len(got.Events) != 0 {
			t.Errorf("%s: %d events, %v; want %v", reason, len(got.Events), err, c.want)
		}
	}
}

// FuzzEvents: whatever LINE's signature covers, an event has a time that has come, a code unless it ends a link, and a user
// unless it refuses one. C43
func FuzzEvents(f *testing.F) {
	f.Add(`{"destination":"x","events":[{"type":"accountLink","timestamp":5,"webhookEventId":"a","source":{"type":"user","userId":"U1"},"link":{"result":"ok","nonce":"aaaaaaaaaa"}}]}`)
	f.Add(`{"destination":"x","events":[{"type":"accountLink","link":{"result":"failed","nonce":"aaaaaaaaaa"}}]}`)
	f.Add(`{"destination":"x","events":[{"type":"postback","timestamp":5,"source":{"type":"user","userId":"U1"},"postback":{"data":"channellink:logout"}}]}`)
	for _, v := range published {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, body string) {
		batch, err := line.Events(signed(t, body), "", received)
		if err != nil && len(batch.Events) > 0 {
			t.Fatal("an error and events")
		}
		for _, e := range batch.Events {
			if e.ID == "" || (e.Kind == event.Unlinked) != (e.Code == "") || e.At.After(received) || (e.Kind == event.Refused) != (e.UserID == "") {
				t.Fatalf("%s gave %+v", body, e)
			}
		}
	})
}
