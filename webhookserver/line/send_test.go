package line_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/line/linetest"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// client calls the API through the guarded client, as the server does.
func client(t *testing.T, fake *linetest.API) *line.API {
	t.Helper()
	guarded := outbound.New(outbound.Options{Policy: outbound.Policy{AllowLocal: true, AllowHTTPLocalhost: true}})
	t.Cleanup(guarded.CloseIdleConnections)
	return &line.API{
		Endpoint: fake.Endpoint + "/",
		Token:    func() (secretfile.Secret, bool) { return secretfile.NewSecret(linetest.Token), true },
		Do:       guarded.Do,
	}
}

func logout() line.Message { return line.LogoutMessage(line.Words{Text: "Log out", Label: "Log out"}) }

func TestIssueLinkToken(t *testing.T) {
	fake := linetest.New(t, user)
	api := client(t, fake)
	token, err := api.IssueLinkToken(t.Context(), user)
	if err != nil || fake.Issued()[token] != user {
		t.Fatalf("%q, %v", token, err)
	}
	again, err := api.IssueLinkToken(t.Context(), user)
	if err != nil || again == token {
		t.Errorf("a second one: %q, %v", again, err)
	}
	for _, c := range []struct {
		reason string
		step   linetest.Step
		want   error
	}{
		{"no friend of the bot", linetest.Step{Status: 404, Body: "Not found"}, link.ErrUserUnreachable},
		{"a user whom LINE finds fault with", linetest.Step{Status: 400, Body: "The value for the 'userId' parameter is invalid"}, link.ErrUserUnreachable},
		{"token rejected", linetest.Step{Status: 401, Body: "Authentication failed"}, link.ErrTokenRejected},
		{"no right to do so", linetest.Step{Status: 403, Body: "Access to this API is not available for your account"}, link.ErrTokenRejected},
		{"too many calls", linetest.Step{Status: 429, Body: "The API rate limit has been exceeded. Try again later."}, link.ErrRateLimited},
		{"no answer", linetest.Step{Cut: true}, outbound.ConnectionLost},
	} {
		fake.Next(c.step)
		if token, err := api.IssueLinkToken(t.Context(), user); !errors.Is(err, c.want) || token != "" {
			t.Errorf("%s: %q, %v; want %v", c.reason, token, err, c.want)
		}
	}
	if _, err := api.IssueLinkToken(t.Context(), "U"+strings.Repeat("0", 32)); !errors.Is(err, link.ErrUserUnreachable) {
		t.Errorf("a stranger: %v", err)
	}
	odd := *api
	odd.Do = func(*http.Request) (*outbound.Response, error) {
		return &outbound.Response{Status: 200, Body: []byte(`{"linkToken":"a&nonce=b"}`)}, nil
	}
	if token, err := odd.IssueLinkToken(t.Context(), user); !errors.Is(err, outbound.BadContent) || token != "" {
		t.Errorf("a token that would change the URL: %q, %v", token, err)
	}
}

