package botapi

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// user is what the bot is told of a chat user. Somebody who is not linked, or whom nobody knows, is no error: the bot needs
// no case for him.
type user struct {
	Linked    bool       `json:"linked"`
	Issuer    string     `json:"issuer,omitempty"`
	Subject   string     `json:"subject,omitempty"`
	Account   string     `json:"account,omitempty"`
	LinkedAt  *time.Time `json:"linkedAt,omitempty"`
	Confirmed *bool      `json:"confirmed,omitempty"`
}

// User serves GET /api/v1/users/{userID}.
func (a *API) User() http.HandlerFunc { return a.serve(botRealm, a.BotToken, a.lookUp) }

func (a *API) lookUp(ctx context.Context, r *http.Request, _ []byte) (any, error) {
	userID, err := a.userID(r)
	if err != nil {
		return nil, err
	}
	store, err := a.Store()
	if err != nil {
		return nil, err
	}
	l, err := store.ActiveLink(ctx, a.ID, userID, a.oldest())
	if errors.Is(err, link.ErrNotFound) {
		return user{}, nil
	}
	if err != nil {
		return nil, err
	}
	return user{
		Linked: true, Issuer: l.Identity.Issuer, Subject: l.Identity.Subject, Account: l.Identity.Account,
		LinkedAt: &l.LinkedAt, Confirmed: &l.Confirmed,
	}, nil
}

// userID is that of the path, if the platform could have made it. A mistake of the bot's, such as a name or a group's id, is
// told as one and not taken for a user who is not linked.
func (a *API) userID(r *http.Request) (string, error) {
	id := r.PathValue("userID")
	if !shaped(a.Channel.Platform, id) {
		return "", &Problem{Code: http.StatusBadRequest, Cause: InvalidUserID, Detail: "A user id of LINE is U and 32 hex digits, a PSID of Messenger is digits."}
	}
	return id, nil
}

// maxPSID is more digits than a 64-bit number has; real ones have up to 17.
const maxPSID = 20

// shaped reports whether an id has the form that the platform gives to those of users.
func shaped(platform, id string) bool {
	if platform == "LINE" {
		hex, ok := strings.CutPrefix(id, "U")
		return ok && len(hex) == 32 && strings.Trim(hex, "0123456789abcdef") == ""
	}
	return id != "" && len(id) <= maxPSID && strings.Trim(id, "0123456789") == ""
}
