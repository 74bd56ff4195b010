package botbonnie

import (
	"bytes"
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
	resp, err := a.call(ctx, http.MethodGet, path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	refused := &outbound.Error{Reason: outbound.BadStatus, Host: a.host(), Status: resp.Status}
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

// call makes one call of a path below /v1/api/. A body of nil is none.
func (a *API) call(ctx context.Context, method, path string, body []byte) (*outbound.Response, error) {
	token, ok := a.Token()
	if !ok {
		return nil, errors.New("no API token")
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(a.Endpoint, "/")+"/v1/api/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("endpoints.api is not a URL")
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	req.Header.Set("Content-Type", "application/json")
	return a.Do(req)
}

// host is for errors of ours.
func (a *API) host() string {
	u, err := url.Parse(a.Endpoint)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
