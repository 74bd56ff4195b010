package services

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

const (
	// AssertionType is the `typ` of an identity assertion, so that no other JWT of this issuer can pass for one.
	AssertionType = "identity-assertion+jwt"
	// AssertionLife is how long an assertion is good. It is made for one call, so this covers clocks that differ.
	AssertionLife = time.Minute
)

// Issuer is who signs a channel's assertions, and what it says of itself.
type Issuer struct {
	// URL is the `iss` of assertions: the channel's publicURL to the letter, below which its keys are found.
	URL string
	// Platform and PageID are the channel, in the settings' words.
	Platform, PageID string
	Keys             *Keyring
}

// assertion are the claims of an identity assertion, which docs/services.md explains.
type assertion struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	// Subject and SubjectIssuer together are who the person is.
	Subject       string `json:"sub"`
	SubjectIssuer string `json:"sub_iss"`
	Account       string `json:"account,omitempty"`
	Platform      string `json:"platform"`
	Page          string `json:"page"`
	ChatUser      string `json:"chat_user"`
	LinkedAt      int64  `json:"linked_at"`
	Confirmed     bool   `json:"confirmed"`
	IssuedAt      int64  `json:"iat"`
	NotBefore     int64  `json:"nbf"`
	Expires       int64  `json:"exp"`
	ID            string `json:"jti"`
}

// Assert signs who the chat user of an active link is, for one audience. The error is [ErrNoKey].
func (i Issuer) Assert(ctx context.Context, l link.Link, audience string) (string, error) {
	now := i.Keys.now()
	payload, err := json.Marshal(assertion{
		Issuer:        i.URL,
		Audience:      audience,
		Subject:       l.Identity.Subject,
		SubjectIssuer: l.Identity.Issuer,
		Account:       l.Identity.Account,
		Platform:      i.Platform,
		Page:          i.PageID,
		ChatUser:      l.UserID,
		LinkedAt:      l.LinkedAt.Unix(),
		Confirmed:     l.Confirmed,
		IssuedAt:      now.Unix(),
		NotBefore:     now.Unix(),
		Expires:       now.Add(AssertionLife).Unix(),
		ID:            rand.Text(),
	})
	if err != nil {
		return "", fmt.Errorf("encode an identity assertion: %w", err)
	}
	return i.Keys.sign(ctx, payload)
}
