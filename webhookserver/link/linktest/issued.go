package linktest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
)

// A token that was issued for a prompt is known by every store of the database, in its own channel, for a while longer
// than it is good; then nothing names its user any more (C60).
func testIssuedTokens(t *testing.T, open Open) {
	store := open(t)
	issued := link.Issued{Channel: vision, Token: link.HashCode("NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY"), UserID: "U1", ExpiresAt: moment.Add(link.LINETokenLife)}
	if err := store.PutIssued(t.Context(), issued); err != nil {
		t.Fatal(err)
	}
	closeStore(t, store)

	again := open(t)
	want := func(reason string, channel link.ChannelID, token link.CodeHash, want error) {
		t.Helper()
		got, err := again.IssuedToken(t.Context(), channel, token)
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", reason, err, want)
		}
		if want == nil {
			if diff := cmp.Diff(issued, got, compare); diff != "" {
				t.Errorf("%s: %s", reason, diff)
			}
		}
	}
	want("in its channel", vision, issued.Token, nil)
	want("in another channel", another, issued.Token, link.ErrNotFound)
	want("a token of nobody", vision, link.HashCode("x"), link.ErrNotFound)
	for _, sweep := range []struct {
		reason string
		at     time.Time
		want   error
	}{
		{"after its end, for who comes late", issued.ExpiresAt.Add(link.SessionKept), nil},
		{"when nobody comes any more", issued.ExpiresAt.Add(link.SessionKept + time.Second), link.ErrNotFound},
	} {
		if err := again.Sweep(t.Context(), sweep.at, 9600*time.Hour); err != nil {
			t.Fatal(err)
		}
		want(sweep.reason, vision, issued.Token, sweep.want)
	}
	closeStore(t, again)
}
