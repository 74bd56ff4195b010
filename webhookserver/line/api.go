package line

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"channellink.dev/operator/webhookserver/link"
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

// retryKeyHeader makes sending again harmless. LINE refuses it with 400 on every call but those that push.
const retryKeyHeader = "X-Line-Retry-Key"

// call makes one call. A body of nil is none, and so is an empty retry key. An answer of 5xx is an error, as no answer is.
func (a *API) call(ctx context.Context, method, path string, body []byte, retryKey string) (*outbound.Response, error) {
	token, ok := a.Token()
	if !ok {
		return nil, errors.New("no channel access token")
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(a.Endpoint, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("endpoints.api is not a URL")
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if retryKey != "" {
		req.Header.Set(retryKeyHeader, retryKey)
	}
	resp, err := a.Do(req)
	if err == nil && resp.Status >= http.StatusInternalServerError {
		err = &outbound.Error{Reason: outbound.BadStatus, Host: req.URL.Hostname(), Status: resp.Status}
	}
	return resp, err
}

// host is for errors of ours.
func (a *API) host() string {
	u, err := url.Parse(a.Endpoint)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// APIError is a call that LINE refused. It holds no text of LINE's, which may repeat what was sent.
type APIError struct {
	Status int
	// Reason is one of package link's for a message that is not taken.
	Reason error
}

// Error names status and reason.
func (e *APIError) Error() string {
	return fmt.Sprintf("line refused: status %d: %v", e.Status, e.Reason)
}

// Unwrap returns the reason.
func (e *APIError) Unwrap() error { return e.Reason }

// The two of LINE's messages that say more than their status does (Messaging API reference, error responses).
const (
	saysQuota    = "You have reached your monthly limit."
	saysNoTarget = "Failed to send messages"
)

// refused reads why LINE refused a call.
func refused(resp *outbound.Response) *APIError {
	var said struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(resp.Body, &said) // a proxy's page: the status alone then
	e := &APIError{Status: resp.Status, Reason: link.ErrMessageRefused}
	switch {
	case resp.Status == http.StatusUnauthorized, resp.Status == http.StatusForbidden:
		e.Reason = link.ErrTokenRejected
	case resp.Status == http.StatusTooManyRequests && said.Message == saysQuota:
		e.Reason = link.ErrQuotaReached
	case resp.Status == http.StatusTooManyRequests:
		e.Reason = link.ErrRateLimited
	case resp.Status == http.StatusNotFound, resp.Status == http.StatusBadRequest && said.Message == saysNoTarget:
		e.Reason = link.ErrUserUnreachable
	}
	return e
}
