package chatsim

import (
	"context"
	"errors"
	"net/http"
	"unicode/utf8"
)

// browserCookie says who the browser's user is at LINE.
const browserCookie = "chatsim-line-user"

// Bounds of the nonce, in characters (LINE, linking-accounts, step 4).
const (
	minNonce = 10
	maxNonce = 255
)

// lineAccountLink is access.line.me/dialog/bot/accountLink: the end of a linking (LINE, linking-accounts, step 5). A token that
// is no good any more ends with a page and no event; a user whom the token was not issued for, with an event that says so.
func (s *Simulator) lineAccountLink(w http.ResponseWriter, r *http.Request) {
	query, wrong := strictQuery(r, []string{"linkToken", "nonce"})
	if wrong != "" {
		refusePage(w, r, "line", wrong)
		return
	}
	if n := utf8.RuneCountInString(query.Get("nonce")); n < minNonce || n > maxNonce {
		refusePage(w, r, "line", "the nonce has not 10 to 255 characters")
		return
	}
	who, err := r.Cookie(browserCookie)
	if err != nil {
		// LINE would ask for its own login, which spends nothing.
		judge(r.Context()).refusal = "nobody is signed in at LINE"
		writePage(w, pageAnswer{"line", "Log in to LINE", "This browser is not signed in at LINE.", http.StatusUnauthorized, ""})
		return
	}
	c, u, sent, err := s.endLineLinking(query.Get("linkToken"), query.Get("nonce"), who.Value)
	if err != nil && !errors.Is(err, errOtherUser) {
		refusePage(w, r, "line", err.Error())
		return
	}
	judge(r.Context()).about(c, u)
	s.deliver(context.WithoutCancel(r.Context()), c, sent)
	if err != nil {
		refusePage(w, r, "line", err.Error())
		return
	}
	writePage(w, pageAnswer{"line", "Accounts linked", "You can close this page.", http.StatusOK, chatPath(c, u)})
}

var errOtherUser = errors.New("the browser's user is not the one whom the token was issued for")

// endLineLinking spends the token and makes the event that follows. With errOtherUser there is an event, too.
func (s *Simulator) endLineLinking(text, nonce, who string) (*channel, *user, *webhook, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.valid(text)
	if err != nil {
		return nil, nil, nil, err
	}
	if t.channel.Kind != LINE {
		return nil, nil, nil, errTokenUnknown
	}
	t.used = true
	if who != t.user.ID {
		return t.channel, t.user, s.lineLinked(t.channel, nil, nonce), errOtherUser
	}
	t.user.linked = true
	t.user.linkedAt, t.user.active = s.nowLocked(), s.nowLocked()
	if t.channel.BotBonnie != nil {
		t.user.extID = nonce
	}
	t.user.code = nonce
	return t.channel, t.user, s.lineLinked(t.channel, t.user, nonce), nil
}
