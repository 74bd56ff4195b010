package line_test

import (
	"errors"
	"net/http"
	"testing"

	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

func TestProfile(t *testing.T) {
	var asked *http.Request
	api := func(status int, body string) *line.API {
		return &line.API{
			Endpoint: "https://api.line.me", Token: func() (secretfile.Secret, bool) { return secretfile.NewSecret("token"), true },
			Do: func(r *http.Request) (*outbound.Response, error) {
				asked = r
				return &outbound.Response{Status: status, Body: []byte(body)}, nil
			},
		}
	}
	name, picture, err := api(200, `{"displayName":"LINE taro","userId":"U4af4980629","language":"en","pictureUrl":"https://profile.line-scdn.net/ch/v2/p","statusMessage":"Hello, LINE!"}`).Profile(t.Context(), user)
	if err != nil || name != "LINE taro" || picture != "https://profile.line-scdn.net/ch/v2/p" {
		t.Errorf("%q, %q, %v", name, picture, err)
	}
	if asked.URL.String() != "https://api.line.me/v2/bot/profile/"+user || asked.Header.Get("Authorization") != "Bearer token" {
		t.Errorf("asked %s with %v", asked.URL, asked.Header)
	}
	if name, picture, err := api(200, `{"displayName":"LINE taro","userId":"U4af4980629"}`).Profile(t.Context(), user); err != nil || name == "" || picture != "" {
		t.Errorf("without a picture: %q, %q, %v", name, picture, err)
	}
	_, _, err = api(404, `{"message":"Not found"}`).Profile(t.Context(), user)
	if e, ok := errors.AsType[*outbound.Error](err); !ok || e.Status != 404 || e.Reason != outbound.BadStatus {
		t.Errorf("no friend: %v", err)
	}
	if _, _, err := api(200, `<html>`).Profile(t.Context(), user); !errors.Is(err, outbound.BadContent) {
		t.Errorf("no JSON: %v", err)
	}
	var none *line.API
	if none.Configured() || (&line.API{}).Configured() || !api(200, "").Configured() {
		t.Error("configured without a token, or not with one")
	}
}
