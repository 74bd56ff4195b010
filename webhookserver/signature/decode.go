package signature

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// Bounds of a body's JSON. Meta sends at most 1000 updates at once, of some 20 values
// each and less than ten levels deep.
const (
	maxDepth  = 64
	maxValues = 100_000
)

// Errors of [Verified.Decode], for errors.Is. They quote nothing of the body.
var (
	// ErrNotJSON: the body is not one JSON value of the expected form in UTF-8.
	ErrNotJSON = errors.New("body is not JSON of the expected form")
	// ErrDuplicateKey: an object has a key twice, and readers differ in which one counts.
	ErrDuplicateKey = errors.New("body has a key twice in one object")
	// ErrTooComplex: the body is deeper, or has more values, than any that a platform sends.
	ErrTooComplex = errors.New("body is too deep or has too many values")
)

// Decode reads the body's JSON into value. It is as lenient as platforms ask for with
// members that nobody knows, and refuses what two readers could understand
// differently or what only an attack would hold.
func (v Verified) Decode(value any) error {
	if err := inspect(v.body); err != nil {
		return err
	}
	if err := json.Unmarshal(v.body, value); err != nil {
		return ErrNotJSON
	}
	return nil
}

// inspect reads the body token by token, so that its cost is known before anything is
// built of it.
func inspect(body []byte) error {
	// encoding/json would put U+FFFD for what is not UTF-8, and make two names one.
	if !utf8.Valid(body) {
		return ErrNotJSON
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // a number may be larger than any type of Go's
	var open []container
	for values := 0; ; values++ {
		if values > maxValues {
			return ErrTooComplex
		}
		token, err := decoder.Token()
		if err != nil {
			return ErrNotJSON
		}
		if delim, ok := token.(json.Delim); ok && (delim == ']' || delim == '}') {
			open = open[:len(open)-1]
		} else {
			if len(open) > 0 && !open[len(open)-1].take(token) {
				return ErrDuplicateKey
			}
			if ok {
				if len(open) == maxDepth {
					return ErrTooComplex
				}
				open = append(open, newContainer(delim))
			}
		}
		if len(open) == 0 {
			return nil // what follows is for json.Unmarshal to refuse
		}
	}
}

// container is an object or an array that is being read.
type container struct {
	keys    map[string]struct{} // nil in an array
	wantKey bool
}

func newContainer(delim json.Delim) container {
	if delim == '{' {
		return container{keys: map[string]struct{}{}, wantKey: true}
	}
	return container{}
}

// take notes a token of the container's own level. It reports false when that is a key
// which the object has already.
func (c *container) take(token json.Token) bool {
	if c.keys == nil {
		return true
	}
	if !c.wantKey {
		c.wantKey = true
		return true
	}
	c.wantKey = false
	key, _ := token.(string)
	if _, there := c.keys[key]; there {
		return false
	}
	c.keys[key] = struct{}{}
	return true
}
