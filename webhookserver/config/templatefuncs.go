package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// functions replace those of text/template: comparisons that know the backend's numbers, and printing that is bounded.
var functions = map[string]any{
	"eq": equalAny,
	"ne": func(a, b any) (bool, error) { same, err := equal(a, b); return !same, err },
	"lt": func(a, b any) (bool, error) { n, err := compare(a, b); return n < 0, err },
	"le": func(a, b any) (bool, error) { n, err := compare(a, b); return n <= 0, err },
	"gt": func(a, b any) (bool, error) { n, err := compare(a, b); return n > 0, err },
	"ge": func(a, b any) (bool, error) { n, err := compare(a, b); return n >= 0, err },

	"print":  func(args ...any) (string, error) { return printed(args, func() string { return fmt.Sprint(args...) }) },
	"printf": printf,
}

var errIncomparable = errors.New("values cannot be compared")

// equalAny reports whether the first argument equals any of the others.
func equalAny(first any, others ...any) (bool, error) {
	if len(others) == 0 {
		return false, errIncomparable
	}
	for _, other := range others {
		if same, err := equal(first, other); same || err != nil {
			return same, err
		}
	}
	return false, nil
}

func equal(a, b any) (bool, error) {
	switch a.(type) {
	case nil, bool, string:
		if kind := reflect.ValueOf(b).Kind(); kind == reflect.Map || kind == reflect.Slice {
			return false, nil // which == would not take
		}
		return a == b, nil
	}
	switch b.(type) {
	case nil, bool, string:
		return false, nil
	}
	n, err := compare(a, b)
	return n == 0, err
}

// compare orders two numbers, whatever their types, or two strings.
func compare(a, b any) (int, error) {
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	}
	x, ok := asFloat(a)
	y, also := asFloat(b)
	switch {
	case !ok || !also:
		return 0, errIncomparable
	case x < y:
		return -1, nil
	case x > y:
		return 1, nil
	default:
		return 0, nil
	}
}

func asFloat(v any) (float64, bool) {
	switch r := reflect.ValueOf(v); {
	case r.CanFloat():
		return r.Float(), true
	case r.CanInt():
		return float64(r.Int()), true
	default:
		return 0, false
	}
}

// wideVerb finds a width or precision that is no layout of a chat message.
var wideVerb = regexp.MustCompile(`%[^%a-zA-Z]*(\*|[0-9]{3})`)

var errUnprintable = errors.New("cannot be printed")

func printf(format string, args ...any) (string, error) {
	if wideVerb.MatchString(format) {
		return "", errUnprintable
	}
	return printed(args, func() string { return fmt.Sprintf(format, args...) })
}

// printed is a text made of arguments, unless one of them is a list or an object, which nobody wants to read, or does not
// fit its verb.
func printed(args []any, text func() string) (string, error) {
	for _, arg := range args {
		switch reflect.ValueOf(arg).Kind() {
		case reflect.Map, reflect.Slice, reflect.Invalid:
			return "", errUnprintable
		}
	}
	made := text()
	if strings.Contains(made, "%!") || len(made) > templateOutput {
		return "", errUnprintable
	}
	return made, nil
}
