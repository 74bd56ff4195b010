package line

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"channellink.dev/operator/webhookserver/outbound"
)

// ErrNoWebhook: no webhook URL is set for the channel at LINE.
var ErrNoWebhook = errors.New("no webhook URL is set at LINE")

// Webhook is what LINE tells of a channel's webhook (Messaging API, get webhook endpoint
// information). Whether it redelivers is a switch of the LINE Developers Console that no
// call of the API reads.
type Webhook struct {
	URL string `json:"endpoint"`
	// Active: LINE calls it.
	Active bool `json:"active"`
}

// Webhook asks which webhook is set; the error may be [ErrNoWebhook].
func (a *API) Webhook(ctx context.Context) (Webhook, error) {
	var said Webhook
	resp, err := a.call(ctx, http.MethodGet, "/v2/bot/channel/webhook/endpoint", nil, "")
	if err == nil && resp.Status == http.StatusNotFound {
		return Webhook{}, ErrNoWebhook
	}
	err = a.understand(resp, err, &said)
	return said, err
}

// Test is how LINE's own test of a webhook went.
type Test struct {
	Success bool `json:"success"`
	// Reason is one of the constants below, unless LINE has invented others.
	Reason TestReason `json:"reason"`
	// Status that LINE got from the webhook.
	Status int `json:"statusCode"`
}

// TestReason says why a test failed.
type TestReason string

// The reasons (Messaging API, test webhook endpoint).
const (
	TestCouldNotConnect TestReason = "COULD_NOT_CONNECT"
	TestTimedOut        TestReason = "REQUEST_TIMEOUT"
	TestBadStatus       TestReason = "ERROR_STATUS_CODE"
)

// TestWebhook has LINE call a webhook with a signed body without events. LINE allows 60
// tests an hour.
func (a *API) TestWebhook(ctx context.Context, url string) (Test, error) {
	body, err := json.Marshal(map[string]string{"endpoint": url})
	if err != nil {
		return Test{}, err
	}
	var said Test
	resp, err := a.call(ctx, http.MethodPost, "/v2/bot/channel/webhook/test", body, "")
	err = a.understand(resp, err, &said)
	return said, err
}

// understand reads the answer to a call, which must be 200 with JSON.
func (a *API) understand(resp *outbound.Response, err error, into any) error {
	switch {
	case err != nil:
		return err
	case resp.Status != http.StatusOK:
		return refused(resp)
	case json.Unmarshal(resp.Body, into) != nil:
		return &outbound.Error{Reason: outbound.BadContent, Host: a.host(), Status: resp.Status}
	}
	return nil
}
