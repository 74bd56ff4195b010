package line_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/line"
	"channellink.dev/operator/webhookserver/link"
)

const (
	linkToken   = "NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY" // of LINE's documentation
	accountLink = "https://access.line.me/dialog/bot/accountLink"
	code        = "kVh3cX0a1ZbQ2mYt5oPq8wRr7uSs6vTt4xUu9yVv0zA"
)

func TestThereAndBack(t *testing.T) {
	e, err := line.Enter(url.Values{"linkToken": {linkToken}, "openExternalBrowser": {"1"}})
	if err != nil {
		t.Fatal(err)
	}
	want := link.Entry{Token: linkToken, TokenLife: link.LINETokenLife, Params: map[string]string{"linkToken": linkToken}}
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("entry (-want +got)\n%s", diff)
	}
	got, err := line.Return(e, code, accountLink)
	if want := accountLink + "?linkToken=" + linkToken + "&nonce=" + code; err != nil || got != want {
		t.Errorf("return:\n got %s, %v\nwant %s", got, err, want)
	}
}

// C15
func TestEnterRefuses(t *testing.T) {
	for _, c := range []struct {
		reason, query string
		want          link.ParamError
	}{
		{"no token", "", link.ParamError{Param: "linkToken", Problem: link.ParamMissing}},
		{"two of them", "linkToken=a&linkToken=b", link.ParamError{Param: "linkToken", Problem: link.ParamRepeated}},
		{"Messenger's beside it", "linkToken=a&account_linking_token=b&redirect_uri=c", link.ParamError{Param: "linkToken", Problem: link.ParamConflicting}},
		{"BotBonnie's parameters", "linkToken=a&userId=b&pageId=c&carry=d", link.ParamError{Param: "userId", Problem: link.ParamUnknown}},
		{"a nonce of the caller's", "linkToken=a&nonce=b", link.ParamError{Param: "nonce", Problem: link.ParamUnknown}},
		{"a second parameter inside the token", "linkToken=a%26nonce%3Db", link.ParamError{Param: "linkToken", Problem: link.ParamMalformed}},
		{"a NUL", "linkToken=a%00", link.ParamError{Param: "linkToken", Problem: link.ParamMalformed}},
		{"8 KB", "linkToken=" + strings.Repeat("a", 8192), link.ParamError{Param: "linkToken", Problem: link.ParamMalformed}},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		_, err = line.Enter(query)
		got, _ := errors.AsType[*link.ParamError](err)
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
	}
}

func TestReturnRefuses(t *testing.T) {
	good := link.Entry{Params: map[string]string{"linkToken": linkToken}}
	for reason, try := range map[string]func() (string, error){
		"a code of 9 characters":     func() (string, error) { return line.Return(good, "123456789", accountLink) },
		"a code of 256 characters":   func() (string, error) { return line.Return(good, strings.Repeat("a", 256), accountLink) },
		"an entry of another make":   func() (string, error) { return line.Return(link.Entry{}, code, accountLink) },
		"an endpoint that is no URL": func() (string, error) { return line.Return(good, code, "accountLink") },
	} {
		if got, err := try(); err == nil || got != "" {
			t.Errorf("%s: %q, %v", reason, got, err)
		}
	}
}

// C16
func TestReturnRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := rapid.StringMatching(`[A-Za-z0-9+/=_.~-]{1,64}`).Draw(t, "token")
		code := rapid.StringMatching(`[A-Za-z0-9+/=_-]{10,255}`).Draw(t, "code") // base64 too: its + must not become a space
		e, err := line.Enter(url.Values{"linkToken": {token}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := line.Return(e, code, accountLink)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(url.Values{"linkToken": {token}, "nonce": {code}}, u.Query()); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}
