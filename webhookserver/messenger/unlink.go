package messenger

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"channellink.dev/operator/webhookserver/outbound"
)

// subcodeNotAddressable: the PSID is nobody whom the page can address.
const subcodeNotAddressable = 33

// Unlink ends a user's account linking at Messenger (Graph API, unlink_accounts). That
// the user is not linked there, or is not there at all, is no error: nothing is left to
// end. The error is a [GraphError], that of [Graph.Do], or [outbound.Error] with
// BadContent.
func (g *Graph) Unlink(ctx context.Context, psid string) error {
	body, err := json.Marshal(map[string]string{"psid": psid})
	if err != nil {
		return err
	}
	var said map[string]json.RawMessage
	err = g.call(ctx, http.MethodPost, "/me/unlink_accounts", url.Values{}, body, &said)
	if refused, ok := errors.AsType[*GraphError](err); ok && refused.notLinked() {
		return nil
	}
	if err == nil && (said == nil || said["error"] != nil) {
		return &outbound.Error{Reason: outbound.BadContent, Status: http.StatusOK}
	}
	return err
}

// Temporary tells whether Graph says that it has failed itself, whatever the status is
// (Graph API, error codes).
func (e *GraphError) Temporary() bool {
	switch e.Code {
	case 1, 2, 99, 1200:
		return true
	}
	return e.Status >= http.StatusInternalServerError
}

// notLinked tells whether the refusal is about a user who is not linked. A 5xx says
// nothing about anybody.
func (e *GraphError) notLinked() bool {
	if e.Status >= http.StatusInternalServerError {
		return false
	}
	return e.Code == codeLinking || e.Code == codeParameter && (e.Subcode == subcodeNotAddressable || e.Subcode == subcodeNobody)
}
