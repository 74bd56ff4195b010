package botapi

import (
	"context"
	"crypto/subtle"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"time"

	"channellink.dev/operator/webhookserver/link"
)

// introspection is the answer of RFC 7662 section 2.2. The names beside the RFC's are those of the identity assertion.
type introspection struct {
	Active        bool   `json:"active"`
	Issuer        string `json:"iss,omitempty"` // of the code: this server
	Subject       string `json:"sub,omitempty"`
	SubjectIssuer string `json:"sub_iss,omitempty"`
	Username      string `json:"username,omitempty"`
	Platform      string `json:"platform,omitempty"`
	Page          string `json:"page,omitempty"`
	ChatUser      string `json:"chat_user,omitempty"`
	IssuedAt      int64  `json:"iat,omitempty"`
	LinkedAt      int64  `json:"linked_at,omitempty"`
	Expires       int64  `json:"exp,omitempty"`
	Confirmed     *bool  `json:"confirmed,omitempty"`
}

// Introspect serves POST /introspect.
func (a *API) Introspect() http.HandlerFunc {
	return a.serve(introspectionRealm, a.IntrospectionToken, a.introspect)
}

func (a *API) introspect(ctx context.Context, r *http.Request, body []byte) (any, error) {
	code, userID, err := pair(r.Header.Get("Content-Type"), body)
	if err != nil {
		return nil, err
	}
	store, err := a.Store()
	if err != nil {
		return nil, err
	}
	l, err := store.LinkByCode(ctx, a.ID, link.HashCode(code))
	if errors.Is(err, link.ErrNotFound) {
		return introspection{}, nil
	}
	if err != nil {
		return nil, err
	}
	if !a.opens(l, userID) {
		return introspection{}, nil
	}
	answer := introspection{
		Active: true, Issuer: a.Channel.PublicURL,
		Subject: l.Identity.Subject, SubjectIssuer: l.Identity.Issuer, Username: l.Identity.Account,
		Platform: a.Channel.Platform, Page: a.Channel.PageID, ChatUser: l.UserID,
		IssuedAt: unix(l.ConsentAt), LinkedAt: unix(l.LinkedAt), Confirmed: &l.Confirmed,
	}
	if maxAge := a.Channel.Linking.MaxAge; maxAge != nil {
		answer.Expires = unix(l.LinkedAt.Add(maxAge.Std()))
	}
	return answer, nil
}

// opens reports whether the code of the link is a credential of the user: the link is active and his, not too old, and the
// code is no pseudonym, which others know.
func (a *API) opens(l link.Link, userID string) bool {
	his := subtle.ConstantTimeCompare([]byte(l.UserID), []byte(userID)) == 1
	return his && l.State == link.Active && !l.StableCode && !a.Channel.Linking.StableCode && !l.LinkedAt.Before(a.oldest())
}

// maxPair bounds either of the two; a code has 43 characters.
const maxPair = 512

// pair reads the form: one token and one user_id (RFC 7662 section 2.1; other parameters, such as token_type_hint, are passed
// over). The query is not looked at, because it ends up in logs.
func pair(contentType string, body []byte) (code, userID string, err error) {
	if media, _, err := mime.ParseMediaType(contentType); err != nil || media != "application/x-www-form-urlencoded" {
		return "", "", &Problem{
			Code: http.StatusUnsupportedMediaType, Cause: InvalidRequest, Detail: "The body must be application/x-www-form-urlencoded.",
		}
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", "", invalid("The body is not a form.")
	}
	for _, field := range []struct {
		name  string
		value *string
	}{{"token", &code}, {"user_id", &userID}} {
		values := form[field.name]
		if len(values) != 1 || values[0] == "" || len(values[0]) > maxPair {
			return "", "", invalid("The form must have token and user_id, once each.")
		}
		*field.value = values[0]
	}
	return code, userID, nil
}

// unix is a time in JSON Web Tokens; the zero time is left out.
func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
