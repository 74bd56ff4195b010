package event_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/event"
)

func TestID(t *testing.T) {
	for _, c := range []struct {
		written string
		want    event.ID
		ok      bool
	}{
		{`"U206d25c2ea6bd87c17655609a1c37cb8"`, "U206d25c2ea6bd87c17655609a1c37cb8", true},
		{`12345654332`, "12345654332", true},
		{`9007199254740993`, "9007199254740993", true}, // 2^53+1, which a float64 would change
		{`"\u0031"`, "1", true},
		{`0`, "0", true},
		{`-1`, "", false},
		{`1.5`, "", false},
		{`1e3`, "", false},
		{`true`, "", false},
		{`null`, "", false},
		{`["a"]`, "", false},
		{`"` + fmt.Sprintf("%0200d", 1) + `"`, "", false},
	} {
		var got event.ID
		if err := json.Unmarshal([]byte(c.written), &got); (err == nil) != c.ok || got != c.want {
			t.Errorf("%s: %q, %v", c.written, got, err)
		}
	}
}

func TestMillis(t *testing.T) {
	received := time.UnixMilli(1_700_000_000_000)
	for _, c := range []struct {
		reason, written string
		want            time.Time
	}{
		{"milliseconds", `1462629479859`, time.UnixMilli(1462629479859)},
		{"as a string", `"1462629479859"`, time.UnixMilli(1462629479859)},
		{"none", `null`, received},
		{"nothing", `0`, received},
		{"before 1970", `-5`, received},
		{"with an exponent", `1.4e12`, received},
		{"beyond every clock", `9999999999999999999`, received},
		{"not come yet", `1700000000001`, received},
		{"no number", `{"a":[]}`, received},
	} {
		var m event.Millis
		if err := json.Unmarshal([]byte(c.written), &m); err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
		if got := m.Or(received); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.reason, got, c.want)
		}
	}
}

func TestBatchIsInOrderOfTime(t *testing.T) {
	var b event.Batch
	for i, at := range []int64{5, 1, 5, 3, 1} {
		if err := b.Add(event.Event{ID: fmt.Sprint(i), At: time.UnixMilli(at)}); err != nil {
			t.Fatal(err)
		}
	}
	got := ""
	for _, e := range b.Events {
		got += e.ID
	}
	if got != "14302" {
		t.Errorf("order %s, want 14302: by time, and as they came where it is the same", got)
	}
}

// C43
func TestBatchIsBounded(t *testing.T) {
	var b event.Batch
	for range event.MaxEvents {
		if err := b.Add(event.Event{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Add(event.Event{}); !errors.Is(err, event.ErrTooMany) {
		t.Errorf("one more: %v", err)
	}
}

func TestDerivedID(t *testing.T) {
	seen := map[string][]string{}
	for _, parts := range [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"a", "b"}, {"ab"}, {"a:b"}, {"1:a"}, {"a1:b"}} {
		id := event.DerivedID(parts...)
		if before, there := seen[id]; there {
			t.Errorf("%q and %q have one id", before, parts)
		}
		seen[id] = parts
	}
	if first, again := event.DerivedID("a", "b"), event.DerivedID("a", "b"); first != again {
		t.Error("the same parts gave two ids")
	}
}

func TestMentions(t *testing.T) {
	for _, c := range []struct {
		part string
		want bool
	}{
		{`{"type":"accountLink"}`, true},
		{`{"type":"postback"}`, true},
		{`{"type":"message","text":"accountLin"}`, false},
		{`{"type":"\u0061ccountLink"}`, true},
		{`{"text":"a \/ b"}`, true}, // it might
		{``, false},
	} {
		if got := event.Mentions(json.RawMessage(c.part), "accountLink", "postback"); got != c.want {
			t.Errorf("%s: %t", c.part, got)
		}
	}
}
