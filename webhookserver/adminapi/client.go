package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The bounds of one call.
const (
	// StatusTimeout is the whole exchange. A status is answered from memory.
	StatusTimeout = 5 * time.Second
	// UnlinkWork is how long the server works on one attempt at an unlinking.
	UnlinkWork = 15 * time.Second
	// UnlinkTimeout is the whole exchange: the server's work, and time to write down and answer what came of it.
	UnlinkTimeout = UnlinkWork + 5*time.Second

	maxAnswer       = 1 << 20  // bytes of body; a status has about 4 KiB
	maxAnswerHeader = 16 << 10 // bytes of header
)

// The classes of errors of a Client. Their texts hold nothing that the other side wrote.
var (
	// ErrUnreachable: no answer came.
	ErrUnreachable = errors.New("the server cannot be reached")
	// ErrRefused: the server does not accept the token.
	ErrRefused = errors.New("the server refused the request")
	// ErrGarbage: an answer came that no server gives.
	ErrGarbage = errors.New("the server's answer makes no sense")
)

// Target is a server and the ChannelLink that it is asked about.
type Target struct {
	// BaseURL of the admin port, for example http://vision-hr-admin.hr.svc:8082. It has no path.
	BaseURL string
	// Audience is the UID of the ChannelLink.
	Audience string
}

// Client asks servers. Whoever may edit a Service can put anything behind it, so the client follows no redirect, uses no
// proxy, reads at most 1 MiB and believes only what it knows. It is safe for concurrent use.
type Client struct {
	http *http.Client
	now  func() time.Time
}

// NewClient returns a client that signs for the time that now gives.
func NewClient(now func() time.Time) *Client {
	return &Client{
		now: now,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                  nil, // HTTPS_PROXY is for the outside; tokens stay in the cluster
				DisableCompression:     true,
				MaxResponseHeaderBytes: maxAnswerHeader,
				// Thousands of servers are asked twice a minute: none is worth an idle connection, and a new one each
				// time lets the Service choose a pod anew.
				DisableKeepAlives: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Status asks for a server's status. The error is one of ErrUnreachable, ErrRefused and ErrGarbage, or of the signer.
func (c *Client) Status(ctx context.Context, t Target, s *Signer) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, StatusTimeout)
	defer cancel()
	answer, err := c.call(ctx, t, s, http.MethodGet, StatusPath, nil)
	if err != nil {
		return Status{}, fmt.Errorf("asking for a status: %w", err)
	}
	var status Status
	if err := json.Unmarshal(answer, &status); err != nil {
		return Status{}, fmt.Errorf("asking for a status: %w", ErrGarbage) // err quotes the answer
	}
	return status.known(), nil
}

// Unlink asks for one attempt at the unlinking of that id, for which [IsUnlinkID] has to hold. The error is one of
// ErrUnreachable, ErrRefused and ErrGarbage, or of the signer. After ErrUnreachable nobody knows how far the server came: the
// next attempt goes on there.
func (c *Client) Unlink(ctx context.Context, t Target, s *Signer, id string, u Unlink) (UnlinkResult, error) {
	if !IsUnlinkID(id) {
		return UnlinkResult{}, fmt.Errorf("asking for an unlinking: %w: its id cannot stand in a path", ErrUnreachable)
	}
	body, err := json.Marshal(u)
	if err != nil {
		return UnlinkResult{}, fmt.Errorf("asking for an unlinking: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, UnlinkTimeout)
	defer cancel()
	answer, err := c.call(ctx, t, s, http.MethodPut, UnlinksPath+id, body)
	if err != nil {
		return UnlinkResult{}, fmt.Errorf("asking for an unlinking: %w", err)
	}
	var result UnlinkResult
	if err := json.Unmarshal(answer, &result); err != nil {
		return UnlinkResult{}, fmt.Errorf("asking for an unlinking: %w", ErrGarbage) // err quotes the answer
	}
	return result.known(u.Epoch, c.now()), nil
}

// call sends one signed request and returns the body of an answer with status 200.
func (c *Client) call(ctx context.Context, t Target, s *Signer, method, path string, body []byte) ([]byte, error) {
	base, err := url.Parse(t.BaseURL)
	if err != nil || base.Host == "" || base.Path != "" || base.RawQuery != "" {
		return nil, fmt.Errorf("%w: its base URL has to be scheme and host", ErrUnreachable)
	}
	token, err := s.Sign(c.now(), Request{Audience: t.Audience, Method: method, Path: path, Body: body})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, t.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}

	resp, err := c.http.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, cause)
		}
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, dial)
		}
		return nil, fmt.Errorf("%w: the exchange broke off", ErrUnreachable) // err may quote what came back
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("%w with status %d", ErrRefused, resp.StatusCode)
	default:
		return nil, fmt.Errorf("%w: status %d", ErrGarbage, resp.StatusCode)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, fmt.Errorf("%w: the answer broke off", ErrUnreachable)
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrGarbage, maxAnswer)
	}
	return answer, nil
}
