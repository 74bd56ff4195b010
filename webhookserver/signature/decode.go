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

// inspect walks through the body before anything is built of it, so that what it costs to
// read is known. It judges depth, size and keys alone, and allocates next to nothing;
// whether the rest is JSON is for json.Unmarshal to say.
func inspect(body []byte) error {
	// encoding/json would put U+FFFD for what is not UTF-8, and make two names one.
	if !utf8.Valid(body) {
		return ErrNotJSON
	}
	// With room for what most bodies have, so that it need not grow.
	w := walk{body: body, open: make([]container, 0, 8), keys: make([][]byte, 0, 16)}
	for w.at < len(body) && w.err == nil {
		w.step()
		if w.ended {
			break
		}
	}
	return w.err
}

// walk is where an inspection stands.
type walk struct {
	body   []byte
	at     int
	values int
	open   []container
	keys   [][]byte // of the open objects, one behind the other
	ended  bool     // the value that was begun first is complete
	err    error
}

// container is an object or an array that is being read.
type container struct {
	object  bool
	wantKey bool
	first   int                 // where its keys begin
	many    map[string]struct{} // its keys, once there are too many to look through
}

// manyKeys is how many keys are looked through one by one.
const manyKeys = 32

// step takes a bracket, a string, or what lies between them.
func (w *walk) step() {
	switch c := w.body[w.at]; c {
	case '{', '[':
		w.value()
		if len(w.open) == maxDepth {
			w.err = ErrTooComplex
			return
		}
		w.open = append(w.open, container{object: c == '{', wantKey: c == '{', first: len(w.keys)})
		w.at++
	case '}', ']':
		w.close(c == '}')
		w.at++
	case '"':
		w.text()
	case ',':
		if n := len(w.open); n > 0 {
			w.open[n-1].wantKey = w.open[n-1].object
		}
		w.at++
	case ':', ' ', '\t', '\r', '\n':
		w.at++
	default:
		w.value()
		for w.at < len(w.body) && !punctuation[w.body[w.at]] {
			w.at++
		}
	}
}

// punctuation ends a number or a word.
var punctuation = [256]bool{
	'{': true, '}': true, '[': true, ']': true, '"': true, ',': true, ':': true, ' ': true, '\t': true, '\r': true, '\n': true,
}

// value counts.
func (w *walk) value() {
	if w.values++; w.values > maxValues {
		w.err = ErrTooComplex
	}
}

func (w *walk) close(object bool) {
	n := len(w.open) - 1
	if n < 0 || w.open[n].object != object {
		w.err = ErrNotJSON
		return
	}
	w.keys = w.keys[:w.open[n].first]
	w.open = w.open[:n]
	w.ended = n == 0
}

// text takes a string, which is a key or a value.
func (w *walk) text() {
	w.value()
	begin, escaped := w.at, false
	for w.at++; w.at < len(w.body) && w.body[w.at] != '"'; w.at++ {
		if w.body[w.at] == '\\' {
			escaped = true
			w.at++
		}
	}
	w.at++
	if w.at > len(w.body) {
		w.err = ErrNotJSON // no end
		return
	}
	n := len(w.open) - 1
	if n < 0 || !w.open[n].wantKey {
		return
	}
	w.open[n].wantKey = false
	key := w.body[begin+1 : w.at-1]
	if escaped { // one name can be written in many ways
		var name string
		if json.Unmarshal(w.body[begin:w.at], &name) != nil {
			w.err = ErrNotJSON
			return
		}
		key = []byte(name)
	}
	if !w.take(&w.open[n], key) {
		w.err = ErrDuplicateKey
	}
}

// take notes a key of the innermost object. It reports false when that has it already.
func (w *walk) take(c *container, key []byte) bool {
	if c.many == nil {
		for _, have := range w.keys[c.first:] {
			if bytes.Equal(have, key) {
				return false
			}
		}
		if w.keys = append(w.keys, key); len(w.keys)-c.first > manyKeys {
			c.many = make(map[string]struct{}, 4*manyKeys)
			for _, have := range w.keys[c.first:] {
				c.many[string(have)] = struct{}{}
			}
		}
		return true
	}
	if _, there := c.many[string(key)]; there {
		return false
	}
	c.many[string(key)] = struct{}{}
	return true
}
