package status

import "fmt"

// UnlinkAll is how far the unlinking of all users has come that goes before a deletion.
type UnlinkAll struct {
	// Known: the server has said how far it is.
	Known bool
	// Done: nobody is left who could be unlinked.
	Done   bool
	Counts UnlinkCounts
}

// message tells the progress. Its numbers change with each answer of the server, which is asked every few seconds at most.
func (u UnlinkAll) message() string {
	if !u.Known {
		return "The ChannelLink is being deleted: its server is asked to unlink every user first"
	}
	return fmt.Sprintf("The ChannelLink is being deleted: %d of %d users are unlinked", u.Counts.linked()-u.Counts.Waiting, u.Counts.linked())
}

// Finished says how it ended, for an Event.
func (u UnlinkAll) Finished() string {
	if u.Counts.Failed > 0 {
		return fmt.Sprintf("Every link is revoked; the platform refuses to unlink %d of %d users and still shows them as linked", u.Counts.Failed, u.Counts.linked())
	}
	return fmt.Sprintf("All users are unlinked (%d)", u.Counts.linked())
}

// GivenUp says what is left when the time is over, for an Event.
func (u UnlinkAll) GivenUp() string {
	if !u.Known {
		return "spec.unlinkAllTimeoutSeconds have passed and the server did not answer: nobody was unlinked at the platform. The volume is kept"
	}
	return fmt.Sprintf("spec.unlinkAllTimeoutSeconds have passed: the platform still shows %d of %d users as linked. The volume is kept",
		u.Counts.Waiting+u.Counts.Failed, u.Counts.linked())
}
