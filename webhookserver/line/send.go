package line

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
)

// IssueLinkToken asks for a token with which the user, and he alone, can be linked. It is good once and for
// [link.LINETokenLife]. The error is an [APIError] with [link.ErrUserUnreachable] for a user who is no friend of the bot:
// nothing but the user is in the request.
func (a *API) IssueLinkToken(ctx context.Context, userID string) (string, error) {
	resp, err := a.call(ctx, http.MethodPost, "/v2/bot/user/"+url.PathEscape(userID)+"/linkToken", nil, "")
	if err != nil {
		return "", err
	}
	if resp.Status != http.StatusOK {
		e := refused(resp)
		if errors.Is(e, link.ErrMessageRefused) {
			e.Reason = link.ErrUserUnreachable
		}
		return "", e
	}
	var said struct {
		LinkToken string `json:"linkToken"`
	}
	if json.Unmarshal(resp.Body, &said) != nil || !link.Plain(said.LinkToken, maxToken) {
		return "", &outbound.Error{Reason: outbound.BadContent, Host: a.host(), Status: resp.Status}
	}
	return said.LinkToken, nil
}

// The pauses between tries to push. A breaker and the caller's context end them sooner.
const (
	pushTries = 4
	pushPause = 250 * time.Millisecond // then twice as long each time
)

// Push sends messages to a user. The first try already carries a retry key, and others follow with the same key and body
// when LINE fails or does not answer: LINE delivers once, and says 409 to what it has taken before. The error is an
// [APIError], or that of the first try of which nobody can say whether it came through.
func (a *API) Push(ctx context.Context, userID string, messages ...Message) error {
	body, err := json.Marshal(struct {
		To       string    `json:"to"`
		Messages []Message `json:"messages"`
	}{userID, messages})
	if err != nil {
		return fmt.Errorf("encode push: %w", err)
	}
	key := newRetryKey()
	var open error // that of a try which may have come through
	for try := 1; ; try++ {
		err := a.push(ctx, body, key)
		if err == nil {
			return nil
		}
		again, unanswered := mayTryAgain(err)
		if unanswered && open == nil {
			open = err
		}
		if !again || try == pushTries || !rest(ctx, pushPause<<(try-1)) {
			if open != nil {
				return open
			}
			return err
		}
	}
}

// rest pauses, and reports false if the context was done before.
func rest(ctx context.Context, pause time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

func (a *API) push(ctx context.Context, body []byte, key string) error {
	resp, err := a.call(ctx, http.MethodPost, "/v2/bot/message/push", body, key)
	switch {
	case err != nil:
		return err
	case resp.Status == http.StatusOK, resp.Status == http.StatusConflict: // 409: an earlier try came through
		return nil
	}
	return refused(resp)
}

// Reply answers an event, once and within a minute of it. LINE takes no retry key here, so it is tried once.
func (a *API) Reply(ctx context.Context, replyToken string, messages ...Message) error {
	body, err := json.Marshal(struct {
		ReplyToken string    `json:"replyToken"`
		Messages   []Message `json:"messages"`
	}{replyToken, messages})
	if err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	resp, err := a.call(ctx, http.MethodPost, "/v2/bot/message/reply", body, "")
	if err == nil && resp.Status != http.StatusOK {
		err = refused(resp)
	}
	return err
}

// mayTryAgain reports whether a failed call is worth another try, and whether it may have come through all the same.
func mayTryAgain(err error) (again, unanswered bool) {
	e, ok := errors.AsType[*outbound.Error](err)
	if !ok {
		return false, false
	}
	switch e.Reason {
	case outbound.ConnectFailed:
		return true, false
	case outbound.TimedOut, outbound.ConnectionLost:
		return true, true
	case outbound.BadStatus:
		return e.Status >= http.StatusInternalServerError, true
	default:
		return false, false
	}
}

// newRetryKey makes a UUID of random bits (RFC 9562 section 5.4).
func newRetryKey() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
