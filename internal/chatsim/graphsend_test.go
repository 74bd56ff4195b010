package chatsim

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

const send = "/v25.0/me/messages?access_token=page-token"

func toCarol(message string) string {
	return `{"recipient":{"id":"` + carol + `"},"messaging_type":"RESPONSE","message":` + message + `}`
}

// The two payloads of the first source document.
const (
	logInCard = `{"attachment":{"type":"template","payload":{"template_type":"generic","elements":[{"title":"Bienvenue à Vision RH",` +
		`"image_url":"http://vision.example/rh.jpeg","buttons":[{"type":"account_link","url":"https://vision.example/authorize"}]}]}}}`
	logOutCard = `{"attachment":{"type":"template","payload":{"template_type":"generic","elements":[{"title":"Vision RH",` +
		`"image_url":"http://vision.example/rh.jpeg","buttons":[{"type":"account_unlink"}]}]}}}`
)

func TestGraphShowsLogInAndLogOut(t *testing.T) {
	w := newWorld(t)
	if status, said, _ := w.post(http.MethodPost, send, "", toCarol(logInCard)); status != http.StatusOK || !strings.Contains(said, `"recipient_id":"`+carol) {
		t.Fatalf("%d %s", status, said)
	}
	button := w.last("messenger", carol).Cards[0].Buttons[0]
	address := w.press("messenger", carol, button)
	if !strings.HasPrefix(address, "https://vision.example/authorize?account_linking_token=AR") || param(t, address, "redirect_uri") == "" {
		t.Fatalf("Log In opens %s", address)
	}
	if _, page := w.get(w.browser(""), param(t, address, "redirect_uri")+"&authorization_code=c0de"); !strings.Contains(page, "Accounts linked") {
		t.Fatal(page)
	}
	if got := w.state("messenger", carol); !got.Linked || got.Code != "c0de" {
		t.Errorf("Messenger has kept %+v", got)
	}
	w.post(http.MethodPost, send, "", toCarol(logOutCard))
	w.press("messenger", carol, w.last("messenger", carol).Cards[0].Buttons[0])
	got := w.events()
	if last := got[len(got)-1]; !strings.Contains(string(last.body), `"account_linking":{"status":"unlinked"}`) ||
		last.header.Get("X-Hub-Signature-256") != signMeta("app-secret", last.body) {
		t.Errorf("Log Out sends %s", last.body)
	}
}

func TestGraphRefusesWhatMessengerCannotShow(t *testing.T) {
	long := func(n int) string { return strings.Repeat("é", n) }
	card := func(inner string) string {
		return `{"attachment":{"type":"template","payload":{"template_type":"generic","elements":[` + inner + `]}}}`
	}
	for _, tc := range []struct {
		reason, message string
		good            bool
	}{
		{"a text", `{"text":"hi"}`, true},
		{"the longest text", `{"text":"` + long(2000) + `"}`, true},
		{"a text too long", `{"text":"` + long(2001) + `"}`, false},
		{"nothing", `{}`, false},
		{"both", `{"text":"hi",` + card(`{"title":"t","subtitle":"s"}`)[1:], false},
		{"a card of nothing but a title", card(`{"title":"t"}`), false},
		{"a title too long", card(`{"title":"` + long(81) + `","subtitle":"s"}`), false},
		{"four buttons", card(`{"title":"t","buttons":[` + strings.Repeat(`{"type":"account_unlink"},`, 3) + `{"type":"account_unlink"}]}`), false},
		{"Log Out with a title", card(`{"title":"t","buttons":[{"type":"account_unlink","title":"x"}]}`), false},
		{"Log In by http", card(`{"title":"t","buttons":[{"type":"account_link","url":"http://vision.example/"}]}`), false},
		{"Log In on this machine", card(`{"title":"t","buttons":[{"type":"account_link","url":"http://hr.localhost:8080/"}]}`), true},
		{"a button of no meaning", card(`{"title":"t","buttons":[{"type":"login"}]}`), false},
		{"a button template", `{"attachment":{"type":"template","payload":{"template_type":"button","text":"hi","buttons":[{"type":"account_unlink"}]}}}`, true},
		{"a button template without buttons", `{"attachment":{"type":"template","payload":{"template_type":"button","text":"hi","buttons":[]}}}`, false},
		{"a field that Graph does not know", `{"txt":"hi"}`, false},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			status, said, _ := w.post(http.MethodPost, send, "", toCarol(tc.message))
			if (status == http.StatusOK) != tc.good || status != http.StatusOK && !strings.Contains(said, `"code":100`) {
				t.Errorf("%d %s", status, said)
			}
		})
	}
}

