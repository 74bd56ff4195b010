package botbonnie_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/botbonnie"
)

// The documentation's messages, in full.
var documented = []string{
	`{"type":"text","text":"還剩 14 天","buttons":[{"title":"btn1","type":"postback","value":"module-ry49xXQU2"},{"title":"btn2","type":"web_url","value":"http://google.com"}],"quickReplies":[{"title":"more","type":"text","payload":"module-HkI2FKv84e"}]}`,
	`{"type":"image","imageUrl":"https://hr.vision.example/a.png","quickReplies":[{"title":"more","type":"text","payload":"module-HkI2FKv84e"}]}`,
	`{"type":"gallery","cards":[{"title":"one","subtitle":"1","imageUrl":"https://hr.vision.example/a.png","buttons":[{"title":"btn1","type":"postback","value":"module-ry49xXQU2"}]},{"title":"two"}]}`,
	`{"type":"video","videoUrl":"https://hr.vision.example/a.mp4"}`,
	`{"type":"audio","audioUrl":"https://hr.vision.example/a.mp3"}`,
}

// Each documented shape is read, and written again as it was.
func TestReadMessage(t *testing.T) {
	for _, want := range documented {
		m, err := botbonnie.ReadMessage([]byte(want))
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		got, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestReadMessageTolerates(t *testing.T) {
	for _, c := range []struct{ reason, message string }{
		{"blanks around and inside", " {\n \"type\" : \"text\", \"text\" : \"a\" } \n"},
		{"null is absent: what Go writes for a nil slice", `{"type":"text","text":"a","buttons":null,"quickReplies":null}`},
		{"an empty list is absent", `{"type":"text","text":"a","cards":[],"buttons":[]}`},
		{"320 characters", `{"type":"text","text":"` + strings.Repeat("天", 320) + `"}`},
		{"escapes", `{"type":"text","text":"\u5929\ud83d\ude00"}`},
	} {
		if _, err := botbonnie.ReadMessage([]byte(c.message)); err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

// C43: what BotBonnie does not document is refused, and the error repeats nothing of it. C53
func TestReadMessageRefuses(t *testing.T) {
	button := func(b string) string { return `{"type":"text","text":"a","buttons":[` + b + `]}` }
	many := func(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	const good = `{"title":"t","type":"postback","value":"m"}`
	for _, c := range []struct {
		reason, message, member string
		problem                 botbonnie.MessageProblem
	}{
		{"nothing", "", "", botbonnie.NotJSON},
		{"not JSON", "hello CANARY", "", botbonnie.NotJSON},
		{"several messages: not documented", `[{"type":"text","text":"a"}]`, "", botbonnie.NotJSON},
		{"null", `null`, "", botbonnie.NotJSON},
		{"something behind it", `{"type":"text","text":"a"}{}`, "", botbonnie.NotJSON},
		{"cut off", `{"type":"text","text":"a"`, "", botbonnie.NotJSON},
		{"cut off in a member", `{"type":"text","text":`, "", botbonnie.NotJSON},
		{"not UTF-8", "{\"type\":\"text\",\"text\":\"\xff\"}", "", botbonnie.NotJSON},
		{"very deep", `{"type":"text","text":` + strings.Repeat("[", 100_000), "", botbonnie.NotJSON},
		{"no type", `{"text":"a"}`, "type", botbonnie.UnknownType},
		{"a type of another API", `{"type":"flex","text":"a"}`, "type", botbonnie.UnknownType},
		{"names are told apart by case", `{"type":"text","Text":"CANARY"}`, "", botbonnie.UnknownMember},
		{"a member that nobody knows", `{"type":"text","text":"a","CANARY":1}`, "", botbonnie.UnknownMember},
		{"two texts", `{"type":"text","text":"a","text":"b"}`, "", botbonnie.TwiceMember},
		{"two by an escape", `{"type":"text","text":"a","\u0074ext":"b"}`, "", botbonnie.TwiceMember},
		{"a text that is a number", `{"type":"text","text":14}`, "text", botbonnie.WrongType},
		{"a text that is an object", `{"type":"text","text":{"CANARY":1}}`, "text", botbonnie.WrongType},
		{"no text", `{"type":"text"}`, "text", botbonnie.Absent},
		{"a blank text", `{"type":"text","text":" \n"}`, "text", botbonnie.Absent},
		{"321 characters", `{"type":"text","text":"` + strings.Repeat("天", 321) + `"}`, "text", botbonnie.TooLong},
		{"161 emoji are 322 characters to LINE", `{"type":"text","text":"` + strings.Repeat("😀", 161) + `"}`, "text", botbonnie.TooLong},
		{"an image with a text", `{"type":"image","imageUrl":"https://a.example/","text":"a"}`, "", botbonnie.UnknownMember},
		{"an image with buttons", `{"type":"image","imageUrl":"https://a.example/","buttons":[` + good + `]}`, "", botbonnie.UnknownMember},
		{"an image of nothing", `{"type":"image"}`, "imageUrl", botbonnie.Absent},
		{"a picture in the clear", `{"type":"image","imageUrl":"http://CANARY.example/"}`, "imageUrl", botbonnie.NotHTTPS},
		{"a picture inside", `{"type":"image","imageUrl":"data:image/png;base64,AA=="}`, "imageUrl", botbonnie.NotHTTPS},
		{"a film without host", `{"type":"video","videoUrl":"https:///a"}`, "videoUrl", botbonnie.NotHTTPS},
		{"a user before the host", `{"type":"audio","audioUrl":"https://bank.example@evil.example/"}`, "audioUrl", botbonnie.NotHTTPS},
		{"a line break in a URL", `{"type":"audio","audioUrl":"https://a.example/\u2028"}`, "audioUrl", botbonnie.NotHTTPS},
		{"a URL that is longer than any", `{"type":"audio","audioUrl":"https://a.example/` + strings.Repeat("a", 2000) + `"}`, "audioUrl", botbonnie.TooLong},
		{"a gallery without cards", `{"type":"gallery","cards":[]}`, "cards", botbonnie.Absent},
		{"cards that are one", `{"type":"gallery","cards":{"title":"a"}}`, "cards", botbonnie.WrongType},
		{"eleven cards", `{"type":"gallery","cards":[` + many(11, `{"title":"a"}`) + `]}`, "cards", botbonnie.TooLong},
		{"a card without title", `{"type":"gallery","cards":[{"subtitle":"a"}]}`, "cards.title", botbonnie.Absent},
		{"a card that is none", `{"type":"gallery","cards":["a"]}`, "cards", botbonnie.NotJSON},
		{"a card with more", `{"type":"gallery","cards":[{"title":"a","CANARY":1}]}`, "cards", botbonnie.UnknownMember},
		{"a card's picture in the clear", `{"type":"gallery","cards":[{"title":"a","imageUrl":"http://a.example/"}]}`, "cards.imageUrl", botbonnie.NotHTTPS},
		{"a long subtitle", `{"type":"gallery","cards":[{"title":"a","subtitle":"` + strings.Repeat("a", 321) + `"}]}`, "cards.subtitle", botbonnie.TooLong},
		{"a card's button", `{"type":"gallery","cards":[{"title":"a","buttons":[{"title":"b","type":"postback"}]}]}`, "cards.buttons.value", botbonnie.Absent},
		{"five buttons", button(many(5, good)), "buttons", botbonnie.TooLong},
		{"a button of another API", button(`{"title":"b","type":"account_link","value":"https://a.example/"}`), "buttons.type", botbonnie.UnknownType},
		{"a button with more", button(`{"title":"b","type":"postback","value":"m","CANARY":1}`), "buttons", botbonnie.UnknownMember},
		{"a button without title", button(`{"type":"postback","value":"m"}`), "buttons.title", botbonnie.Absent},
		{"a script in a button", button(`{"title":"b","type":"web_url","value":"javascript:alert(1)"}`), "buttons.value", botbonnie.NotWebURL},
		{"a button that writes a mail", button(`{"title":"b","type":"web_url","value":"mailto:hr@vision.example"}`), "buttons.value", botbonnie.NotWebURL},
		{"a button with a user before the host", button(`{"title":"b","type":"web_url","value":"http://bank.example@evil.example/"}`), "buttons.value", botbonnie.NotWebURL},
		{"a title that fills the screen", button(`{"title":"` + strings.Repeat("a", 81) + `","type":"postback","value":"m"}`), "buttons.title", botbonnie.TooLong},
		{"fourteen quick replies", `{"type":"text","text":"a","quickReplies":[` + many(14, `{"title":"a","type":"text","payload":"m"}`) + `]}`, "quickReplies", botbonnie.TooLong},
		{"a quick reply of another type", `{"type":"text","text":"a","quickReplies":[{"title":"a","type":"location","payload":"m"}]}`, "quickReplies.type", botbonnie.UnknownType},
		{"a quick reply to nothing", `{"type":"text","text":"a","quickReplies":[{"title":"a","type":"text"}]}`, "quickReplies.payload", botbonnie.Absent},
	} {
		m, err := botbonnie.ReadMessage([]byte(c.message))
		got, _ := errors.AsType[*botbonnie.MessageError](err)
		if diff := cmp.Diff(&botbonnie.MessageError{Member: c.member, Problem: c.problem}, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
		if diff := cmp.Diff(botbonnie.Message{}, m); diff != "" {
			t.Errorf("%s: half a message came out: %s", c.reason, diff)
		}
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), "CANARY") {
			t.Errorf("%s: the error repeats what came in: %v", c.reason, err)
		}
	}
}

// FuzzReadMessage: what is taken keeps to the documented limits, and is taken again as the same message. C43
func FuzzReadMessage(f *testing.F) {
	for _, message := range documented {
		f.Add([]byte(message))
	}
	f.Add([]byte(`{"type":"text","text":"a","buttons":null}`))
	f.Add([]byte(`{"type":"text","text":"\ud800"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := botbonnie.ReadMessage(data)
		if err != nil {
			return
		}
		if n := len(utf16.Encode([]rune(m.Text))); n > botbonnie.MaxText {
			t.Fatalf("a text of %d characters", n)
		}
		written, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := botbonnie.ReadMessage(written)
		if err != nil {
			t.Fatalf("%s is not taken again: %v", written, err)
		}
		if diff := cmp.Diff(m, again); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestText(t *testing.T) {
	for _, c := range []struct{ reason, text, want string }{
		{"short", "還剩 14 天", "還剩 14 天"},
		{"just fits", strings.Repeat("天", 320), strings.Repeat("天", 320)},
		{"one too many", strings.Repeat("天", 321), strings.Repeat("天", 319) + "…"},
		{"emoji count twice, and none is cut in two", strings.Repeat("😀", 161), strings.Repeat("😀", 159) + "…"},
		{"no blank before the dots", strings.Repeat("a", 318) + " bcd", strings.Repeat("a", 318) + "…"},
	} {
		m := botbonnie.Text(c.text)
		if m.Text != c.want {
			t.Errorf("%s: %q, want %q", c.reason, m.Text, c.want)
		}
		if n := len(utf16.Encode([]rune(m.Text))); n > botbonnie.MaxText {
			t.Errorf("%s: %d characters", c.reason, n)
		}
	}
}
