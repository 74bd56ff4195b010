package controllers

import (
	"time"

	"channellink.dev/operator/webhookserver/adminapi"
)

// The pauses between attempts, as docs/reconcile.md has them.
const (
	// firstPause is the longest pause after the first attempt that failed; each further one doubles it, up to lastPause.
	firstPause, lastPause = 10 * time.Second, 6 * time.Minute
	// shortestPause is there because full jitter may also draw none at all.
	shortestPause = time.Second
	// credentialsPause is how often a server is asked whether the platform's token has changed; it answers from memory.
	credentialsPause = time.Minute
	// longestRetryAfter bounds how long a platform may have itself left alone.
	longestRetryAfter = time.Hour
)

// pauseAfter is how long the server is left alone after the reply. lot is drawn from [0, 1): it spreads those that failed
// together.
func pauseAfter(r reply, lot float64) time.Duration {
	switch {
	case r.err == nil && (r.result.Cause == adminapi.UnlinkCredentialsRejected || r.result.Cause == adminapi.UnlinkCredentialsMissing):
		return credentialsPause
	case r.err == nil && r.result.More && r.result.Cause == "":
		return shortestPause // nothing failed: there is more than fits into one attempt
	}
	failures := r.inARow
	if r.epoch == "" {
		// The process may be a new one. Those of a request that was armed anew are not told apart from the earlier ones.
		failures = max(failures, int(r.result.Attempts))
	}
	longest := lastPause
	if doublings := failures - 1; doublings < 6 {
		longest = min(firstPause<<max(doublings, 0), lastPause)
	}
	pause := max(time.Duration(lot*float64(longest)), shortestPause)
	if asked := min(time.Duration(r.result.RetryAfterSeconds)*time.Second, longestRetryAfter); asked > 0 {
		// Never sooner than asked; and not all at that very moment.
		pause = max(pause, asked+time.Duration(lot*float64(asked)/10))
	}
	return pause
}
