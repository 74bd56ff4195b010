package chatsim

import (
	"net/http"
	"net/url"
)

// routeBotBonnie serves BotBonnie's redirector and its API.
func (s *Simulator) routeBotBonnie() {
	s.routes.HandleFunc("GET /account/link", s.redirector)
	s.routes.HandleFunc("GET /v1/api/bot/customers", s.customers)
	s.routes.HandleFunc("POST /v1/api/accountLink/unlink", s.unlink)
}

// redirector is rd.botbonnie.com/account/link: it takes the code of a login back and leads the browser on to the platform
// (BotBonnie, account linking). Everything that went out with the login must come back as it was, byte for byte.
func (s *Simulator) redirector(w http.ResponseWriter, r *http.Request) {
	names := []string{"carry", "linkToken", "nonce"}
	onMessenger := r.URL.Query().Has("redirect_uri")
	if onMessenger {
		names = []string{"carry", "redirect_uri", "account_linking_token", "authorization_code"}
	}
	query, wrong := strictQuery(r, names)
	if wrong != "" {
		refusePage(w, r, "botbonnie", wrong)
		return
	}
	text, code := query.Get("linkToken"), query.Get("nonce")
	if onMessenger {
		text, code = query.Get("account_linking_token"), query.Get("authorization_code")
	}
	if n := len([]rune(code)); n < minNonce || n > maxNonce {
		refusePage(w, r, "botbonnie", "the code has not 10 to 255 characters")
		return
	}
	s.mu.Lock()
	if t := s.tokens[text]; t != nil {
		judge(r.Context()).about(t.channel, t.user)
	}
	s.mu.Unlock()
	next, wrong := s.keepCode(query, text, code)
	if wrong != "" {
		refusePage(w, r, "botbonnie", wrong)
		return
	}
	http.Redirect(w, r, next, http.StatusFound)
}

// keepCode compares what came back with what went out, and says where the browser goes on. A token that is spent or expired
// is the platform's to refuse.
func (s *Simulator) keepCode(query url.Values, text, code string) (next, wrong string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[text]
	switch {
	case t == nil || t.carry == "" || (t.channel.Kind == Messenger) != query.Has("redirect_uri"):
		return "", "the token is none of a bot here"
	case query.Get("carry") != t.carry:
		return "", "carry is not what went out"
	case query.Get("redirect_uri") != t.redirectURI:
		return "", "redirect_uri is not what went out"
	}
	if t.channel.switches.EarlyExtID {
		t.user.extID, t.user.active = code, s.nowLocked()
	}
	if t.channel.Kind == LINE {
		return appendQuery(s.config.URL+"/dialog/bot/accountLink", "linkToken", text, "nonce", code), ""
	}
	return appendQuery(t.redirectURI, "authorization_code", code), ""
}