func TestGraphRefusesTheCaller(t *testing.T) {
	for _, tc := range []struct {
		reason, path, body string
		late               time.Duration
		says               string
	}{
		{"a wrong token", "/v25.0/me/messages?access_token=x", toCarol(`{"text":"hi"}`), 0, `"code":190`},
		{"a wrong proof", send + "&appsecret_proof=00", toCarol(`{"text":"hi"}`), 0, `"code":100`},
		{"somebody else's user", send, `{"recipient":{"id":"1"},"message":{"text":"hi"}}`, 0, `"error_subcode":2018001`},
		{"a day later", send, toCarol(`{"text":"hi"}`), 25 * time.Hour, `"error_subcode":2018278`},
		{"unlinking who is not linked", "/v25.0/me/unlink_accounts?access_token=page-token", `{"psid":"` + carol + `"}`, 0, `"code":10303`},
		{"unlinking nobody", "/v25.0/me/unlink_accounts?access_token=page-token", `{}`, 0, `"error_subcode":2018001`},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			w := newWorld(t)
			w.forward(tc.late)
			if status, said, _ := w.post(http.MethodPost, tc.path, "", tc.body); status < 400 || !strings.Contains(said, tc.says) {
				t.Errorf("%d %s, want %s", status, said, tc.says)
			}
		})
	}
	w := newWorld(t)
	proof := appSecretProof("app-secret", "page-token")
	if status, said, _ := w.post(http.MethodPost, send+"&appsecret_proof="+proof, "", toCarol(`{"text":"hi"}`)); status != http.StatusOK {
		t.Errorf("the right proof: %d %s", status, said)
	}
}

func TestGraphUnlinks(t *testing.T) {
	for _, echo := range []bool{false, true} {
		w := newWorld(t)
		w.control(http.MethodPut, "channels/messenger/switches", Switches{EchoUnlink: echo}, nil)
		w.get(w.browser(""), param(t, w.tap("messenger", carol).URL, "redirect_uri")+"&authorization_code=c0de")
		before := len(w.events())
		status, said, _ := w.post(http.MethodPost, "/v25.0/me/unlink_accounts?access_token=page-token", "", `{"psid":"`+carol+`"}`)
		if status != http.StatusOK || strings.TrimSpace(said) != `{"result":"unlink account success"}` {
			t.Errorf("%d %s", status, said)
		}
		if w.state("messenger", carol).Linked {
			t.Error("Messenger still calls the accounts linked")
		}
		if told := len(w.events()) - before; (told == 1) != echo {
			t.Errorf("echo %v: the server was told %d times", echo, told)
		}
	}
}

func TestMessengerWordsGoToTheBot(t *testing.T) {
	w := newWorld(t)
	w.say("messenger", carol, "leave balance")
	var d metaDelivery
	got := w.events()
	if err := json.Unmarshal(got[0].body, &d); err != nil {
		t.Fatal(err)
	}
	if m := d.Entry[0].Messaging[0]; m.Sender.ID != carol || m.Message == nil || m.Message.Text != "leave balance" || m.Message.MID == "" {
		t.Errorf("the event is %s", got[0].body)
	}
}
