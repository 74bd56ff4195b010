package line

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// API calls the Messaging API for one channel.
type API struct {
	// Endpoint is the base.
	Endpoint string
	// Token is the channel access token to use now; false if there is none.
	Token func() (secretfile.Secret, bool)
	// Do makes the call; its errors show neither URL nor body.
	Do func(*http.Request) (*outbound.Response, error)
}

// Configured reports whether there is a token to call with.
func (a *API) Configured() bool {
	if a == nil || a.Token == nil {
		return false
	}
	_, ok := a.Token()
	return ok
}

// Profile returns a user's name and the address of his picture; the latter may be
// empty. A user who is no friend of the bot, or has blocked it, has no profile: that
// is an error, a BadStatus of 404.
func (a *API) Profile(ctx context.Context, userID string) (name, picture string, err error) {
	token, ok := a.Token()
	if !ok {
		return "", "", errors.New("no channel access token")
	}
	address := strings.TrimRight(a.Endpoint, "/") + "/v2/bot/profile/" + url.PathEscape(userID)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", "", errors.New("endpoints.api is not a URL")
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	resp, err := a.Do(req)
	if err != nil {
		return "", "", err
	}
	if resp.Status != http.StatusOK {
		return "", "", &outbound.Error{Reason: outbound.BadStatus, Host: req.URL.Hostname(), Status: resp.Status}
	}
	var said struct {
		DisplayName string `json:"displayName"`
		PictureURL  string `json:"pictureUrl"`
	}
	if json.Unmarshal(resp.Body, &said) != nil {
		return "", "", &outbound.Error{Reason: outbound.BadContent, Host: req.URL.Hostname(), Status: resp.Status}
	}
	return said.DisplayName, said.PictureURL, nil
}
