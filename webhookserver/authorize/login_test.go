package authorize_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/authorize/issuer/issuertest"
	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
)

// TestLogin goes the whole way on LINE: button, issuer, consent, LINE.
func TestLogin(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	consent := b.atConsent(t)
	if !strings.Contains(consent.Body, "J. Dupont") || !strings.Contains(consent.Body, "Vision HR") {
		t.Errorf("the consent page names neither person nor channel:\n%s", consent.Body)
	}
	if got := consent.Header.Get("Referrer-Policy"); got != "same-origin" {
		t.Errorf("Referrer-Policy = %q: with no-referrer the form's POST has Origin: null", got)
	}
	if links := w.pending(t); len(links) != 0 {
		t.Errorf("there is a link before the consent: %v", links) // C1
	}

	back := b.press(t, consent, pages.ChoiceLink)
	if back.Code != http.StatusSeeOther { // C17: a 307 would send the form on
		t.Fatalf("consent answered %d, want 303\n%s", back.Code, back.Body)
	}
	u, err := url.Parse(back.Location)
	if err != nil {
		t.Fatal(err)
	}
	code := u.Query().Get("nonce")
	if !strings.HasPrefix(back.Location, lineLinkURL+"?") || u.Query().Get("linkToken") != linkToken || len(code) != 43 {
		t.Errorf("went to %s", back.Location)
	}
	links := w.pending(t)
	if len(links) != 1 || links[0].CodeHash != link.HashCode(code) || links[0].State != link.Pending {
		t.Fatalf("pending links are %+v, want one of the code", links)
	}
	if sum := sha256.Sum256([]byte(linkToken)); links[0].PlatformToken != hex.EncodeToString(sum[:]) { // C60
		t.Errorf("the platform's token is stored as %q, want its hash", links[0].PlatformToken)
	}
}

// earlierStore keeps sessions as servers did that stored the platform's token once more.
type earlierStore struct{ link.SessionStore }

func (e earlierStore) PutSession(ctx context.Context, s link.Session) error {
	s.Params[":token"] = s.Params["linkToken"]
	return e.SessionStore.PutSession(ctx, s)
}

// C82: a login that a server of the release before has begun comes to its end here, also by way of "Not you?".
func TestLoginBegunEarlier(t *testing.T) {
	for _, notYou := range []bool{false, true} {
		w := newWorld(t, func(w *world, o *authorize.Options) {
			o.Store = func() (link.SessionStore, error) { return earlierStore{w.Store}, nil }
		})
		b := w.browser()
		consent := b.atConsent(t)
		if notYou {
			again := b.press(t, consent, pages.ChoiceNotYou)
			consent = b.get(t, below(t, b.get(t, "/callback?"+w.Issuer.SignIn(t, again.Location, issuertest.Login{}).Encode()).Location))
		}
		back := b.press(t, consent, pages.ChoiceLink)
		if u, err := url.Parse(back.Location); err != nil || back.Code != http.StatusSeeOther || u.Query().Get("linkToken") != linkToken {
			t.Errorf("by way of another sign-in %t: %d to %s, %v", notYou, back.Code, back.Location, err)
		}
	}
}
