package messenger

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Send sends a message to a user, as an answer to what he wrote within the last day
// (Send API, messaging_type RESPONSE). Messenger knows no retry key, so it is tried once:
// after a time-out nobody can say whether it was delivered.
func (g *Graph) Send(ctx context.Context, psid string, message Message) error {
	type recipient struct {
		ID string `json:"id"`
	}
	body, err := json.Marshal(struct {
		Recipient recipient `json:"recipient"`
		Type      string    `json:"messaging_type"`
		Message   Message   `json:"message"`
	}{recipient{psid}, "RESPONSE", message})
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	var said struct{}
	return g.call(ctx, http.MethodPost, "/me/messages", url.Values{}, body, &said)
}
