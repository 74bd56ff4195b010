package link

import "errors"

// The errors of a [Store], for errors.Is. Their texts hold no stored value.
var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable: the database cannot serve now, or could not within the
	// time limit. Nothing was acknowledged; trying again may help.
	ErrUnavailable = errors.New("store unavailable")
	// ErrSealed: a value is sealed with an encryption key that was not given.
	ErrSealed = errors.New("sealed with an encryption key that is not given")
)
