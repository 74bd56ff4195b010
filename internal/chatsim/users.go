package chatsim

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"math/big"
	"slices"
)

// addUser lets somebody into the chat. A caller holds the mutex, or is New.
func (s *Simulator) addUser(c *channel, u User) *user {
	if u.ID == "" {
		u.ID = newUserID(c.Kind)
	}
	now := s.nowLocked()
	added := &user{User: u, created: now, active: now, params: map[string]string{}}
	c.users = append(c.users, added)
	return added
}

// newUserID makes an id of the platform's form: U and 32 hex digits on LINE, 16 digits on Messenger.
func newUserID(kind Kind) string {
	if kind == LINE {
		b := make([]byte, 16)
		_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
		return "U" + hex.EncodeToString(b)
	}
	const first = 1_000_000_000_000_000
	n, err := rand.Int(rand.Reader, big.NewInt(9*first))
	if err != nil {
		panic(err) // as above
	}
	return n.Add(n, big.NewInt(first)).String()
}

// UserState is what the platforms know of a chat user.
type UserState struct {
	User
	// Linked is whether the platform calls the accounts linked.
	Linked bool `json:"linked"`
	// Code is what the platform was given at the end of the last linking: the nonce or the authorization_code.
	Code string `json:"code,omitempty"`
	// ExtID is the code that BotBonnie keeps of him.
	ExtID string `json:"extID,omitempty"`
	// Tags, Params and Notices are BotBonnie's: Notices are what it told the company's agents about him.
	Tags    []string          `json:"tags,omitempty"`
	Params  map[string]string `json:"params,omitempty"`
	Notices []string          `json:"notices,omitempty"`
}

// state is a copy. A caller holds the simulator's mutex.
func (u *user) state() UserState {
	return UserState{
		User: u.User, Linked: u.linked, Code: u.code, ExtID: u.extID,
		Tags: slices.Clone(u.tags), Params: maps.Clone(u.params), Notices: slices.Clone(u.notices),
	}
}
