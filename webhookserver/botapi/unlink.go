package botapi

import (
	"context"
	"net/http"
)

// Unlinker ends links.
type Unlinker interface {
	// Unlink closes the chat user's link, if he has one, so that it resolves to nobody any more, and tells the platform.
	// Told is false when the platform could not be told yet; whoever implements this sees to it that it will be.
	Unlink(ctx context.Context, userID string) (told bool, err error)
}

// unlinking says that the link is closed here and the platform is still to be told.
type unlinking struct {
	State string `json:"state"`
}

// Unlink serves DELETE /api/v1/users/{userID}/link. It is idempotent: a user who is not linked is as the bot wants him.
func (a *API) Unlink() http.HandlerFunc { return a.serve(botRealm, a.BotToken, a.unlink) }

func (a *API) unlink(ctx context.Context, r *http.Request, _ []byte) (any, error) {
	userID, err := a.userID(r)
	if err != nil {
		return nil, err
	}
	told, err := a.Unlinker.Unlink(ctx, userID)
	switch {
	case err != nil:
		return nil, err
	case told:
		return reply{code: http.StatusNoContent}, nil
	default:
		return reply{http.StatusAccepted, unlinking{"Waiting"}}, nil
	}
}
