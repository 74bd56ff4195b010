package adminapi

import (
	"strings"
	"time"
	"unicode/utf8"
)

// The bounds of what is believed of an unlinking.
const (
	maxUnlinkIDLength = 128
	maxMaskedLength   = 32 // characters; what a mask leaves has 9
	maxRetryAfter     = 24 * time.Hour

	mask = "…"
)

// IsUnlinkID reports whether an id can name an unlinking: 1 to 128 letters, digits and hyphens, as a UID has them.
func IsUnlinkID(s string) bool { return len(s) <= maxUnlinkIDLength && consistsOf(s, alphanumeric+"-") }

// isMasked reports whether s is an id of which a few characters are left. Something must be left out of it, so that no
// whole id passes.
func isMasked(s string) bool {
	return utf8.RuneCountInString(s) <= maxMaskedLength && strings.Count(s, mask) == 1 &&
		consistsOf(s, alphanumeric+"-_.:"+mask)
}

// known is for an UnlinkResult what Status.known is for a Status. Epoch is the one that was asked for: the only text that
// the answer repeats.
func (r UnlinkResult) known(epoch string, now time.Time) UnlinkResult {
	out := UnlinkResult{
		StartedAt:         r.StartedAt.UTC(),
		Attempts:          max(r.Attempts, 0),
		Cause:             r.Cause.known(),
		More:              r.More,
		RetryAfterSeconds: min(max(r.RetryAfterSeconds, 0), int32(maxRetryAfter/time.Second)),
		Counts:            r.Counts.known(),
	}
	if out.StartedAt.After(now) { // a clock that is a little ahead, or a deadline that is to be put off
		out.StartedAt = now.UTC()
	}
	if r.Epoch == epoch {
		out.Epoch = epoch
	}
	for _, u := range r.Users[:min(len(r.Users), MaxUnlinkUsers)] {
		out.Users = append(out.Users, u.known())
	}
	return out
}

func (u UnlinkUser) known() UnlinkUser {
	out := UnlinkUser{
		User:     only(isMasked, u.User),
		State:    oneOf(u.State, UnlinkUnknown, UnlinkWaiting, UnlinkDone, UnlinkNotLinked, UnlinkSuperseded, UnlinkFailed),
		Cause:    u.Cause.known(),
		Attempts: max(u.Attempts, 0),
	}
	if u.HTTPStatus >= 100 && u.HTTPStatus <= maxHTTPStatus {
		out.HTTPStatus = u.HTTPStatus
	}
	return out
}

func (c UnlinkCause) known() UnlinkCause {
	if c == "" {
		return ""
	}
	return oneOf(c, UnlinkCauseUnknown,
		UnlinkRejected, UnlinkActionsNotSupported, UnlinkCredentialsRejected, UnlinkCredentialsMissing, UnlinkRateLimited,
		UnlinkUpstreamFailed, UnlinkUnreachable, UnlinkPaused, UnlinkBusy, UnlinkStoreUnavailable)
}

func (c UnlinkCounts) known() UnlinkCounts {
	return UnlinkCounts{
		Waiting: max(c.Waiting, 0), Unlinked: max(c.Unlinked, 0), NotLinked: max(c.NotLinked, 0),
		Superseded: max(c.Superseded, 0), Failed: max(c.Failed, 0),
	}
}