// Whatever happens on the way, the user gets the message once: all tries of one push have one retry key and one body.
func TestPush(t *testing.T) {
	failed := linetest.Step{Status: 500, Body: "Internal server error"}
	for _, c := range []struct {
		reason    string
		steps     []linetest.Step
		calls     int
		delivered int
		want      error
	}{
		{"at once", nil, 1, 1, nil},
		{"LINE fails, then takes it", []linetest.Step{failed}, 2, 1, nil},
		{"LINE took it, and the answer is lost: 409 is a success", []linetest.Step{{Delivered: true, Cut: true}}, 2, 1, nil},
		{"LINE took it, and said 500", []linetest.Step{{Delivered: true, Status: 500}}, 2, 1, nil},
		{"LINE fails all the time", []linetest.Step{failed, failed, failed, failed, failed}, 4, 0, outbound.BadStatus},
		{"refused: no second try", []linetest.Step{{Status: 400, Body: "The request body has 1 error(s)"}}, 1, 0, link.ErrMessageRefused},
		{"the user has blocked the bot", []linetest.Step{{Status: 400, Body: "Failed to send messages"}}, 1, 0, link.ErrUserUnreachable},
		{"too many calls", []linetest.Step{{Status: 429, Body: "The API rate limit has been exceeded. Try again later."}}, 1, 0, link.ErrRateLimited},
		{"the month's messages are used up", []linetest.Step{{Status: 429, Body: "You have reached your monthly limit."}}, 1, 0, link.ErrQuotaReached},
		{"token rejected", []linetest.Step{{Status: 401}}, 1, 0, link.ErrTokenRejected},
		{
			"nobody knows whether the first try came through, whatever is said to the second",
			[]linetest.Step{failed, {Status: 429}}, 2, 0, outbound.BadStatus,
		},
	} {
		fake := linetest.New(t, user)
		fake.Next(c.steps...)
		if err := client(t, fake).Push(t.Context(), user, logout()); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.reason, err, c.want)
		}
		if calls, delivered := fake.Calls(), len(fake.Pushed()); calls != c.calls || delivered != c.delivered {
			t.Errorf("%s: %d calls and %d messages, want %d and %d", c.reason, calls, delivered, c.calls, c.delivered)
		}
	}
	fake := linetest.New(t, user)
	for range 2 {
		if err := client(t, fake).Push(t.Context(), user, logout()); err != nil {
			t.Fatal(err)
		}
	}
	if pushed := fake.Pushed(); pushed[0].RetryKey == pushed[1].RetryKey {
		t.Error("two pushes have one retry key")
	}
}

// All tries carry the same key and the same bytes, the first one too, and the pauses double.
func TestPushTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type try struct {
			After     time.Duration
			Key, Body string
		}
		var tries []try
		began := time.Now()
		api := &line.API{
			Endpoint: "https://api.line.me", Token: func() (secretfile.Secret, bool) { return secretfile.NewSecret("token"), true },
			Do: func(r *http.Request) (*outbound.Response, error) {
				var body json.RawMessage
				if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
					t.Error(err)
				}
				tries = append(tries, try{time.Since(began), r.Header.Get("X-Line-Retry-Key"), string(body)})
				return nil, &outbound.Error{Reason: outbound.TimedOut}
			},
		}
		if err := api.Push(t.Context(), user, logout()); !errors.Is(err, outbound.TimedOut) {
			t.Error(err)
		}
		want := []try{}
		for _, after := range []time.Duration{0, 250 * time.Millisecond, 750 * time.Millisecond, 1750 * time.Millisecond} {
			want = append(want, try{after, tries[0].Key, tries[0].Body})
		}
		if diff := cmp.Diff(want, tries); diff != "" || len(tries[0].Key) != 36 {
			t.Errorf("(-want +got)\n%s", diff)
		}

		tries = nil
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := api.Push(ctx, user, logout()); !errors.Is(err, outbound.TimedOut) || len(tries) != 2 {
			t.Errorf("a caller who waits 300 ms: %d tries, %v", len(tries), err)
		}
	})
}

func TestReply(t *testing.T) {
	fake := linetest.New(t, user)
	api := client(t, fake)
	if err := api.Reply(t.Context(), "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA", logout()); err != nil {
		t.Error(err)
	}
	fake.Next(linetest.Step{Status: 500})
	before := fake.Calls()
	if err := api.Reply(t.Context(), "nHuyWiB7yP5Zw52FIkcQobQuGDXCTA", logout()); err == nil || fake.Calls() != before+1 {
		t.Errorf("%d calls, %v: a reply has no retry key and is tried once", fake.Calls()-before, err)
	}
	if err := api.Reply(t.Context(), "used", logout()); !errors.Is(err, link.ErrMessageRefused) {
		t.Error(err)
	}
}

// C27: no error names the user, the token or what LINE said.
func TestErrorsTellNothing(t *testing.T) {
	fake := linetest.New(t)
	api := client(t, fake)
	fake.Next(linetest.Step{Status: 400, Body: "said of " + user}, linetest.Step{Cut: true})
	for range 2 {
		_, err := api.IssueLinkToken(t.Context(), user)
		if err == nil || strings.Contains(err.Error(), user) || strings.Contains(err.Error(), "said of") || strings.Contains(err.Error(), linetest.Token) {
			t.Error(err)
		}
	}
}
