package botbonnie_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
)

// The call of the second seed, to the byte: bot_channel is a number, and actions go out as they were written.
func TestUnlinkCall(t *testing.T) {
	for _, c := range []struct {
		reason       string
		platform     botbonnie.Platform
		page, userID string
		actions      []link.RevocationAction
		want         string
	}{
		{
			"LINE, with every kind of action", botbonnie.LINE, "507oftxz", "U206d25c2ea6bd87c17655609a1c37cb8",
			[]link.RevocationAction{
				{Type: "saveParams", Name: "age", Value: "18"},
				{Type: "addTag", Value: "tag-4VW8DDgwu"},
				{Type: "removeTag", Value: "tag-4VW8DDgwu"},
				{Type: "notifyAgent", Message: "用戶已解除綁定 <b>&</b>"},
			},
			`{"bot_id":"bot-M-BOieOXZ","bot_raw_uid":"U206d25c2ea6bd87c17655609a1c37cb8","bot_pid":"507oftxz","bot_channel":1,"actions":[` +
				`{"type":"saveParams","name":"age","value":"18"},{"type":"addTag","value":"tag-4VW8DDgwu"},` +
				`{"type":"removeTag","value":"tag-4VW8DDgwu"},{"type":"notifyAgent","message":"用戶已解除綁定 <b>&</b>"}]}` + "\n",
		}, {
			"Messenger, without actions", botbonnie.Facebook, "1234779123812", "7051340731987654", nil,
			`{"bot_id":"bot-M-BOieOXZ","bot_raw_uid":"7051340731987654","bot_pid":"1234779123812","bot_channel":0}` + "\n",
		},
	} {
		calls := 0
		a := api(func(r *http.Request) (int, string) {
			calls++
			body, err := io.ReadAll(r.Body)
			if diff := cmp.Diff(c.want, string(body)); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got)\n%s", c.reason, err, diff)
			}
			if r.Method != http.MethodPost || r.URL.Path != "/v1/api/accountLink/unlink" ||
				r.Header.Get("Authorization") != "Bearer token" || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: called %s %s with %v", c.reason, r.Method, r.URL, r.Header)
			}
			return http.StatusOK, `{"res":"ok","status":200}`
		})
		if _, err := a.Unlink(t.Context(), c.platform, c.page, c.userID, c.actions); err != nil || calls != 1 {
			t.Errorf("%s: %d calls, %v", c.reason, calls, err)
		}
	}
}

// What counts as success, and what as a refusal. C74
func TestUnlinkAnswers(t *testing.T) {
	for _, c := range []struct {
		reason string
		status int
		body   string
		want   error
	}{
		{"as its siblings answer", 200, `{"res":"ok","status":200}`, nil},
		{"a status as text", 200, `{"res":"ok","status":"200"}`, nil},
		{"no status", 200, `{"res":{"unlinked":true}}`, nil},
		{"no body, for it is not documented", 200, "", nil},
		{"nor has 204", 204, "", nil},
		{"an errorCode in a 200", 200, `{"errorMessage":"no such tag","errorCode":500}`, &botbonnie.RefusedError{Coded: true}},
		{"also one of null", 200, `{"errorCode":null}`, &botbonnie.RefusedError{Coded: true}},
		{"however it is written", 200, `{"status":200,"ErrorCode":404}`, &botbonnie.RefusedError{Status: 200, Coded: true}},
		{"another status in the body", 200, `{"status":503}`, &botbonnie.RefusedError{Status: 503}},
		{"a page of a proxy", 200, `<html>`, outbound.BadContent},
		{"cut off", 200, `{"res":"ok"`, outbound.BadContent},
		{"no object", 200, `"ok"`, outbound.BadContent},
		{"null", 200, `null`, outbound.BadContent},
		{"a status that is none", 200, `{"status":{}}`, outbound.BadContent},
		{"a failure, whatever it says", 500, `{"errorMessage":"x","errorCode":500}`, outbound.BadStatus},
		{"a refusal", 404, `{"res":"ok","status":200}`, outbound.BadStatus},
	} {
		resp, err := always(c.status, c.body).Unlink(t.Context(), botbonnie.LINE, "507oftxz", "U1", nil)
		if resp == nil || resp.Status != c.status {
			t.Errorf("%s: the answer did not come back: %+v", c.reason, resp)
		}
		if refused, ok := errors.AsType[*botbonnie.RefusedError](err); ok {
			if diff := cmp.Diff(c.want, error(refused)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", c.reason, diff)
			}
		} else if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.reason, err, c.want)
		}
	}
}
