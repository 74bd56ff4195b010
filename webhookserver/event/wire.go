package event

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"
)

// MaxEvents bounds the linking events of one request: Meta sends at most as many updates at once, and LINE far fewer.
const MaxEvents = 1000

// ErrTooMany: a request holds more than [MaxEvents].
var ErrTooMany = errors.New("more linking events in one request than a platform sends")

// Batch is what one verified request says.
type Batch struct {
	// Events in the order of their own times.
	Events []Event
	// Ours: some part of it, whatever that tells, is about this channel's page or bot.
	Ours bool
	// Foreign counts the parts that are about another page or bot; they have no effect here.
	Foreign int
	// Skipped counts the linking events that do not say what they must. They are passed over, because the platform would
	// send them again and again and hold up the others.
	Skipped int
}

// Add puts an event into the batch.
func (b *Batch) Add(e Event) error {
	if len(b.Events) == MaxEvents {
		return ErrTooMany
	}
	at, _ := slices.BinarySearchFunc(b.Events, e, func(have, e Event) int {
		if have.At.After(e.At) {
			return 1
		}
		return -1 // behind those of the same time
	})
	b.Events = slices.Insert(b.Events, at, e)
	return nil
}

// Decode reads a part of a verified body into value and reports whether it has that form. Why not is nobody's business: a
// part that cannot be read is counted and passed over.
func Decode(part json.RawMessage, value any) bool { return json.Unmarshal(part, value) == nil }

// Mentions reports whether a part of a verified body can hold one of the words: a part without any, and without an escape
// in which one could hide, is about something else. Most are, and need not be decoded.
func Mentions(part json.RawMessage, words ...string) bool {
	if bytes.IndexByte(part, '\\') >= 0 {
		return true
	}
	return slices.ContainsFunc(words, func(word string) bool { return bytes.Contains(part, []byte(word)) })
}

// DerivedID is the ID of an event that the platform gives none, or not one of its own: a hash of what tells it from others.
func DerivedID(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		h.Write(strconv.AppendInt(nil, int64(len(part)), 10))
		h.Write([]byte(":" + part)) // with its length, so that no two lists are written alike
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// ID is an identifier that senders write as a JSON string or as a number. It has at most [maxID] bytes.
type ID string

const maxID = 128

var errID = errors.New("an id is neither a short string nor a whole number")

// UnmarshalJSON implements json.Unmarshaler. A number is taken digit for digit: ids have more of them than a float64 holds.
func (id *ID) UnmarshalJSON(data []byte) error {
	var text string
	if len(data) > 0 && data[0] == '"' {
		if err := json.Unmarshal(data, &text); err != nil {
			return errID
		}
	} else if text = string(data); len(bytes.Trim(data, "0123456789")) > 0 {
		return errID
	}
	if len(text) > maxID {
		return errID
	}
	*id = ID(text)
	return nil
}

// Millis is a time in milliseconds since 1970, 0 when the sender gives none or not a usable one: no event is lost for its
// time.
type Millis int64

// latestMillis is in the year 2286; beyond it a time is a mistake.
const latestMillis = 9_999_999_999_999

// UnmarshalJSON implements json.Unmarshaler. It takes a string of digits too, and has no error.
func (m *Millis) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(string(bytes.Trim(data, `"`)), 10, 64)
	if err != nil || n < 0 || n > latestMillis {
		n = 0
	}
	*m = Millis(n)
	return nil
}

// Or returns the time, or fallback when there is none. A time that has not come yet is fallback as well: no later event
// could ever follow it.
func (m Millis) Or(fallback time.Time) time.Time {
	if t := time.UnixMilli(int64(m)); m > 0 && t.Before(fallback) {
		return t
	}
	return fallback
}
