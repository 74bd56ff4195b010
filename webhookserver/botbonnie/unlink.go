package botbonnie

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"channellink.dev/operator/webhookserver/event"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/outbound"
)

// RefusedError is a call that BotBonnie answered with an error of its own in a body
// with status 2xx. It holds no text of BotBonnie's.
type RefusedError struct {
	// Status of the body; 0 if it told none.
	Status int
	// Coded: the body told an errorCode.
	Coded bool
}

// Error says how BotBonnie refused.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("botbonnie refused: status %d in the body", e.Status)
}

// unlinking is the body of accountLink/unlink. bot_channel is a number, whatever some
// clients send.
type unlinking struct {
	BotID   string                  `json:"bot_id"`
	RawUID  string                  `json:"bot_raw_uid"`
	PageID  string                  `json:"bot_pid"`
	Channel int                     `json:"bot_channel"`
	Actions []link.RevocationAction `json:"actions,omitempty"`
}

// channelNumbers are what BotBonnie calls the platforms in its calls.
var channelNumbers = map[Platform]int{Facebook: 0, LINE: 1}

// Unlink tells BotBonnie that a user is no longer linked, and has it take actions. The
// answer is not documented: it is success if the status is 2xx and a body, if there is
// one, is an object without errorCode whose status, if it has one, is 2xx too. The
// answer comes back whole, for its header, unless there was none; the error is that of
// [API.Do], [outbound.Error] with BadStatus or BadContent, or [RefusedError].
func (a *API) Unlink(ctx context.Context, platform Platform, pageID, userID string, actions []link.RevocationAction) (*outbound.Response, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // actions go out as they were written
	err := encoder.Encode(unlinking{
		BotID: a.BotID, RawUID: userID, PageID: pageID, Channel: channelNumbers[platform], Actions: actions,
	})
	if err != nil {
		return nil, fmt.Errorf("encoding an unlinking: %w", err)
	}
	resp, err := a.call(ctx, http.MethodPost, "accountLink/unlink", body.Bytes())
	if err != nil {
		return nil, err
	}
	return resp, a.unlinked(resp)
}

func (a *API) unlinked(resp *outbound.Response) error {
	failure := &outbound.Error{Reason: outbound.BadStatus, Host: a.host(), Status: resp.Status}
	if resp.Status < 200 || resp.Status > 299 {
		return failure
	}
	body := bytes.TrimSpace(resp.Body)
	if len(body) == 0 {
		return nil
	}
	var said map[string]json.RawMessage
	if json.Unmarshal(body, &said) != nil || said == nil {
		failure.Reason = outbound.BadContent
		return failure
	}
	status, err := bodyStatus(said)
	if err != nil {
		failure.Reason = outbound.BadContent
		return failure
	}
	coded := hasErrorCode(said)
	if coded || status != 0 && (status < 200 || status > 299) {
		return &RefusedError{Status: status, Coded: coded}
	}
	return nil
}

// bodyStatus is the body's own status, 0 without one. It may come as a string, as
// numbers of BotBonnie's do elsewhere.
func bodyStatus(said map[string]json.RawMessage) (int, error) {
	raw, ok := said["status"]
	if !ok {
		return 0, nil
	}
	var status event.ID
	if err := json.Unmarshal(raw, &status); err != nil {
		return 0, err
	}
	return strconv.Atoi(string(status))
}

func hasErrorCode(said map[string]json.RawMessage) bool {
	for name := range said {
		if strings.EqualFold(name, "errorCode") {
			return true
		}
	}
	return false
}
