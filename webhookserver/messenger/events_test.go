package messenger_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/signature"
)

var received = time.UnixMilli(1_700_000_000_000)

// signed is the body as Meta would have signed it.
func signed(t testing.TB, body string) signature.Verified {
	t.Helper()
	h := hmac.New(sha256.New, []byte("secret"))
	h.Write([]byte(body))
	header := http.Header{"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(h.Sum(nil))}}
	v, err := signature.Messenger(header, []secretfile.Secret{secretfile.NewSecret("secret")}, []byte(body), false)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func linked(user, code string, at int64) event.Event {
	return event.Event{Kind: event.Linked, UserID: user, Code: code, At: time.UnixMilli(at)}
}

func unlinked(user string, at int64) event.Event {
	return event.Event{Kind: event.Unlinked, UserID: user, At: time.UnixMilli(at)}
}

// What the platform's documentation and the fixtures of other projects show of a call about one page, and of no other. C39
func TestEvents(t *testing.T) {
	const now = 1_700_000_000_000
	for _, c := range []struct {
		reason, page, body string
		want               event.Batch
	}{
		{
			"linked (messenger4j)", "PAGE_ID",
			`{"object":"page","entry":[{"id":"PAGE_ID","time":1458692752478,"messaging":[{"sender":{"id":"USER_ID"},"recipient":{"id":"PAGE_ID"},"timestamp":1234567890,"account_linking":{"status":"linked","authorization_code":"PASS_THROUGH_AUTHORIZATION_CODE"}}]}]}`,
			event.Batch{Ours: true, Events: []event.Event{linked("USER_ID", "PASS_THROUGH_AUTHORIZATION_CODE", 1234567890)}},
		}, {
			"unlinked (messenger4j)", "PAGE_ID",
			`{"object":"page","entry":[{"id":"PAGE_ID","time":1458692752478,"messaging":[{"sender":{"id":"USER_ID"},"recipient":{"id":"PAGE_ID"},"timestamp":1234567890,"account_linking":{"status":"unlinked"}}]}]}`,
			event.Batch{Ours: true, Events: []event.Event{unlinked("USER_ID", 1234567890)}},
		}, {
			"ids as numbers and no timestamp (restfb)", "12345654332",
			`{"object":"page","entry":[{"id":12345654332,"time":1458668856451,"messaging":[{"sender":{"id":987654321432},"recipient":{"id":12345654332},"account_linking":{"status":"linked","authorization_code":"PASS_THROUGH_AUTHORIZATION_CODE"}}]}]}`,
			event.Batch{Ours: true, Events: []event.Event{linked("987654321432", "PASS_THROUGH_AUTHORIZATION_CODE", 1458668856451)}},
		}, {
			"a short id (jgorset)", "P",
			`{"object":"page","entry":[{"id":"P","messaging":[{"sender":{"id":"3"},"recipient":{"id":"P"},"timestamp":1457764197627,"account_linking":{"status":"linked","authorization_code":"x"}}]}]}`,
			event.Batch{Ours: true, Events: []event.Event{linked("3", "x", 1457764197627)}},
		}, {
			"no time at all", "P",
			`{"object":"page","entry":[{"id":"P","messaging":[{"sender":{"id":"3"},"recipient":{"id":"P"},"account_linking":{"status":"unlinked"}}]}]}`,
			event.Batch{Ours: true, Events: []event.Event{unlinked("3", now)}},
		}, {
			"entries without messaging, and kinds that nobody knows", "P",
			`{"object":"page","entry":[{"id":"P","changes":[{"field":"feed"}]},{"id":"P","messaging":[{"message":{"text":"hi","account_linking_note":1}},{"hoge":[]},null,7,"x"]},{"id":"P"}]}`,
			event.Batch{Ours: true},
		}, {
			"many users in one call, in the order of their times", "P",
			`{"object":"page","entry":[{"id":"P","messaging":[{"sender":{"id":"2"},"recipient":{"id":"P"},"timestamp":9,"account_linking":{"status":"unlinked"}},{"sender":{"id":"1"},"recipient":{"id":"P"},"timestamp":5,"account_linking":{"status":"linked","authorization_code":"a"}}]},{"id":"P","messaging":[{"sender":{"id":"3"},"recipient":{"id":"P"},"timestamp":7,"account_linking":{"status":"linked","authorization_code":"b"}}]}]}`,
			event.Batch{Ours: true, Events: []event.Event{linked("1", "a", 5), linked("3", "b", 7), unlinked("2", 9)}},
		}, {
			"while another app has the conversation", "P",
			`{"object":"page","entry":[{"id":"P","standby":[{"sender":{"id":"1"},"recipient":{"id":"P"},"timestamp":5,"account_linking":{"status":"linked","authorization_code":"a"}}]}]}`,
			event.Batch{Ours: true, Events: []event.Event{linked("1", "a", 5)}},
		}, {
			"another page of the same app (C39)", "P",
			`{"object":"page","entry":[{"id":"Q","messaging":[{"sender":{"id":"1"},"recipient":{"id":"Q"},"timestamp":5,"account_linking":{"status":"linked","authorization_code":"a"}}]},{"id":"P","messaging":[{"sender":{"id":"1"},"recipient":{"id":"Q"},"timestamp":5,"account_linking":{"status":"unlinked"}}]}]}`,
			event.Batch{Ours: true, Foreign: 2},
		}, {
			"one that cannot be understood holds up no other", "P",
			`{"object":"page","entry":[7,{"id":"P","messaging":[{"sender":{},"recipient":{"id":"P"},"account_linking":{"status":"linked","authorization_code":"a"}},{"sender":{"id":"1"},"recipient":{"id":"P"},"account_linking":{"status":"linked"}},{"sender":{"id":"1"},"recipient":{"id":"P"},"account_linking":{"status":"hoge"}},{"sender":{"id":"1"},"recipient":{"id":"P"},"account_linking":[]},{"sender":{"id":"1"},"recipient":{"id":"P"},"timestamp":5,"account_linking":{"status":"unlinked"}}]}]}`,
			event.Batch{Ours: true, Events: []event.Event{unlinked("1", 5)}, Skipped: 5},
		}, {
			"another object of the same app", "P",
			`{"object":"instagram","entry":[{"id":"P","messaging":[{"sender":{"id":"1"},"recipient":{"id":"P"},"account_linking":{"status":"unlinked"}}]}]}`,
			event.Batch{},
		}, {"nothing", "P", `{"object":"page","entry":[]}`, event.Batch{}},
	} {
		got, err := messenger.Events(signed(t, c.body), c.page, received)
		if err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
		if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(event.Event{}, "ID"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
		for _, e := range got.Events {
			if e.ID == "" {
				t.Errorf("%s: an event without an id", c.reason)
			}
		}
	}
}

// C38: an event that comes again has the id that it had; another event has another.
func TestEventIDs(t *testing.T) {
	id := func(page, user string, timestamp, entryTime int64, linking string) string {
		body := fmt.Sprintf(`{"object":"page","entry":[{"id":%q,"time":%d,"messaging":[{"sender":{"id":%q},"recipient":{"id":%q},"timestamp":%d,"account_linking":%s}]}]}`,
			page, entryTime, user, page, timestamp, linking)
		batch, err := messenger.Events(signed(t, body), page, received)
		if err != nil || len(batch.Events) != 1 {
			t.Fatal(batch, err)
		}
		return batch.Events[0].ID
	}
	const l, u = `{"status":"linked","authorization_code":"c"}`, `{"status":"unlinked"}`
	first := id("P", "1", 5, 100, l)
	if again := id("P", "1", 5, 200, l); again != first {
		t.Error("the entry's time, which differs with each delivery, changed the id")
	}
	for reason, other := range map[string]string{
		"page": id("Q", "1", 5, 100, l), "user": id("P", "2", 5, 100, l), "time": id("P", "1", 6, 100, l), "status": id("P", "1", 5, 100, u),
		"code": id("P", "1", 5, 100, `{"status":"linked","authorization_code":"d"}`), "entry's time without an own": id("P", "1", 0, 100, l),
	} {
		if other == first {
			t.Errorf("another %s, the same id", reason)
		}
	}
}

// C43
func TestEventsRefuses(t *testing.T) {
	item := `{"sender":{"id":"1"},"recipient":{"id":"P"},"account_linking":{"status":"unlinked"}},`
	for reason, c := range map[string]struct {
		body string
		want error
	}{
		"not JSON":                 {`object=page`, signature.ErrNotJSON},
		"a list":                   {`[]`, signature.ErrNotJSON},
		"a status that says both":  {`{"object":"page","entry":[{"id":"P","messaging":[{"account_linking":{"status":"unlinked","status":"linked"}}]}]}`, signature.ErrDuplicateKey},
		"more events than allowed": {`{"object":"page","entry":[{"id":"P","messaging":[` + strings.TrimSuffix(strings.Repeat(item, event.MaxEvents+1), ",") + `]}]}`, event.ErrTooMany},
		"100,000 events":           {`{"object":"page","entry":[{"id":"P","messaging":[` + strings.TrimSuffix(strings.Repeat(item, 100_000), ",") + `]}]}`, signature.ErrTooComplex},
	} {
		if got, err := messenger.Events(signed(t, c.body), "P", received); !errors.Is(err, c.want) || len(got.Events) != 0 {
			t.Errorf("%s: %d events, %v; want %v", reason, len(got.Events), err, c.want)
		}
	}
}

// FuzzEvents: whatever Meta's signature covers, an event names a user, has a time that has come, and one that links a code. C43
func FuzzEvents(f *testing.F) {
	f.Add(`{"object":"page","entry":[{"id":"P","time":1,"messaging":[{"sender":{"id":1},"recipient":{"id":"P"},"timestamp":5,"account_linking":{"status":"linked","authorization_code":"a"}}]}]}`)
	f.Add(`{"object":"page","entry":[{"id":"P","standby":[{"sender":{"id":"1"},"recipient":{"id":"P"},"account_linking":{"status":"unlinked"}}]}]}`)
	// Bodies from the tests of messenger4j, restfb and jgorset's facebook-messenger, and what Meta's documentation says of
	// other subscriptions; P is the page.
	for _, published := range []string{
		`{"object":"page","entry":[{"id":"P","time":1458692752478,"messaging":[{"sender":{"id":"USER_ID"},"recipient":{"id":"P"},"timestamp":1234567890,"account_linking":{"status":"linked","authorization_code":"PASS_THROUGH_AUTHORIZATION_CODE"}}]}]}`,
		`{"object":"page","entry":[{"id":"P","time":1458692752478,"messaging":[{"sender":{"id":"USER_ID"},"recipient":{"id":"P"},"timestamp":1234567890,"account_linking":{"status":"unlinked"}}]}]}`,
		"{\n  \"object\": \"page\",\n  \"entry\": [{\"id\": 12345654332, \"time\": 1458668856451, \"messaging\": [{\"sender\": {\"id\": 987654321432}, \"recipient\": {\"id\": 12345654332}, \"account_linking\": {\"status\": \"linked\", \"authorization_code\": \"PASS_THROUGH_AUTHORIZATION_CODE\"}}]}]}",
		`{"object":"page","entry":[{"id":"P","messaging":[{"sender":{"id":"3"},"recipient":{"id":"P"},"timestamp":1457764197627,"account_linking":{"status":"linked","authorization_code":"x"}}]}]}`,
		`{"object":"page","entry":[{"id":"P","changes":[{"field":"feed","value":{"item":"status"}}]},{"id":"P","standby":[]}]}`,
	} {
		f.Add(published)
	}
	f.Fuzz(func(t *testing.T, body string) {
		batch, err := messenger.Events(signed(t, body), "P", received)
		if err != nil && len(batch.Events) > 0 {
			t.Fatal("an error and events")
		}
		for _, e := range batch.Events {
			if e.ID == "" || e.UserID == "" || e.At.After(received) || (e.Kind == event.Linked) != (e.Code != "") || e.Kind == event.Refused {
				t.Fatalf("%s gave %+v", body, e)
			}
		}
	})
}
