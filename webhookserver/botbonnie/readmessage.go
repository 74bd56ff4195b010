package botbonnie

import "strings"

// The types of messages, buttons and quick replies (BotBonnie, message formats).
const (
	typeText    = "text"
	typeImage   = "image"
	typeGallery = "gallery"
	typeVideo   = "video"
	typeAudio   = "audio"

	typePostback = "postback"
	typeWebURL   = "web_url"
)

// MessageProblem says why something is no message. The set is closed.
type MessageProblem string

// The problems of messages.
const (
	NotJSON       MessageProblem = "not one JSON object in UTF-8"
	UnknownMember MessageProblem = "has a member that no such message has"
	TwiceMember   MessageProblem = "has a member twice"
	WrongType     MessageProblem = "is of another type than documented"
	UnknownType   MessageProblem = "names no type that BotBonnie knows"
	Absent        MessageProblem = "is absent or blank"
	TooLong       MessageProblem = "is longer than BotBonnie or the platform takes"
	NotHTTPS      MessageProblem = "is no https URL"
	NotWebURL     MessageProblem = "is no URL of a web page"
)

// MessageError says which member of a message is at fault. It holds no text of the
// message.
type MessageError struct {
	// Member as a path of documented names, such as cards.buttons.value; empty for the
	// message as a whole.
	Member  string
	Problem MessageProblem
}

// Error names the member and what is wrong with it.
func (e *MessageError) Error() string {
	if e.Member == "" {
		return "message " + string(e.Problem)
	}
	return "message: " + e.Member + " " + string(e.Problem)
}

// below puts the name of the member before the path of an error inside it.
func below(name string, err error) error {
	if e, ok := err.(*MessageError); ok { //nolint:errorlint // made here, and never wrapped
		return &MessageError{Member: strings.TrimSuffix(name+"."+e.Member, "."), Problem: e.Problem}
	}
	return err
}

// ReadMessage reads a message that somebody else has written, in exactly the documented
// shapes: text, image, gallery, video and audio, with buttons and quick replies where
// they may be. It is stricter than BotBonnie, of which nobody knows what it does with
// the rest. The error is a [MessageError].
func ReadMessage(data []byte) (Message, error) {
	var m Message
	if err := m.read(data); err != nil {
		return Message{}, err
	}
	if err := m.check(); err != nil {
		return Message{}, err
	}
	return m, nil
}

func (m *Message) read(data []byte) error {
	return members(data, func(name string, value []byte) error {
		switch name {
		case "type":
			return readText(value, &m.Type)
		case "text":
			return readText(value, &m.Text)
		case "imageUrl":
			return readText(value, &m.ImageURL)
		case "videoUrl":
			return readText(value, &m.VideoURL)
		case "audioUrl":
			return readText(value, &m.AudioURL)
		case "cards":
			return readList(value, maxCards, &m.Cards)
		case "buttons":
			return readList(value, maxButtons, &m.Buttons)
		case "quickReplies":
			return readList(value, maxQuickReplies, &m.QuickReplies)
		default:
			return errUnknown
		}
	})
}

func (c *Card) read(data []byte) error {
	return members(data, func(name string, value []byte) error {
		switch name {
		case "title":
			return readText(value, &c.Title)
		case "subtitle":
			return readText(value, &c.Subtitle)
		case "imageUrl":
			return readText(value, &c.ImageURL)
		case "buttons":
			return readList(value, maxButtons, &c.Buttons)
		default:
			return errUnknown
		}
	})
}

func (b *Button) read(data []byte) error {
	return members(data, func(name string, value []byte) error {
		switch name {
		case "title":
			return readText(value, &b.Title)
		case "type":
			return readText(value, &b.Type)
		case "value":
			return readText(value, &b.Value)
		default:
			return errUnknown
		}
	})
}

func (q *QuickReply) read(data []byte) error {
	return members(data, func(name string, value []byte) error {
		switch name {
		case "title":
			return readText(value, &q.Title)
		case "type":
			return readText(value, &q.Type)
		case "payload":
			return readText(value, &q.Payload)
		default:
			return errUnknown
		}
	})
}
