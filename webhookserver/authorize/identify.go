package authorize

import (
	"context"
	"encoding/base64"
	"errors"
	"time"
	"unicode/utf8"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
)

// platformTimeout bounds what is asked of the chat platform while a person waits.
const platformTimeout = 3 * time.Second

// What is kept of a chat user until the consent is over.
const (
	maxChatName    = 100      // runes
	maxChatPicture = 16 << 10 // bytes
)

// identify learns who the person is, from the ID token, and who the chat user is, from the platform.
func (l *Logins) identify(ctx context.Context, v *visit) (answer, error) {
	s := v.session
	claims, err := l.authenticate(ctx, v)
	if err != nil {
		return answer{}, err
	}
	if err := l.allowed(ctx, claims); err != nil {
		return answer{}, err
	}
	if s.Identity, err = l.identity(claims); err != nil {
		return answer{}, err
	}
	s.Display = l.display(claims, s.Identity)
	if err := l.askPlatform(ctx, s); err != nil {
		return answer{}, err
	}
	store, err := l.Store()
	if err != nil {
		return answer{}, storeRefusal(err)
	}
	s.Step = link.Identified
	if err := store.Identify(ctx, *s); err != nil {
		return answer{}, storeRefusal(err)
	}
	return answer{reason: OK, location: l.consentURL(s.Flow)}, nil
}

// askPlatform has the platform say whose token it is. Where it can, another user than the one that the parameters claim ends
// the login: somebody made them up.
func (l *Logins) askPlatform(ctx context.Context, s *link.Session) error {
	ctx, cancel := context.WithTimeout(ctx, platformTimeout)
	defer cancel()
	user, err := l.Platform.ChatUser(ctx, entryOf(*s))
	switch {
	case errors.Is(err, link.ErrExpired):
		return refuse(PlatformExpired, nil)
	case err != nil:
		return refuse(PlatformUnavailable, err)
	case user.Verified && s.UserID != "" && user.UserID != s.UserID:
		return refuse(OtherChatUser, nil)
	}
	if user.Verified {
		s.UserID, s.Verified = user.UserID, true
	}
	if name := clip(shown(user.Name), maxChatName); name != "" {
		s.Params[packedName] = name
	}
	if len(user.Picture) <= maxChatPicture {
		s.Params[packedPicture] = base64.StdEncoding.EncodeToString(user.Picture)
	}
	return nil
}

// declined ends a login whose person said no at the issuer. That holds also when the store cannot be told.
func (l *Logins) declined(ctx context.Context, v *visit) (answer, error) {
	a := l.canceled(v)
	a.cause = l.end(ctx, v)
	return a, nil
}

// canceled is the platform's own way of saying no, or our page.
func (l *Logins) canceled(v *visit) answer {
	if location, ok := l.Platform.Cancel(entryOf(*v.session)); ok {
		return answer{reason: Canceled, location: location}
	}
	return answer{reason: Canceled, page: pages.End{Head: v.head(), Kind: pages.EndCancelled}}
}

// clip shortens text to so many runes.
func clip(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}
