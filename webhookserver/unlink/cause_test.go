package unlink_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/unlink"
)

// C74: what the status of an answer means, and what it means that there is none.
func TestCauses(t *testing.T) {
	for _, c := range []struct {
		reason outbound.Reason
		status int
		want   unlink.Cause
	}{
		{outbound.BadStatus, 400, unlink.Rejected},
		{outbound.BadStatus, 401, unlink.CredentialsRejected},
		{outbound.BadStatus, 403, unlink.CredentialsRejected},
		{outbound.BadStatus, 404, unlink.Rejected},
		{outbound.BadStatus, 408, unlink.UpstreamFailed},
		{outbound.BadStatus, 410, unlink.Rejected},
		{outbound.BadStatus, 422, unlink.Rejected},
		{outbound.BadStatus, 425, unlink.UpstreamFailed},
		{outbound.BadStatus, 429, unlink.RateLimited},
		{outbound.BadStatus, 500, unlink.UpstreamFailed},
		{outbound.BadStatus, 599, unlink.UpstreamFailed},
		{outbound.BadStatus, 100, unlink.UpstreamFailed},
		{outbound.Redirected, 302, unlink.UpstreamFailed},
		{outbound.TooLarge, 200, unlink.UpstreamFailed},
		{outbound.BadContent, 200, unlink.UpstreamFailed},
		{outbound.RateLimited, 0, unlink.Paused}, // by our own bucket
		{outbound.CircuitOpen, 0, unlink.Paused},
		{outbound.DNSFailed, 0, unlink.Unreachable},
		{outbound.ConnectFailed, 0, unlink.Unreachable},
		{outbound.TLSFailed, 0, unlink.Unreachable},
		{outbound.ConnectionLost, 0, unlink.Unreachable},
		{outbound.TimedOut, 0, unlink.Unreachable},
	} {
		got := unlink.Failure(&outbound.Error{Reason: c.reason, Status: c.status})
		if diff := cmp.Diff(&unlink.CallError{Cause: c.want, Status: c.status}, got); diff != "" {
			t.Errorf("%s %d (-want +got)\n%s", c.reason, c.status, diff)
		}
	}
	if got := unlink.Failure(errors.New("of a ledger")); got != nil {
		t.Errorf("no error of a call became %v", got)
	}
}
