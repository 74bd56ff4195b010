package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"channellink.dev/operator/webhookserver/link"
)

// Reason says why a call failed. The set is closed, so a reason may stand in a
// status, an event or a metric. A Reason is itself an error, for errors.Is.
type Reason string

// The reasons of failed calls.
const (
	Unreachable         Reason = "Unreachable"         // no connection to the database
	TimedOut            Reason = "TimedOut"            // no answer in time
	CredentialsRejected Reason = "CredentialsRejected" // user, password or rights
	DatabaseMissing     Reason = "DatabaseMissing"     // the server has no such database
	InvalidDSN          Reason = "InvalidDSN"          // the connection string cannot be read
	Overloaded          Reason = "Overloaded"          // no connection or memory left in the database
	Busy                Reason = "Busy"                // a lock was not free in time
	ReadOnly            Reason = "ReadOnly"            // a standby, or a volume mounted read-only
	Full                Reason = "Full"                // no space left
	IOFailed            Reason = "IOFailed"            // a file cannot be opened, read or written
	Corrupt             Reason = "Corrupt"             // the file is damaged or not a database
	InUse               Reason = "InUse"               // another process has the SQLite file
	SchemaTooNew        Reason = "SchemaTooNew"        // a newer server took away what this one needs
	SchemaTooOld        Reason = "SchemaTooOld"        // no server of this version has opened the database yet
	MigrationFailed     Reason = "MigrationFailed"     // the schema could not be brought up to date
	Refused             Reason = "Refused"             // the database takes no such statement: after a bad restore, a table is missing
	Canceled            Reason = "Canceled"            // the caller gave up
	Failed              Reason = "Failed"              // anything else: a fault of this program, or of what it was to store
)

// Error returns the reason's name.
func (r Reason) Error() string { return string(r) }

// Error is a failed call. It holds no text of the database's.
type Error struct {
	Op     string // what was tried
	Reason Reason
	Code   string // SQLSTATE, or SQLite's result code; may be empty
	Note   string // a sentence of this package's, for whoever has to act
}

// Error returns one line: what was tried, the reason, the code and the note.
func (e *Error) Error() string {
	text := fmt.Sprintf("store: %s: %s", e.Op, e.Reason)
	if e.Code != "" {
		text += " (" + e.Code + ")"
	}
	if e.Note != "" {
		text += ": " + e.Note
	}
	return text
}

// Is reports whether target is the error's [Reason], or the error of package link
// or context that it stands for.
func (e *Error) Is(target error) bool {
	switch target {
	case e.Reason:
		return true
	case link.ErrUnavailable:
		return e.Reason != Canceled && e.Reason != Failed
	case context.Canceled:
		return e.Reason == Canceled
	}
	return false
}

// ReasonOf returns the reason of the first [Error] in err's chain, or "".
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// errReadOnly is what a ping found, as opposed to what the driver returned.
var errReadOnly = errors.New("read-only")

// wrap finds out what err means: first for any database, then for this one.
func wrap(op string, err error, classify func(error) (Reason, string)) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	e := &Error{Op: op}
	switch {
	case errors.Is(err, errReadOnly):
		e.Reason = ReadOnly
		return e
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		e.Reason = TimedOut
		return e
	case errors.Is(err, context.Canceled):
		e.Reason = Canceled
		return e
	}
	e.Reason, e.Code = classify(err)
	if e.Reason == "" {
		e.Reason = Failed
		if _, ok := errors.AsType[net.Error](err); ok {
			e.Reason = Unreachable
		}
	}
	return e
}
