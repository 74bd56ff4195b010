// Package event holds what happened to a link, in words that no platform owns. The packages of the platforms make events out
// of verified requests; package link takes them.
package event

import "time"

// Kind says what happened.
type Kind string

// The kinds.
const (
	// Linked: the platform confirms a link; Code names it.
	Linked Kind = "linked"
	// Refused: the platform refuses a link; Code names it, and it confirms nothing any more.
	Refused Kind = "refused"
	// Unlinked: the chat user has unlinked.
	Unlinked Kind = "unlinked"
)

// Event is one thing that happened to a link, from a verified request.
type Event struct {
	Kind Kind
	// ID is the same each time the platform sends the event; it is unique within the channel.
	ID string
	// UserID is the chat user; empty where the platform does not say.
	UserID string
	// Code is the nonce or authorization_code; empty with Unlinked.
	Code string
	// At is the event's own time.
	At time.Time
}
