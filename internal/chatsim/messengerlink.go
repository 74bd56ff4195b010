package chatsim

import (
	"context"
	"net/http"
	"time"
)

// linkingPath is where Messenger's linking ends, with or without a final slash.
const linkingPath = "/messenger_platform/account_linking"

// routeMessenger serves the page to which a login returns.
func (s *Simulator) routeMessenger() {
	s.routes.HandleFunc("GET "+linkingPath, s.messengerLinking)
	s.routes.HandleFunc("GET "+linkingPath+"/{$}", s.messengerLinking)
}

// messengerLinking ends a linking: with a code it is done, without one it is cancelled (Messenger Platform, account linking).
// It does not look whose browser it is: Meta says nowhere that it does.
func (s *Simulator) messengerLinking(w http.ResponseWriter, r *http.Request) {
	query, wrong := strictQuery(r, []string{"account_linking_token"}, "authorization_code")
	if wrong != "" {
		refusePage(w, r, "messenger", wrong)
		return
	}
	code := query.Get("authorization_code")
	if query.Has("authorization_code") && code == "" {
		refusePage(w, r, "messenger", "the authorization_code is empty")
		return
	}
	t, err := s.endMessengerLinking(query.Get("account_linking_token"))
	if err != nil {
		refusePage(w, r, "messenger", err.Error())
		return
	}
	back := chatPath(t.channel, t.user)
	judge(r.Context()).about(t.channel, t.user)
	if code == "" {
		writePage(w, pageAnswer{"messenger", "Linking cancelled", "Your accounts were not linked.", http.StatusOK, back})
		return
	}
	s.mu.Lock()
	hook := s.messengerLinked(t.channel, t.user, code)
	s.mu.Unlock()
	// "Not acknowledging this webhook event will cause the linking process to abort."
	if !s.deliver(context.WithoutCancel(r.Context()), t.channel, hook) {
		judge(r.Context()).refusal = "the webhook was not acknowledged"
		s.mu.Lock()
		t.user.linked, t.user.linkedAt = false, time.Time{}
		s.mu.Unlock()
		writePage(w, pageAnswer{"messenger", "Account linking failed", "Please try again later.", http.StatusOK, back})
		return
	}
	writePage(w, pageAnswer{"messenger", "Accounts linked", "You can close this page.", http.StatusOK, back})
}

// endMessengerLinking spends the token, also for a linking that is cancelled.
func (s *Simulator) endMessengerLinking(text string) (*token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.valid(text)
	if err != nil {
		return nil, err
	}
	if t.channel.Kind != Messenger {
		return nil, errTokenUnknown
	}
	t.used = true
	return t, nil
}
