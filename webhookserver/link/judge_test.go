package link

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Rulings that a store can hardly be brought to, or where what is removed matters as much as the outcome. The suite in
// linktest has the others, by way of a database.
func TestJudge(t *testing.T) {
	consent := time.Date(2026, 1, 31, 9, 30, 0, 0, time.UTC)
	pending := func(id, userID string) Link {
		return Link{ID: id, UserID: userID, State: Pending, ConsentAt: consent, ExpiresAt: consent.Add(LINETokenLife)}
	}
	active := func(id, userID string, confirmed bool, after time.Duration) Link {
		l := pending(id, userID)
		l.State, l.Confirmed, l.LinkedAt = Active, confirmed, consent.Add(after)
		return l
	}
	unlinking := pending("u", "U1")
	unlinking.State = Unlinking
	old := pending("old", "U1")
	old.ConsentAt, old.ExpiresAt = consent.Add(-time.Hour), consent.Add(-50*time.Minute)
	event := func(userID string) Confirmation {
		return Confirmation{UserID: userID, OK: true, At: consent.Add(5 * time.Second)}
	}
	younger := active("younger", "U1", true, 6*time.Second)

	type ruling struct {
		Outcome  Outcome
		Activate string
		Remove   []string
		Why      string
	}
	for _, tc := range []struct {
		reason     string
		c          Confirmation
		named      []Link
		active     *Link
		unlinkedAt time.Time
		want       ruling
	}{
		{reason: "no link of that code", c: event("U1"), want: ruling{Outcome: Unknown}},
		{
			reason: "the login for this very user comes before one for nobody in particular",
			c:      event("U1"), named: []Link{pending("open", ""), pending("own", "U1")},
			want: ruling{Outcome: Activated, Activate: "own"},
		},
		{
			reason: "of two logins with a stable code the one whose time it is",
			c:      event("U1"), named: []Link{old, pending("own", "U1")},
			want: ruling{Outcome: Activated, Activate: "own"},
		},
		{
			reason: "a new login comes before the link that the login alone activated",
			c:      event("U1"), named: []Link{active("now", "U1", false, 0), pending("own", "U1")},
			want: ruling{Outcome: Activated, Activate: "own"},
		},
		{
			reason: "what is late for this user burns nobody else's login with a stable code",
			c:      event("U1"), named: []Link{old, pending("other", "U2")},
			want: ruling{Outcome: Late},
		},
		{
			reason: "another user burns what is still to be confirmed, active by login alone or not",
			c:      event("U1"), named: []Link{active("now", "U2", false, 0), pending("other", "U3")},
			want: ruling{Outcome: Burnt, Remove: []string{"now", "other"}, Why: WhyBurnt},
		},
		{
			reason: "but nothing that the platform has confirmed",
			c:      event("U1"), named: []Link{active("theirs", "U2", true, 0)},
			want: ruling{Outcome: Unknown},
		},
		{
			reason: "a link that is being unlinked is not brought back",
			c:      event("U1"), named: []Link{unlinking},
			want: ruling{Outcome: Unknown},
		},
		{
			reason: "a link active by login, of before an unlinking that is known, is not confirmed but stays",
			c:      event("U1"), named: []Link{active("now", "U1", false, 0)}, unlinkedAt: consent.Add(5 * time.Second),
			want: ruling{Outcome: Outdated},
		},
		{
			reason: "too late for the younger link: the login is over",
			c:      event("U1"), named: []Link{pending("own", "U1")}, active: &younger,
			want: ruling{Outcome: Outdated, Remove: []string{"own"}, Why: WhyOutdated},
		},
	} {
		r := Judge(tc.c, tc.named, tc.active, tc.unlinkedAt)
		got := ruling{Outcome: r.Outcome, Why: r.Why}
		if r.Activate != nil {
			got.Activate = r.Activate.ID
		}
		for _, l := range r.Remove {
			got.Remove = append(got.Remove, l.ID)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", tc.reason, diff)
		}
	}
}
