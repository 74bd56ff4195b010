package link

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Ruling is what a [Confirmation] does to stored links.
type Ruling struct {
	Outcome Outcome
	// Activate is the link as it is to be stored, nil when none becomes active.
	Activate *Link
	// Remove are links that end, and Why for the audit trail.
	Remove []Link
	Why    string
}

// Reasons for the audit trail.
const (
	WhyReplaced = "replaced by a newer link"
	WhyBurnt    = "the platform refused the link or named another user"
	WhyOutdated = "a later event was known"
	WhyTooMany  = "the person has as many links as allowed"
	WhyRevoked  = "the login began before a revocation"
)

// Judge rules on a confirmation. Named are all links of the channel with its code: one, or several when codes are stable.
// Active is the active link of the confirmation's chat user, nil without one, and unlinkedAt the newest known unlinking of
// that user. Judge knows no clock: the event's own time alone decides, so that events converge whatever order they come
// in. An unlinking of the same moment wins over a link: nobody stays linked in doubt.
func Judge(c Confirmation, named []Link, active *Link, unlinkedAt time.Time) Ruling {
	if !c.OK {
		return refuse(c, named)
	}
	if c.UserID == "" {
		return Ruling{Outcome: Unknown}
	}
	link, ok := candidate(c, named)
	switch {
	case ok:
		return activate(c, link, active, unlinkedAt)
	case slices.ContainsFunc(named, func(l Link) bool { return l.State == Active && l.UserID == c.UserID }):
		return Ruling{Outcome: Repeated}
	case slices.ContainsFunc(named, func(l Link) bool { return l.UserID == c.UserID && l.confirmable() }):
		return Ruling{Outcome: Late}
	default:
		return refuse(c, named)
	}
}

// candidate is the link that the confirmation is for: pending for this very user, else active by login alone, else
// pending for nobody in particular; of several the newest.
func candidate(c Confirmation, named []Link) (Link, bool) {
	rank := func(l Link) int {
		switch {
		case !l.confirmable() || !l.InWindow(c.At):
			return 0
		case l.UserID == c.UserID && l.State == Pending:
			return 3
		case l.UserID == c.UserID:
			return 2
		case l.UserID == "":
			return 1
		}
		return 0
	}
	if len(named) == 0 {
		return Link{}, false
	}
	best := slices.MaxFunc(named, func(a, b Link) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.compareAge(b))
	})
	return best, rank(best) > 0
}

func activate(c Confirmation, l Link, active *Link, unlinkedAt time.Time) Ruling {
	before := l
	l.UserID, l.State, l.Confirmed, l.LinkedAt = c.UserID, Active, true, c.At
	replaces := active != nil && active.ID != l.ID
	if !c.At.After(unlinkedAt) || replaces && active.compareAge(l) > 0 {
		if before.State == Active { // what the login activated later than that unlinking stays as it is
			return Ruling{Outcome: Outdated}
		}
		return Ruling{Outcome: Outdated, Remove: []Link{before}, Why: WhyOutdated}
	}
	r := Ruling{Outcome: Activated, Activate: &l}
	if replaces {
		r.Remove, r.Why = []Link{*active}, WhyReplaced
	}
	return r
}

// refuse burns the links that the code names and that another user, or the platform's no, came for.
func refuse(c Confirmation, named []Link) Ruling {
	r := Ruling{Outcome: Unknown}
	for _, l := range named {
		theirs := !c.OK && c.UserID != "" && l.UserID != "" && l.UserID != c.UserID // a stable code's other chat users
		switch {
		case !l.confirmable() || theirs:
		case l.InWindow(c.At):
			r.Outcome, r.Why = Burnt, WhyBurnt
			r.Remove = append(r.Remove, l)
		case r.Outcome == Unknown:
			r.Outcome = Late
		}
	}
	return r
}

// confirmable tells whether a platform's word about the link is still to come.
func (l Link) confirmable() bool {
	return l.State == Pending || l.State == Active && !l.Confirmed
}

// compareAge orders links from older to younger by their own times; the ID decides between equal ones, so that all
// replicas agree.
func (l Link) compareAge(other Link) int {
	return cmp.Or(l.LinkedAt.Compare(other.LinkedAt), l.ConsentAt.Compare(other.ConsentAt), strings.Compare(l.ID, other.ID))
}

// Deny turns a ruling that activates into one that does not: because the person has as many links as
// linking.maxLinksPerSubject allows ([TooMany]), or because the login began before a revocation ([Revoked]). Named are the
// links as they are stored; the active link of the chat user stays.
func (r Ruling) Deny(outcome Outcome, named []Link) Ruling {
	denied := Ruling{Outcome: outcome, Why: WhyTooMany}
	if outcome == Revoked {
		denied.Why = WhyRevoked
	}
	for _, l := range named {
		if l.ID == r.Activate.ID {
			denied.Remove = []Link{l}
		}
	}
	return denied
}
