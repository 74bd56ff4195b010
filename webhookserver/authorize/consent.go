package authorize

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
)

// show asks the person. It may be asked for any number of times.
func (l *Logins) show(_ context.Context, v *visit) (answer, error) {
	s := v.session
	picture, _ := base64.StdEncoding.DecodeString(s.Params[packedPicture]) // we wrote it
	page := pages.Consent{
		Head:        v.head(),
		Platform:    l.Channel.Platform,
		ChatName:    s.Params[packedName],
		ChatPicture: picture,
		MaskedUser:  masked(s.UserID),
		Action:      l.consentURL(s.Flow),
		Token:       formToken(v.cookie, s.Flow),
	}
	for _, claim := range s.Display {
		page.Claims = append(page.Claims, pages.Claim(claim))
	}
	return answer{reason: OK, page: page, posts: true}, nil
}

// link stores the pending link and sends the browser back to the platform with its code. The row is committed before the
// answer is written: the platform's confirmation may come sooner than the answer arrives.
func (l *Logins) link(ctx context.Context, v *visit) (answer, error) {
	s := v.session
	entry := entryOf(*s)
	code, err := l.code(s.Identity)
	if err != nil {
		return answer{}, err
	}
	location, err := l.Platform.Return(entry, code)
	if err != nil {
		return answer{}, refuse(Internal, err)
	}
	life := entry.TokenLife
	if life <= 0 {
		life = sessionLife
	}
	store, err := l.Store()
	if err != nil {
		return answer{}, storeRefusal(err)
	}
	rules := l.Channel.Linking
	err = store.Consent(ctx, s.Flow, link.Link{
		ID:            rand.Text(),
		Channel:       l.ID,
		UserID:        s.UserID,
		Identity:      s.Identity,
		State:         link.Pending,
		CodeHash:      link.HashCode(code),
		StableCode:    rules.StableCode,
		PlatformToken: s.PlatformToken,
		LoginAt:       s.StartedAt,
		ConsentAt:     v.now,
		ExpiresAt:     v.now.Add(life),
	}, int(rules.MaxLinksPerSubject), rules.AfterRedirect)
	if errors.Is(err, link.ErrAlreadyUsed) { // a double tap: the other press was faster
		return l.repeated(v), nil
	}
	if err != nil {
		return answer{}, storeRefusal(err)
	}
	a := answer{reason: OK, location: location}
	l.presses.put(s.Flow, a, v.now)
	return a, nil
}

// cancel ends the login without a link. The platform's token stays unspent, so the button in the chat still works.
func (l *Logins) cancel(ctx context.Context, v *visit) (answer, error) {
	if err := l.end(ctx, v); err != nil {
		return answer{}, err
	}
	a := l.canceled(v)
	l.presses.put(v.session.Flow, a, v.now)
	return a, nil
}

// switchPerson ends the login and opens another for the same button, where the issuer asks who it is. The clock of the
// platform's token goes on.
func (l *Logins) switchPerson(ctx context.Context, v *visit) (answer, error) {
	old := v.session
	if err := l.end(ctx, v); err != nil {
		return answer{}, err
	}
	prompt := "login"
	if l.Channel.OIDC.Prompt == "select_account" {
		prompt = "select_account" // the owner's issuer knows this one, and perhaps not the other
	}
	a, err := l.open(ctx, v, link.Session{
		UserID:        old.UserID,
		PlatformToken: old.PlatformToken,
		Params:        packed(entryOf(*old)),
		Locale:        old.Locale,
		StartedAt:     old.StartedAt,
		ExpiresAt:     old.ExpiresAt,
	}, prompt)
	if err != nil {
		return answer{}, err
	}
	l.presses.put(old.Flow, a, v.now)
	return a, nil
}

func (l *Logins) end(ctx context.Context, v *visit) error {
	store, err := l.Store()
	if err != nil {
		return storeRefusal(err)
	}
	if err := store.Refuse(ctx, l.ID, v.session.Flow); err != nil {
		return storeRefusal(err)
	}
	return nil
}

// finished answers who comes back to a login that is over.
func (l *Logins) finished(_ context.Context, v *visit) (answer, error) {
	return answer{reason: Repeated, page: pages.End{Head: v.head(), Kind: pages.EndDone}}, nil
}

// pressedAgain answers a press on the page of a login that is over.
func (l *Logins) pressedAgain(_ context.Context, v *visit) (answer, error) { return l.repeated(v), nil }

// repeated is the answer to the press before, for a thumb that tapped twice: a browser follows only the answer to its last
// press. Later it is a page.
func (l *Logins) repeated(v *visit) answer {
	if a, ok := l.presses.get(v.session.Flow, v.now); ok {
		a.reason = Repeated
		return a
	}
	return answer{reason: Repeated, page: pages.End{Head: v.head(), Kind: pages.EndDone}}
}

// code makes what the platform gets: 256 random bits, or the person's keyed pseudonym, 43 characters each.
func (l *Logins) code(identity link.Identity) (string, error) {
	if !l.Channel.Linking.StableCode {
		return link.NewCode(), nil
	}
	if l.Secrets.CodeKey == nil {
		return "", refuse(CodeKeyMissing, nil)
	}
	key, ok := l.Secrets.CodeKey()
	if !ok {
		return "", refuse(CodeKeyMissing, nil)
	}
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(identity.Issuer + "|" + identity.Subject))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), nil
}

// masked shows enough of a user id to tell two apart and too little to use it.
func masked(userID string) string {
	const ends = 4
	if len(userID) < 3*ends {
		return ""
	}
	return userID[:ends] + "…" + userID[len(userID)-ends:]
}
