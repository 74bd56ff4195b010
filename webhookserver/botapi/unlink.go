package botapi

import (
	"context"
	"net/http"
)

// UnlinkState says how far an unlinking has come. In none of them is the user linked here any more.
type UnlinkState string

// The states of an unlinking.
const (
	// Unlinked: the platform knows, if it has to. Also: there was nothing to unlink.
	Unlinked UnlinkState = "Unlinked"
	// UnlinkWaiting: the platform could not be told yet. The server goes on by itself.
	UnlinkWaiting UnlinkState = "Waiting"
	// UnlinkFailed: the platform has refused for good, and still shows the user as linked.
	UnlinkFailed UnlinkState = "Failed"
)

// Unlinker ends links.
type Unlinker interface {
	// Unlink closes the chat user's link, if he has one, so that it resolves to nobody any more, and tells the platform.
	Unlink(ctx context.Context, userID string) (UnlinkState, error)
}

// unlinking is the answer about a link that is closed here, and of which the platform does not know.
type unlinking struct {
	State UnlinkState `json:"state"`
}

// Unlink serves DELETE /api/v1/users/{userID}/link. It is idempotent: a user who is not linked is as the bot wants him.
func (a *API) Unlink() http.HandlerFunc { return a.serve(botRealm, a.BotToken, a.unlink) }

func (a *API) unlink(ctx context.Context, r *http.Request, _ []byte) (any, error) {
	userID, err := a.userID(r)
	if err != nil {
		return nil, err
	}
	state, err := a.Unlinker.Unlink(ctx, userID)
	switch {
	case err != nil:
		return nil, err
	case state == Unlinked:
		return reply{code: http.StatusNoContent}, nil
	case state == UnlinkWaiting:
		return reply{http.StatusAccepted, unlinking{state}}, nil
	default:
		return unlinking{state}, nil
	}
}
