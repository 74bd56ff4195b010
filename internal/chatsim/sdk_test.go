package chatsim

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/line/line-bot-sdk-go/v8/linebot/messaging_api"
	sdk "github.com/line/line-bot-sdk-go/v8/linebot/webhook"
)

// The SDK of LINE itself is the judge of what the simulator signs and takes: it knows nothing of either side here.

// parsed is the newest webhook as LINE's SDK reads it.
func (w *world) parsed() sdk.EventInterface {
	w.t.Helper()
	got := w.events()
	if len(got) == 0 {
		w.t.Fatal("no webhook was sent")
	}
	last := got[len(got)-1]
	req := httptest.NewRequest(http.MethodPost, "/webhook", bytes.NewReader(last.body))
	req.Header = last.header
	call, err := sdk.ParseRequest("line-secret", req)
	if err != nil {
		w.t.Fatalf("LINE's SDK refuses %s: %v", last.body, err)
	}
	if call.Destination != "Ubot" {
		w.t.Errorf("the destination is %q", call.Destination)
	}
	if len(call.Events) != 1 {
		w.t.Fatalf("want one event, got %d", len(call.Events))
	}
	return call.Events[0]
}

func TestLINEsSDKReadsEveryEvent(t *testing.T) {
	w := newWorld(t)
	w.say("line", alice, "leave balance")
	message, ok := w.parsed().(sdk.MessageEvent)
	if !ok || message.ReplyToken == "" || message.WebhookEventId == "" || message.DeliveryContext.IsRedelivery {
		t.Fatalf("read as %+v", message)
	}
	if text, ok := message.Message.(sdk.TextMessageContent); !ok || text.Text != "leave balance" {
		t.Errorf("read as %+v", message.Message)
	}
	if source, ok := message.Source.(sdk.UserSource); !ok || source.UserId != alice {
		t.Errorf("the source is %+v", message.Source)
	}

	w.get(w.browser(alice), accountLink(w.tap("line", alice).Token, goodNonce))
	linked, ok := w.parsed().(sdk.AccountLinkEvent)
	if !ok || linked.Link.Result != sdk.LinkContentRESULT_OK || linked.Link.Nonce != goodNonce {
		t.Errorf("read as %+v", linked)
	}
	w.get(w.browser(bob), accountLink(w.tap("line", alice).Token, goodNonce))
	failed, ok := w.parsed().(sdk.AccountLinkEvent)
	if !ok || failed.Link.Result != sdk.LinkContentRESULT_FAILED || failed.Source != nil || failed.ReplyToken != "" {
		t.Errorf("read as %+v", failed)
	}

	w.control(http.MethodPost, "channels/line/redeliver", nil, nil)
	if again, ok := w.parsed().(sdk.AccountLinkEvent); !ok || !again.DeliveryContext.IsRedelivery || again.WebhookEventId != failed.WebhookEventId {
		t.Errorf("a redelivery is read as %+v", again)
	}
}

func TestLINEsSDKReadsAPostback(t *testing.T) {
	w := newWorld(t)
	if _, err := w.client("line-token").PushMessage(&messaging_api.PushMessageRequest{To: alice, Messages: []messaging_api.MessageInterface{
		&messaging_api.TemplateMessage{AltText: "Log out", Template: &messaging_api.ButtonsTemplate{
			Title: "Vision HR", Text: "Log out?",
			Actions: []messaging_api.ActionInterface{&messaging_api.PostbackAction{Label: "Log out", Data: "bye", DisplayText: "Log out"}},
		}},
	}}, ""); err != nil {
		t.Fatal(err)
	}
	w.press("line", alice, w.last("line", alice).Cards[0].Buttons[0])
	if event, ok := w.parsed().(sdk.PostbackEvent); !ok || event.Postback.Data != "bye" {
		t.Errorf("read as %+v", event)
	}
}

// sdk is LINE's own client.
func (w *world) client(token string) *messaging_api.MessagingApiAPI {
	w.t.Helper()
	client, err := messaging_api.NewMessagingApiAPI(token, messaging_api.WithEndpoint(w.url))
	if err != nil {
		w.t.Fatal(err)
	}
	return client
}

func TestLINEsSDKIsAccepted(t *testing.T) {
	w := newWorld(t)
	client := w.client("line-token")
	text := []messaging_api.MessageInterface{messaging_api.TextMessage{Text: "hi"}}

	w.say("line", alice, "hello")
	token := w.parsed().(sdk.MessageEvent).ReplyToken
	reply, err := client.ReplyMessage(&messaging_api.ReplyMessageRequest{ReplyToken: token, Messages: text})
	if err != nil || len(reply.SentMessages) != 1 || reply.SentMessages[0].Id == "" {
		t.Errorf("reply: %+v, %v", reply, err)
	}
	if _, err := client.ReplyMessage(&messaging_api.ReplyMessageRequest{ReplyToken: token, Messages: text}); err == nil ||
		!strings.Contains(err.Error(), "Invalid reply token") {
		t.Errorf("the same reply token again: %v", err)
	}

	key := newUUID()
	for _, want := range []int{http.StatusOK, http.StatusConflict} {
		resp, _, err := client.PushMessageWithHttpInfo(&messaging_api.PushMessageRequest{To: alice, Messages: text}, key)
		if resp == nil || resp.StatusCode != want {
			t.Errorf("push: %v %v, want %d", resp, err, want)
		}
	}

	if profile, err := client.GetProfile(alice); err != nil || profile.DisplayName != "Alice" || profile.UserId != alice {
		t.Errorf("profile: %+v, %v", profile, err)
	}
	if issued, err := client.IssueLinkToken(alice); err != nil || len(issued.LinkToken) != 32 {
		t.Errorf("link token: %+v, %v", issued, err)
	}
	if info, err := client.GetBotInfo(); err != nil || info.UserId != "Ubot" {
		t.Errorf("bot info: %+v, %v", info, err)
	}
	if _, err := w.client("wrong").GetProfile(alice); err == nil {
		t.Error("a wrong token was taken")
	}
}

func TestLINEsSDKSetsAndTestsTheWebhook(t *testing.T) {
	w := newWorld(t)
	client := w.client("line-token")
	before, err := client.GetWebhookEndpoint()
	if err != nil || !before.Active || !strings.HasSuffix(before.Endpoint, "/webhook") {
		t.Fatalf("set is %+v, %v", before, err)
	}
	tested, err := client.TestWebhookEndpoint(&messaging_api.TestWebhookEndpointRequest{})
	if err != nil || !tested.Success || tested.StatusCode != http.StatusOK {
		t.Errorf("tested: %+v, %v", tested, err)
	}
	last := w.events()[len(w.events())-1]
	req := httptest.NewRequest(http.MethodPost, "/webhook", bytes.NewReader(last.body))
	req.Header = last.header
	if call, err := sdk.ParseRequest("line-secret", req); err != nil || len(call.Events) != 0 {
		t.Errorf("a test is read as %+v, %v", call, err)
	}
	if _, err := sdk.ParseRequest("another-secret", req); !errors.Is(err, sdk.ErrInvalidSignature) {
		t.Errorf("with another secret: %v", err)
	}
	if _, err := client.SetWebhookEndpoint(&messaging_api.SetWebhookEndpointRequest{Endpoint: before.Endpoint + "/other"}); err != nil {
		t.Error(err)
	}
	if after, err := client.GetWebhookEndpoint(); err != nil || after.Endpoint != before.Endpoint+"/other" {
		t.Errorf("set is %+v, %v", after, err)
	}
}
