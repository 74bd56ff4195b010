package botbonnie_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// api is BotBonnie's API with an upstream that answers with what answer returns for each URL.
func api(answer func(*http.Request) (int, string)) *botbonnie.API {
	return &botbonnie.API{
		Endpoint: "https://api.botbonnie.com", BotID: "bot-M-BOieOXZ",
		Token: func() (secretfile.Secret, bool) { return secretfile.NewSecret("token"), true },
		Do: func(r *http.Request) (*outbound.Response, error) {
			status, body := answer(r)
			return &outbound.Response{Status: status, Body: []byte(body)}, nil
		},
	}
}

func always(status int, body string) *botbonnie.API {
	return api(func(*http.Request) (int, string) { return status, body })
}

var since = time.UnixMilli(1505360797321)

func TestCustomers(t *testing.T) {
	a := api(func(r *http.Request) (int, string) {
		q := r.URL.Query()
		if r.URL.Path != "/v1/api/bot/customers" || q.Get("botId") != "bot-M-BOieOXZ" || q.Get("from") != "1505360797321" || r.Header.Get("Authorization") != "Bearer token" {
			t.Errorf("asked %s with %v", r.URL, r.Header)
		}
		return 200, map[string]string{
			"": `{"res":{"records":[
				{"id":"U1","name":"陳邦妮","platform":"LINE","pageId":"507oftxz","status":1,"created":1505360797321,"lastActive":1505360797321,"pic":"https://p.example/1","tags":["tag-4VW8DDgwu"],"params":{"a":{"value":1}},"extId":"code"},
				{"id":7051340731987654,"platform":"FB","pageId":1234779123812,"name":null,"extId":42,"pic":false},
				{"id":"","platform":"LINE"}, null, 7, {"id":{}}, "x"],"next":2},"status":200}`,
			"2": `{"res":{"records":[{"id":"U3","platform":"LINE","pageId":"507oftxz","extId":null}],"next":"eyJjdXJzb3IiOiJ` + strings.Repeat("x", 300) + `"},"status":200}`,
			"eyJjdXJzb3IiOiJ" + strings.Repeat("x", 300): `{"res":{"records":[{"id":"U4","platform":"LINE","pageId":"507oftxz"}],"next":null},"status":200}`,
		}[q.Get("next")]
	})
	var got []botbonnie.Customer
	err := a.Customers(t.Context(), since, func(c botbonnie.Customer) bool { got = append(got, c); return true })
	want := []botbonnie.Customer{
		{UserID: "U1", PageID: "507oftxz", Platform: botbonnie.LINE, Name: "陳邦妮", Picture: "https://p.example/1", ExtID: "code"},
		{UserID: "7051340731987654", PageID: "1234779123812", Platform: botbonnie.Facebook},
		{UserID: "U3", PageID: "507oftxz", Platform: botbonnie.LINE},
		{UserID: "U4", PageID: "507oftxz", Platform: botbonnie.LINE},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}

// However many pages BotBonnie has, or says it has, a look-up ends.
func TestCustomersIsBounded(t *testing.T) {
	pages := 0
	endless := api(func(*http.Request) (int, string) {
		pages++
		return 200, fmt.Sprintf(`{"res":{"records":[{"id":"U%d"}],"next":"%d"},"status":200}`, pages, pages)
	})
	seen := 0
	count := func(botbonnie.Customer) bool { seen++; return true }
	if err := endless.Customers(t.Context(), since, count); !errors.Is(err, outbound.TooLarge) || pages != 25 || seen != 25 {
		t.Errorf("%d pages, %d users, %v", pages, seen, err)
	}
	for reason, next := range map[string]string{"the same again": `"1"`, "false": `false`, "an object": `{}`, "empty": `""`, "absent": `null`} {
		pages = 0
		same := api(func(*http.Request) (int, string) {
			pages++
			return 200, `{"res":{"records":[{"id":"U1"}],"next":` + next + `},"status":200}`
		})
		if err := same.Customers(t.Context(), since, count); err != nil || pages > 2 {
			t.Errorf("next is %s: %d pages, %v", reason, pages, err)
		}
	}
	pages = 0
	if err := endless.Customers(t.Context(), since, func(botbonnie.Customer) bool { return false }); err != nil || pages != 1 {
		t.Errorf("the caller has what it wants: %d pages, %v", pages, err)
	}
}

// A call has succeeded only if everything says so; an error repeats nothing of the answer (C53).
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		reason string
		status int
		body   string
		want   outbound.Error
	}{
		{"an error with its status", 500, `{"errorMessage":"canary","errorCode":500}`, outbound.Error{Reason: outbound.BadStatus, Status: 500}},
		{"an error with status 200", 200, `{"errorMessage":"canary","errorCode":500}`, outbound.Error{Reason: outbound.BadStatus, Status: 200}},
		{"an error beside a result", 200, `{"res":{"records":[]},"status":200,"errorCode":"x"}`, outbound.Error{Reason: outbound.BadStatus, Status: 200}},
		{"an error in the body's status", 200, `{"res":{"records":[]},"status":401}`, outbound.Error{Reason: outbound.BadStatus, Status: 401}},
		{"a token that is no good", 401, `canary`, outbound.Error{Reason: outbound.BadStatus, Status: 401}},
		{"a page", 200, `<html>canary`, outbound.Error{Reason: outbound.BadContent, Status: 200}},
		{"no result", 200, `{"status":200}`, outbound.Error{Reason: outbound.BadContent, Status: 200}},
		{"a result of another kind", 200, `{"res":"ok","status":200}`, outbound.Error{Reason: outbound.BadContent, Status: 200}},
	} {
		err := always(c.status, c.body).Customers(t.Context(), since, func(botbonnie.Customer) bool { return true })
		c.want.Host = "api.botbonnie.com"
		got, _ := errors.AsType[*outbound.Error](err)
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", c.reason, err, diff)
		}
	}
	none := always(200, "")
	none.Token = func() (secretfile.Secret, bool) { return secretfile.Secret{}, false }
	none.Do = func(*http.Request) (*outbound.Response, error) { t.Error("called without a token"); return nil, nil }
	if err := none.Customers(t.Context(), since, nil); err == nil {
		t.Error("no token, no error")
	}
}

// FuzzCustomers: whatever BotBonnie answers, a record has a user, and the look-up ends.
func FuzzCustomers(f *testing.F) {
	f.Add(`{"res":{"records":[{"id":"U1","platform":"LINE","pageId":"p","extId":"c"}],"next":2},"status":200}`)
	f.Add(`{"errorCode":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		_ = always(200, body).Customers(t.Context(), since, func(c botbonnie.Customer) bool {
			if c.UserID == "" {
				t.Fatalf("%s gave %+v", body, c)
			}
			return true
		})
	})
}
