package chatsim

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/url"
	"slices"
	"time"
)

// How long a token is good (LINE: linking-accounts; Messenger: account-linking/authentication).
const (
	lineTokenLife      = 10 * time.Minute
	messengerTokenLife = 5 * time.Minute
)

// Why a token is not taken.
var (
	errTokenUnknown = errors.New("the token is unknown")
	errTokenExpired = errors.New("the token has expired")
	errTokenUsed    = errors.New("the token has been used")
)

// token is a linkToken or an account_linking_token: good for one user, once, for minutes.
type token struct {
	text    string
	channel *channel
	user    *user
	expires time.Time
	used    bool
	// carry is what BotBonnie wants back; empty without BotBonnie.
	carry string
	// redirectURI is Messenger's.
	redirectURI string
}

// issue makes a token for the user. A caller holds the mutex.
func (s *Simulator) issue(c *channel, u *user) *token {
	t := &token{channel: c, user: u}
	if c.Kind == LINE {
		t.text = random(24) // 32 characters
		t.expires = s.nowLocked().Add(lineTokenLife)
	} else {
		t.text = "AR" + random(80)
		t.expires = s.nowLocked().Add(messengerTokenLife)
		t.redirectURI = s.config.URL + linkingPath + "/?account_linking_token=" + url.QueryEscape(t.text)
	}
	if c.BotBonnie != nil {
		// Every character that a careless way back would change.
		t.carry = "c+" + random(12) + "/=%2B &?#é;"
	}
	s.tokens[t.text] = t
	return t
}

// valid returns the token if it can still be spent. A caller holds the mutex.
func (s *Simulator) valid(text string) (*token, error) {
	t := s.tokens[text]
	switch {
	case t == nil:
		return nil, errTokenUnknown
	case t.used:
		return nil, errTokenUsed
	case !s.nowLocked().Before(t.expires):
		return nil, errTokenExpired
	}
	return t, nil
}

// loginURL is what the platform opens when the user taps Log in: the address that the company has given, with the platform's
// parameters.
func (t *token) loginURL(address string) string {
	pairs := []string{}
	if t.carry != "" {
		pairs = append(pairs, "userId", t.user.ID, "pageId", t.channel.PageID, "carry", t.carry)
	}
	if t.channel.Kind == LINE {
		pairs = append(pairs, "linkToken", t.text)
	} else {
		pairs = append(pairs, "account_linking_token", t.text, "redirect_uri", t.redirectURI)
	}
	return appendQuery(address, pairs...)
}

// appendQuery adds pairs of a name and a value to a URL that may have a query already.
func appendQuery(raw string, pairs ...string) string {
	separator := "?"
	if u, err := url.Parse(raw); err == nil && u.RawQuery != "" {
		separator = "&"
	}
	for pair := range slices.Chunk(pairs, 2) {
		raw += separator + url.QueryEscape(pair[0]) + "=" + url.QueryEscape(pair[1])
		separator = "&"
	}
	return raw
}

// authorizeURL is the login URL that was registered with BotBonnie, or stands in a bot's messages.
func (c *channel) authorizeURL() string { return c.Server + "/authorize" }

// random returns base64url of n random bytes.
func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// randomUint64 is a number that nobody can guess.
func randomUint64() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // as above
	return binary.NativeEndian.Uint64(b[:])
}
