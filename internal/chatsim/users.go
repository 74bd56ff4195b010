package chatsim

import (
	"crypto/rand"
	"encoding/hex"
	"math/big"
)

// addUser lets somebody into the chat. A caller holds the mutex, or is New.
func (s *Simulator) addUser(c *channel, u User) *user {
	if u.ID == "" {
		u.ID = newUserID(c.Kind)
	}
	now := s.nowLocked()
	added := &user{User: u, created: now, active: now}
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
	// ExtID is the code that BotBonnie keeps of him.
	ExtID string `json:"extID,omitempty"`
}

func (u *user) state() UserState { return UserState{User: u.User, Linked: u.linked, ExtID: u.extID} }
