package chatsim

import (
	"net/http"
	"net/url"
)

// Attack is what an attacker does with a login of his own.
type Attack struct {
	Kind AttackKind `json:"kind"`
	// Victim is the id that a crafted login claims to be for.
	Victim string `json:"victim,omitempty"`
	// Code is what ends the attacker's own token; empty has one made up.
	Code string `json:"code,omitempty"`
}

// AttackKind is one of the attacks.
type AttackKind string

// The attacks.
const (
	// Forwarded: the attacker taps Log in and sends the URL to a victim who is signed in at the company.
	Forwarded AttackKind = "forwarded"
	// CraftedUser: the attacker signs in himself, with the victim's chat user in the query.
	CraftedUser AttackKind = "craftedUser"
	// OwnCode: the attacker ends his own token at the platform with a code of his choice, in place of the server's.
	OwnCode AttackKind = "ownCode"
)

// Attempt is what the attacker has in hand.
type Attempt struct {
	Login
	// Finish is the URL at the platform, or at BotBonnie, that ends the token with the attacker's code.
	Finish string `json:"finish,omitempty"`
	Code   string `json:"code,omitempty"`
}

// attack prepares the attack of the user; browsers carry it out.
func (s *Simulator) attack(w http.ResponseWriter, r *http.Request, c *channel, u *user) {
	var a Attack
	if !read(w, r, &a) {
		return
	}
	attempt := Attempt{Login: s.login(c, u)}
	switch a.Kind {
	case Forwarded:
	case CraftedUser:
		if a.Victim == "" {
			failed(w, http.StatusBadRequest, "want a victim")
			return
		}
		attempt.URL = withUser(attempt.URL, a.Victim)
	case OwnCode:
		if attempt.Code = a.Code; attempt.Code == "" {
			attempt.Code = random(32)
		}
		if a.Victim != "" {
			attempt.URL = withUser(attempt.URL, a.Victim)
		}
		attempt.Finish = s.finishURL(attempt.Token, attempt.Code)
	default:
		failed(w, http.StatusBadRequest, "want the kind forwarded, craftedUser or ownCode")
		return
	}
	writeJSON(w, http.StatusOK, attempt)
}

// withUser puts a user into a login URL, whether one was there or not.
func withUser(raw, userID string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	query := u.Query()
	query.Set("userId", userID)
	u.RawQuery = query.Encode()
	return u.String()
}

// finishURL is where the server would have sent the browser, with another code.
func (s *Simulator) finishURL(text, code string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tokens[text]
	redirector := s.config.URL + "/account/link"
	switch {
	case t.channel.Kind == LINE && t.carry != "":
		return appendQuery(redirector, "carry", t.carry, "linkToken", text, "nonce", code)
	case t.channel.Kind == LINE:
		return appendQuery(s.config.URL+"/dialog/bot/accountLink", "linkToken", text, "nonce", code)
	case t.carry != "":
		return appendQuery(redirector, "carry", t.carry, "redirect_uri", t.redirectURI,
			"account_linking_token", text, "authorization_code", code)
	}
	return appendQuery(t.redirectURI, "authorization_code", code)
}
