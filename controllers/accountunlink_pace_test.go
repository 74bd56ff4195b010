package controllers

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/adminapi"
)

// The pauses of docs/reconcile.md: 10 s doubling to 6 min with full jitter, Retry-After as a minimum, credentials every 60 s. C74
func TestPauses(t *testing.T) {
	after := func(cause adminapi.UnlinkCause, inARow int, attempts, retryAfter int32) reply {
		return reply{inARow: inARow, result: adminapi.UnlinkResult{Cause: cause, More: true, Attempts: attempts, RetryAfterSeconds: retryAfter}}
	}
	const most = 0.9999999
	for _, tc := range []struct {
		reason string
		reply  reply
		lot    float64
		want   time.Duration
	}{
		{"the first failure waits 10 s at most", after(adminapi.UnlinkUpstreamFailed, 1, 1, 0), most, 10 * time.Second},
		{"full jitter draws from nothing on, but not none", after(adminapi.UnlinkUpstreamFailed, 1, 1, 0), 0, time.Second},
		{"half the lot is half the time", after(adminapi.UnlinkUpstreamFailed, 1, 1, 0), 0.5, 5 * time.Second},
		{"the second failure doubles it", after(adminapi.UnlinkUpstreamFailed, 2, 2, 0), most, 20 * time.Second},
		{"the sixth is the last that fits", after(adminapi.UnlinkUpstreamFailed, 6, 6, 0), most, 320 * time.Second},
		{"then it is 6 min", after(adminapi.UnlinkUpstreamFailed, 7, 7, 0), most, 6 * time.Minute},
		{"and stays there", after(adminapi.UnlinkUpstreamFailed, 1000, 1000, 0), most, 6 * time.Minute},
		{"after a restart the attempts of the ledger count", after(adminapi.UnlinkUpstreamFailed, 1, 4, 0), most, 80 * time.Second},
		{"but armed anew it begins anew", reply{inARow: 1, epoch: "again", result: adminapi.UnlinkResult{
			Cause: adminapi.UnlinkUpstreamFailed, More: true, Attempts: 50,
		}}, most, 10 * time.Second},
		{"calls that the server held back count although no attempt was spent", after(adminapi.UnlinkPaused, 3, 0, 0), most, 40 * time.Second},
		{"Retry-After is a minimum", after(adminapi.UnlinkRateLimited, 1, 1, 120), 0, 120 * time.Second},
		{"and those that were told the same do not come at once", after(adminapi.UnlinkRateLimited, 1, 1, 120), most, 132 * time.Second},
		{"a longer pause of our own stays", after(adminapi.UnlinkRateLimited, 7, 7, 10), most, 6 * time.Minute},
		{"nobody has himself left alone for ever", after(adminapi.UnlinkRateLimited, 1, 1, 86400), 0, time.Hour},
		{"a refused token is asked about every 60 s", after(adminapi.UnlinkCredentialsRejected, 50, 1, 0), most, time.Minute},
		{"as one that is not there", after(adminapi.UnlinkCredentialsMissing, 50, 0, 0), 0, time.Minute},
		{"an attempt that did not suffice goes on", after("", 9, 9, 0), most, time.Second},
		{"no answer backs off, too", reply{inARow: 2, err: errors.New("none")}, most, 20 * time.Second},
	} {
		if diff := cmp.Diff(tc.want, pauseAfter(tc.reply, tc.lot).Round(10*time.Millisecond)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
		}
	}
}

// Whatever a server says, it is asked again, and neither at once nor later than an hour and the jitter.
func TestAnyPauseIsBounded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := reply{inARow: rapid.Int().Draw(rt, "in a row"), result: adminapi.UnlinkResult{
			Cause:    rapid.SampledFrom([]adminapi.UnlinkCause{"", adminapi.UnlinkRateLimited, adminapi.UnlinkBusy, adminapi.UnlinkCauseUnknown}).Draw(rt, "cause"),
			More:     rapid.Bool().Draw(rt, "more"),
			Attempts: rapid.Int32().Draw(rt, "attempts"), RetryAfterSeconds: rapid.Int32().Draw(rt, "retryAfter"),
		}}
		pause := pauseAfter(r, rapid.Float64Range(0, 0.999).Draw(rt, "lot"))
		if pause < shortestPause || pause > longestRetryAfter+longestRetryAfter/10 {
			rt.Errorf("pause %s", pause)
		}
	})
}
