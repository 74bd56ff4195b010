package botbonnie

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// Bounds of a message. BotBonnie documents the length of a text alone; these are the
// wider of what Messenger and LINE take, so that nothing is refused here which one of
// them would show.
const (
	maxTitle        = 80
	maxSubtitle     = MaxText
	maxPayload      = 300
	maxURL          = 2000
	maxButtons      = 4
	maxCards        = 10
	maxQuickReplies = 13
)

// check judges a message of known members: those that its type needs are there, no
// other is.
func (m *Message) check() error {
	rest := *m
	rest.Type, rest.QuickReplies = "", nil
	var err error
	switch m.Type {
	case typeText:
		rest.Text, rest.Buttons = "", nil
		err = first(need("text", m.Text, MaxText), each("buttons", m.Buttons))
	case typeImage:
		rest.ImageURL = ""
		err = needURL("imageUrl", m.ImageURL)
	case typeVideo:
		rest.VideoURL = ""
		err = needURL("videoUrl", m.VideoURL)
	case typeAudio:
		rest.AudioURL = ""
		err = needURL("audioUrl", m.AudioURL)
	case typeGallery:
		rest.Cards = nil
		if len(m.Cards) == 0 {
			err = &MessageError{Member: "cards", Problem: Absent}
		}
		err = first(err, each("cards", m.Cards))
	default:
		err = &MessageError{Member: "type", Problem: UnknownType}
	}
	if err == nil && !rest.empty() {
		err = &MessageError{Problem: UnknownMember} // known elsewhere, and not in a message of this type
	}
	return first(err, each("quickReplies", m.QuickReplies))
}

func (m *Message) empty() bool {
	return m.Text == "" && m.ImageURL == "" && m.VideoURL == "" && m.AudioURL == "" && len(m.Cards) == 0 && len(m.Buttons) == 0
}

func (c *Card) check() error {
	err := first(need("title", c.Title, maxTitle), short("subtitle", c.Subtitle, maxSubtitle))
	if err == nil && c.ImageURL != "" {
		err = needURL("imageUrl", c.ImageURL)
	}
	return first(err, each("buttons", c.Buttons))
}

func (b *Button) check() error {
	err := need("title", b.Title, maxTitle)
	switch b.Type {
	case typePostback:
		return first(err, need("value", b.Value, maxPayload))
	case typeWebURL:
		return first(err, needWebURL("value", b.Value))
	}
	return first(err, &MessageError{Member: "type", Problem: UnknownType})
}

func (q *QuickReply) check() error {
	err := first(need("title", q.Title, maxTitle), need("payload", q.Payload, maxPayload))
	if err == nil && q.Type != typeText {
		err = &MessageError{Member: "type", Problem: UnknownType}
	}
	return err
}

// need refuses a text that is blank or longer than the bound.
func need(name, value string, bound int) error {
	if strings.TrimSpace(value) == "" {
		return &MessageError{Member: name, Problem: Absent}
	}
	return short(name, value, bound)
}

func short(name, value string, bound int) error {
	if length(value) > bound {
		return &MessageError{Member: name, Problem: TooLong}
	}
	return nil
}

// needURL refuses what is no https URL: the chat platforms fetch no other picture, film or sound.
func needURL(name, value string) error { return needURLOf(name, value, NotHTTPS, "https") }

// needWebURL refuses what is no URL of a web page. The documentation's own button leads to one with http.
func needWebURL(name, value string) error { return needURLOf(name, value, NotWebURL, "https", "http") }

func needURLOf(name, value string, problem MessageProblem, schemes ...string) error {
	if err := need(name, value, maxURL); err != nil {
		return err
	}
	u, err := url.Parse(value)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(value, unprintable) {
		return &MessageError{Member: name, Problem: problem}
	}
	return nil
}

func unprintable(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// first is the first of two errors.
func first(err, next error) error {
	if err != nil {
		return err
	}
	return next
}
