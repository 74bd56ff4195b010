package botbonnie

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

// API calls BotBonnie's server API, version 1, for one bot.
type API struct {
	// Endpoint is the base, without /v1/api.
	Endpoint string
	BotID    string
	// Token is the API token to use now; false if there is none.
	Token func() (secretfile.Secret, bool)
	// Do makes the call; its errors show neither URL nor body.
	Do func(*http.Request) (*outbound.Response, error)
}

// get calls a path below /v1/api/ and reads res of the answer. A call has succeeded
// only if the status is 2xx and the body agrees: failures come with status 200 too,
// told by errorCode or by a status in the body.
func (a *API) get(ctx context.Context, path string, query url.Values, res any) error {
	token, ok := a.Token()
	if !ok {
		return errors.New("no API token")
	}
	address := strings.TrimRight(a.Endpoint, "/") + "/v1/api/" + path + "?" + query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("endpoints.api is not a URL")
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.Do(req)
	if err != nil {
		return err
	}
	refused := &outbound.Error{Reason: outbound.BadStatus, Host: req.URL.Hostname(), Status: resp.Status}
	if resp.Status < 200 || resp.Status > 299 {
		return refused
	}
	var said struct {
		Res       json.RawMessage `json:"res"`
		Status    *int            `json:"status"`
		ErrorCode json.RawMessage `json:"errorCode"`
	}
	if json.Unmarshal(resp.Body, &said) != nil {
		refused.Reason = outbound.BadContent
		return refused
	}
	if said.ErrorCode != nil || said.Status != nil && (*said.Status < 200 || *said.Status > 299) {
		if said.Status != nil {
			refused.Status = *said.Status
		}
		return refused
	}
	if json.Unmarshal(said.Res, res) != nil {
		refused.Reason = outbound.BadContent
		return refused
	}
	return nil
}
