package services

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
)

// DefaultTimeout is how long a backend may take when the settings do not say.
const DefaultTimeout = 2 * time.Second

// maxConns is how many connections one service has at most. A backend that takes 100 ms then answers several hundred calls
// a second; one that hangs holds no more than these.
const maxConns = 64

// ErrBadQuery: the query of BotBonnie's call cannot be read.
var ErrBadQuery = errors.New("query cannot be read")

// Service is one personalised service. It is safe for concurrent use.
type Service struct {
	name     string
	audience string
	url      url.URL
	timeout  time.Duration
	template *config.Template // nil: the backend answers messages
	fallback string

	issuer Issuer
	client *outbound.Client
	gates  *outbound.Gates // of the service alone: it has one breaker
}

// New returns a service of a channel. Its calls go out under the policy.
func New(s config.Service, issuer Issuer, policy outbound.Policy) (*Service, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("services[%s].url is not a URL", s.Name)
	}
	timeout := cmp.Or(s.Timeout.Std(), DefaultTimeout)
	service := &Service{
		name: s.Name, audience: s.Audience, url: *u, timeout: timeout, fallback: s.FallbackText,
		issuer: issuer,
		client: outbound.New(outbound.Options{Policy: policy, Timeout: timeout, MaxConns: maxConns, Propagate: true}),
		gates:  outbound.NewGates(outbound.GateOptions{MaxKeys: 1}),
	}
	if s.Template != "" {
		if service.template, err = config.CompileTemplate(s.Name, s.Template); err != nil {
			return nil, err
		}
	}
	return service, nil
}

// Name of the service, unique in its channel.
func (s *Service) Name() string { return s.name }

// Timeout is how long the backend may take.
func (s *Service) Timeout() time.Duration { return s.timeout }

// FallbackText is what the settings say in the place of a backend that does not answer as it should; may be empty.
func (s *Service) FallbackText() string { return s.fallback }

// CloseIdleConnections closes the connections that carry no call.
func (s *Service) CloseIdleConnections() { s.client.CloseIdleConnections() }

// Question is a verified call of BotBonnie's for a chat user who is linked.
type Question struct {
	Link link.Link
	// Body and RawQuery as they came.
	Body     []byte
	RawQuery string
	// RequestID joins the backend's log to ours.
	RequestID string
}

// Ask takes a question to the backend and returns its answer as a message. Of the error, [OutcomeOf] is what may be counted;
// its text holds nothing that the backend or the user wrote.
func (s *Service) Ask(ctx context.Context, q Question) (botbonnie.Message, error) {
	query, ok := passOn(s.url.RawQuery, q.RawQuery)
	if !ok {
		return botbonnie.Message{}, ErrBadQuery
	}
	token, err := s.issuer.Assert(ctx, q.Link, s.audience)
	if err != nil {
		return botbonnie.Message{}, err
	}
	target := s.url
	target.RawQuery = query
	body, err := s.post(ctx, target.String(), token, q)
	if err != nil {
		return botbonnie.Message{}, err
	}
	return s.read(ctx, body)
}

// post sends the question and returns the body of an answer with status 200.
func (s *Service) post(ctx context.Context, target, token string, q Question) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(q.Body))
	if err != nil {
		return nil, &outbound.Error{Reason: outbound.InvalidURL}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "channellink")
	req.Header.Set("X-Request-Id", q.RequestID)
	var body []byte
	err = s.gates.Do(ctx, outbound.Key{Upstream: s.name}, func(context.Context) error {
		resp, err := s.client.Do(req)
		if err != nil {
			return err
		}
		if resp.Status != http.StatusOK {
			return &outbound.Error{Reason: outbound.BadStatus, Host: req.URL.Hostname(), Status: resp.Status}
		}
		body = resp.Body
		return nil
	})
	return body, err
}

// read makes a message of an answer.
func (s *Service) read(ctx context.Context, body []byte) (botbonnie.Message, error) {
	if s.template == nil {
		return botbonnie.ReadMessage(body)
	}
	text, err := s.template.Execute(ctx, body)
	if err != nil {
		return botbonnie.Message{}, err
	}
	if text == "" {
		return botbonnie.Message{}, &botbonnie.MessageError{Member: "text", Problem: botbonnie.Absent}
	}
	return botbonnie.Text(text), nil
}
