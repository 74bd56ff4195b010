package line

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"channellink.dev/operator/webhookserver/outbound"
)

// Profile returns a user's name and the address of his picture; the latter may be
// empty. A user who is no friend of the bot, or has blocked it, has no profile: that
// is an error, a BadStatus of 404.
func (a *API) Profile(ctx context.Context, userID string) (name, picture string, err error) {
	resp, err := a.call(ctx, http.MethodGet, "/v2/bot/profile/"+url.PathEscape(userID), nil, "")
	if err != nil {
		return "", "", err
	}
	if resp.Status != http.StatusOK {
		return "", "", &outbound.Error{Reason: outbound.BadStatus, Host: a.host(), Status: resp.Status}
	}
	var said struct {
		DisplayName string `json:"displayName"`
		PictureURL  string `json:"pictureUrl"`
	}
	if json.Unmarshal(resp.Body, &said) != nil {
		return "", "", &outbound.Error{Reason: outbound.BadContent, Host: a.host(), Status: resp.Status}
	}
	return said.DisplayName, said.PictureURL, nil
}
