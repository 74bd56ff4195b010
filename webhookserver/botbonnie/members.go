package botbonnie

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"unicode/utf8"
)

// errUnknown is what a reader says of a member that it does not know.
var errUnknown = errors.New("unknown member")

// members reads one JSON object and calls take with each member. Names count to the
// letter, and once: encoding/json alone takes TEXT for text, and the last of two. A
// member that is null is as good as absent.
func members(data []byte, take func(name string, value []byte) error) error {
	if !utf8.Valid(data) {
		return &MessageError{Problem: NotJSON}
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return &MessageError{Problem: NotJSON}
	}
	var taken []string
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		var value json.RawMessage
		if err != nil || !ok || decoder.Decode(&value) != nil {
			return &MessageError{Problem: NotJSON}
		}
		if slices.Contains(taken, name) { // of few: an unknown one ends the reading
			return &MessageError{Problem: TwiceMember}
		}
		taken = append(taken, name)
		if string(value) == "null" {
			value = nil
		}
		switch err := take(name, value); {
		case errors.Is(err, errUnknown):
			return &MessageError{Problem: UnknownMember} // without its name, which somebody else has chosen
		case err != nil:
			return below(name, err)
		}
	}
	if _, err := decoder.Token(); err != nil { // the closing brace
		return &MessageError{Problem: NotJSON}
	}
	if len(bytes.TrimSpace(data[decoder.InputOffset():])) > 0 {
		return &MessageError{Problem: NotJSON}
	}
	return nil
}

// readText reads a string.
func readText(value []byte, into *string) error {
	if value == nil {
		return nil
	}
	if value[0] != '"' || json.Unmarshal(value, into) != nil {
		return &MessageError{Problem: WrongType}
	}
	return nil
}

// part is what a message consists of.
type part[T any] interface {
	*T
	read(data []byte) error
	check() error
}

// readList reads an array of parts, of which there are few.
func readList[T any, P part[T]](value []byte, bound int, into *[]T) error {
	if value == nil {
		return nil
	}
	var items []json.RawMessage
	if value[0] != '[' || json.Unmarshal(value, &items) != nil {
		return &MessageError{Problem: WrongType}
	}
	if len(items) > bound {
		return &MessageError{Problem: TooLong}
	}
	for _, item := range items {
		var read T
		if err := P(&read).read(item); err != nil {
			return err
		}
		*into = append(*into, read)
	}
	return nil
}

// each checks the parts of a list.
func each[T any, P part[T]](name string, parts []T) error {
	for i := range parts {
		if err := P(&parts[i]).check(); err != nil {
			return below(name, err)
		}
	}
	return nil
}
