package line_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/line/line-bot-sdk-go/v8/linebot/messaging_api"
	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/line/linetest"
)

const authorizeURL = "https://link.vision.example/hr/authorize"

// LINE's own library reads the prompts as what they are meant to be.
func TestMessagesInLINEsOwnTypes(t *testing.T) {
	words := line.Words{Title: "Vision HR", Text: "請登入，將您的帳號與這個聊天綁定。", Label: "登入", ImageURL: "https://vision.example/hr.png"}
	login, err := line.LoginMessage(words, authorizeURL, linkToken, false)
	if err != nil {
		t.Fatal(err)
	}
	external, err := line.LoginMessage(line.Words{Text: "Log in", Label: "Log in"}, authorizeURL+"?tenant=1", linkToken, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		reason string
		made   line.Message
		want   *messaging_api.ButtonsTemplate
		alt    string
	}{
		{
			"login: a fresh link token in the URL of the button", login,
			&messaging_api.ButtonsTemplate{
				ThumbnailImageUrl: words.ImageURL, Title: "Vision HR", Text: words.Text,
				Actions: []messaging_api.ActionInterface{&messaging_api.UriAction{Label: "登入", Uri: authorizeURL + "?linkToken=" + linkToken}},
			}, "Vision HR\n" + words.Text,
		}, {
			"login for an issuer that refuses webviews", external,
			&messaging_api.ButtonsTemplate{
				Text:    "Log in",
				Actions: []messaging_api.ActionInterface{&messaging_api.UriAction{Label: "Log in", Uri: authorizeURL + "?tenant=1&linkToken=" + linkToken + "&openExternalBrowser=1"}},
			}, "Log in",
		}, {
			"logout: the postback that the webhook obeys", line.LogoutMessage(words),
			&messaging_api.ButtonsTemplate{
				ThumbnailImageUrl: words.ImageURL, Title: "Vision HR", Text: words.Text,
				Actions: []messaging_api.ActionInterface{&messaging_api.PostbackAction{Label: "登入", Data: "channellink:logout", DisplayText: "登入"}},
			}, "Vision HR\n" + words.Text,
		},
	} {
		body, err := json.Marshal(c.made)
		if err != nil {
			t.Fatal(err)
		}
		read, err := messaging_api.UnmarshalMessage(body)
		if err != nil {
			t.Fatalf("%s: %v", c.reason, err)
		}
		got, ok := read.(messaging_api.TemplateMessage)
		if !ok || got.AltText != c.alt {
			t.Fatalf("%s: %T %+v", c.reason, read, read)
		}
		template, ok := got.Template.(messaging_api.ButtonsTemplate)
		if !ok {
			t.Fatalf("%s: %T", c.reason, got.Template)
		}
		if diff := cmp.Diff(plain(t, c.want), plain(t, template)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
		if diff := cmp.Diff(plain(t, c.want), plain(t, c.made.Template)); diff != "" {
			t.Errorf("%s: what LINE's library does not know is there (-want +got)\n%s", c.reason, diff)
		}
	}
	if _, err := line.LoginMessage(words, "not a URL", linkToken, false); err == nil {
		t.Error("a message without a place to go to")
	}
}

// plain is a value as its JSON has it.
func plain(t *testing.T, value any) (decoded any) {
	t.Helper()
	body, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// Whatever the bot and the branding say, LINE takes the message, and nothing is cut inside a character.
func TestMessagesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[中文🍎é]{0,500}`))
		words := line.Words{
			Title: text.Draw(t, "title"), Text: "x" + text.Draw(t, "text"), Label: "x" + text.Draw(t, "label"),
			ImageURL: rapid.SampledFrom([]string{"", "https://vision.example/hr.png"}).Draw(t, "image"),
		}
		login, err := line.LoginMessage(words, authorizeURL, linkToken, rapid.Bool().Draw(t, "external"))
		if err != nil {
			t.Fatal(err)
		}
		for _, message := range []line.Message{login, line.LogoutMessage(words)} {
			body, err := json.Marshal(message)
			if err != nil {
				t.Fatal(err)
			}
			if fault := linetest.Fault(body); fault != "" {
				t.Fatalf("LINE would refuse the %s of %s", fault, body)
			}
			for _, part := range []string{message.AltText, message.Template.Title, message.Template.Text, message.Template.Actions[0].Label} {
				if utf8.ValidString(words.Title+words.Text+words.Label) && !utf8.ValidString(part) {
					t.Fatalf("%q is cut inside a character", part)
				}
			}
		}
	})
	whole := line.Words{Title: strings.Repeat("中", 40), Text: strings.Repeat("x", 60), Label: strings.Repeat("x", 20)}
	if got := line.LogoutMessage(whole).Template; got.Title != whole.Title || got.Text != whole.Text || got.Actions[0].Label != whole.Label {
		t.Errorf("what fits was changed: %+v", got)
	}
	if got := line.LogoutMessage(line.Words{Text: strings.Repeat("x", 160), Label: "x"}).Template.Text; len(got) != 160 {
		t.Errorf("alone, a text of 160 characters became one of %d", len(got))
	}
}
