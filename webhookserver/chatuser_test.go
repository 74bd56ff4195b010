package webhookserver

import (
	"errors"
	"image/png"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// upstreams answers for every platform, by the host and path that is asked.
func upstreams(t *testing.T, answers map[string]string) (do func(*http.Request) (*outbound.Response, error), token func() (secretfile.Secret, bool)) {
	picture := encoded(t, png.Encode, noise(80, 80))
	return func(r *http.Request) (*outbound.Response, error) {
		if r.URL.Host == "pictures.example" {
			return &outbound.Response{Status: http.StatusOK, Body: picture}, nil
		}
		body, ok := answers[r.URL.Host+r.URL.Path]
		switch {
		case !ok:
			return nil, &outbound.Error{Reason: outbound.ConnectFailed, Host: r.URL.Host}
		case strings.HasPrefix(body, `{"error"`):
			return &outbound.Response{Status: http.StatusBadRequest, Body: []byte(body)}, nil
		}
		return &outbound.Response{Status: http.StatusOK, Body: []byte(body)}, nil
	}, func() (secretfile.Secret, bool) { return secretfile.NewSecret("token"), true }
}

// C3: who a login is for is what the platform says, where it can say it. Names and pictures are best effort.
func TestChatUser(t *testing.T) {
	const graphMe, graphUser, lineProfile, records = "graph.example/me", "graph.example/PSID", "line.example/v2/bot/profile/U1", "bb.example/v1/api/bot/customers"
	for _, c := range []struct {
		reason      string
		graph, line bool
		botBonnie   bool
		claimed     string
		answers     map[string]string
		want        link.ChatUser
		picture     bool
		wantErr     error
		unavailable bool
	}{
		{reason: "Messenger without a page token knows nobody", want: link.ChatUser{}},
		{
			reason: "Messenger with one", graph: true, picture: true,
			answers: map[string]string{graphMe: `{"id":"P","recipient":"PSID"}`, graphUser: `{"first_name":"Peter","profile_pic":"https://pictures.example/1"}`},
			want:    link.ChatUser{UserID: "PSID", Verified: true, Name: "Peter"},
		}, {
			reason: "a profile that cannot be had stops nobody", graph: true,
			answers: map[string]string{graphMe: `{"id":"P","recipient":"PSID"}`, graphUser: `{"error":{"code":100,"error_subcode":2018218}}`},
			want:    link.ChatUser{UserID: "PSID", Verified: true},
		}, {
			reason: "a token that is over", graph: true, answers: map[string]string{graphMe: `{"error":{"code":100,"error_subcode":2018001}}`}, wantErr: link.ErrExpired,
		}, {
			reason: "Graph refuses any question: the token need not be to blame", graph: true, answers: map[string]string{graphMe: `{"error":{"code":100}}`}, unavailable: true,
		}, {
			reason: "Graph cannot be asked: the login must not go on as if it had agreed", graph: true, claimed: "PSID", unavailable: true,
		}, {
			reason: "BotBonnie's userId is another's: Graph's word is given back, and no name", graph: true, botBonnie: true, claimed: "VICTIM",
			answers: map[string]string{graphMe: `{"id":"P","recipient":"PSID"}`, graphUser: `{"first_name":"Mallory"}`},
			want:    link.ChatUser{UserID: "PSID", Verified: true},
		}, {
			reason: "behind BotBonnie with LINE's own profile", line: true, botBonnie: true, claimed: "U1", picture: true,
			answers: map[string]string{lineProfile: `{"displayName":"Taro","userId":"U1","pictureUrl":"https://pictures.example/2"}`},
			want:    link.ChatUser{UserID: "U1", Name: "Taro"},
		}, {
			reason: "behind BotBonnie with its record alone", botBonnie: true, claimed: "U1", picture: true,
			answers: map[string]string{records: `{"res":{"records":[{"id":"U0","platform":"LINE","pageId":"P","name":"No"},{"id":"U1","platform":"LINE","pageId":"Q","name":"No"},{"id":"U1","platform":"LINE","pageId":"P","name":"Taro","pic":"https://pictures.example/3"}]},"status":200}`},
			want:    link.ChatUser{UserID: "U1", Name: "Taro"},
		}, {
			reason: "BotBonnie does not know him", botBonnie: true, claimed: "U1",
			answers: map[string]string{records: `{"res":{"records":[]},"status":200}`}, want: link.ChatUser{UserID: "U1"},
		},
		{reason: "BotBonnie does not answer", botBonnie: true, claimed: "U1", want: link.ChatUser{UserID: "U1"}},
	} {
		do, token := upstreams(t, c.answers)
		u := &chatUsers{pageID: "P", platform: botbonnie.LINE, pictures: newPictures(do), now: time.Now, log: slog.New(slog.DiscardHandler)}
		if c.graph {
			u.graph = &messenger.Graph{Endpoint: "https://graph.example", PageID: "P", Token: token, Do: do}
		}
		if c.line {
			u.line = &line.API{Endpoint: "https://line.example", Token: token, Do: do}
		}
		if c.botBonnie {
			u.botBonnie = &botbonnie.API{Endpoint: "https://bb.example", BotID: "b", Token: token, Do: do}
		}
		got, err := u.of(t.Context(), link.Entry{UserID: c.claimed, Params: map[string]string{"account_linking_token": "t"}})
		if c.wantErr != nil && !errors.Is(err, c.wantErr) || c.unavailable && (err == nil || errors.Is(err, link.ErrExpired)) {
			t.Errorf("%s: error %v", c.reason, err)
		}
		if c.wantErr == nil && !c.unavailable && err != nil {
			t.Errorf("%s: %v", c.reason, err)
		}
		if got.UserID != c.want.UserID || got.Verified != c.want.Verified || got.Name != c.want.Name || (got.Picture != nil) != c.picture {
			t.Errorf("%s: %q verified %t, name %q, %d bytes of picture", c.reason, got.UserID, got.Verified, got.Name, len(got.Picture))
		}
	}
}
