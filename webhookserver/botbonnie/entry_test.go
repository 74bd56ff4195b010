package botbonnie_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/link"
)

const (
	userID      = "U206d25c2ea6bd87c17655609a1c37cb8"
	pageID      = "507oftxz"
	linkToken   = "NMZTNuVrPTqlr2IF8Bnymkb7rXfYv5EY"
	token       = "ARTXCgVxCwPhsZpxeTmXdAyNJ80epG2C-T1_"
	redirectURI = "https://www.facebook.com/messenger_platform/account_linking?account_linking_token=" + token
	carry       = "a b+c/ü&d=e%20\u2028"
	code        = "kVh3cX0a1ZbQ2mYt5oPq8wRr7uSs6vTt4xUu9yVv0zA"
	endpoint    = "https://rd.botbonnie.com/account/link"
)

var onLINE = botbonnie.Login{Platform: botbonnie.LINE, PageID: pageID, RedirectEndpoint: endpoint}

var onMessenger = botbonnie.Login{Platform: botbonnie.Facebook, PageID: pageID, RedirectEndpoint: endpoint,
	CheckRedirect: func(uri, token string) error {
		if !strings.HasPrefix(uri, "https://www.facebook.com/") || token == "" {
			return &link.ParamError{Param: "redirect_uri", Problem: link.ParamRefused}
		}
		return nil
	}}

func lineQuery(pairs ...string) url.Values {
	return changed(url.Values{"userId": {userID}, "pageId": {pageID}, "carry": {carry}, "linkToken": {linkToken}}, pairs)
}

func messengerQuery(pairs ...string) url.Values {
	return changed(url.Values{"userId": {"7051340731"}, "pageId": {pageID}, "carry": {carry},
		"redirect_uri": {redirectURI}, "account_linking_token": {token}}, pairs)
}

// changed sets the pairs; an empty value takes the name away.
func changed(q url.Values, pairs []string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return q
}

// The way back as the documentation lists it: carry as it came, redirect_uri as one value.
func TestThereAndBack(t *testing.T) {
	const carried = "a+b%2Bc%2F%C3%BC%26d%3De%2520%E2%80%A8"
	for _, c := range []struct {
		login        botbonnie.Login
		query        url.Values
		back, cancel string
	}{
		{onLINE, lineQuery(), endpoint + "?carry=" + carried + "&linkToken=" + linkToken + "&nonce=" + code, ""},
		{onMessenger, messengerQuery(), endpoint + "?carry=" + carried +
			"&redirect_uri=https%3A%2F%2Fwww.facebook.com%2Fmessenger_platform%2Faccount_linking%3Faccount_linking_token%3D" + token +
			"&account_linking_token=" + token + "&authorization_code=" + code, redirectURI},
	} {
		e, err := c.login.Enter(c.query)
		if err != nil {
			t.Fatal(err)
		}
		if e.UserID != c.query.Get("userId") || e.Token == "" || e.TokenLife == 0 {
			t.Errorf("%s: entry %+v", c.login.Platform, e)
		}
		if got, err := c.login.Return(e, code); err != nil || got != c.back {
			t.Errorf("return:\n got %s, %v\nwant %s", got, err, c.back)
		}
		if got, ok := c.login.Cancel(e); got != c.cancel || ok != (c.cancel != "") {
			t.Errorf("cancel: got %q, %t; want %q", got, ok, c.cancel)
		}
	}
}

// C15
func TestEnterRefuses(t *testing.T) {
	for _, c := range []struct {
		reason string
		login  botbonnie.Login
		query  url.Values
		want   link.ParamError
	}{
		{"no user", onLINE, lineQuery("userId", ""), link.ParamError{Param: "userId", Problem: link.ParamMissing}},
		{"no page", onLINE, lineQuery("pageId", ""), link.ParamError{Param: "pageId", Problem: link.ParamMissing}},
		{"no carry", onLINE, lineQuery("carry", ""), link.ParamError{Param: "carry", Problem: link.ParamMissing}},
		{"no token", onLINE, lineQuery("linkToken", ""), link.ParamError{Param: "linkToken", Problem: link.ParamMissing}},
		{"another page", onLINE, lineQuery("pageId", "507oftxy"), link.ParamError{Param: "pageId", Problem: link.ParamWrongPage}},
		{"Messenger's token on LINE", onLINE, messengerQuery(), link.ParamError{Param: "redirect_uri", Problem: link.ParamUnknown}},
		{"LINE's token on Messenger", onMessenger, lineQuery(), link.ParamError{Param: "linkToken", Problem: link.ParamUnknown}},
		{"both", onMessenger, messengerQuery("linkToken", "x"), link.ParamError{Param: "linkToken", Problem: link.ParamConflicting}},
		{"a user that is no id", onLINE, lineQuery("userId", "U1&pageId=x"), link.ParamError{Param: "userId", Problem: link.ParamMalformed}},
		{"a user of 8 KB", onLINE, lineQuery("userId", strings.Repeat("U", 8192)), link.ParamError{Param: "userId", Problem: link.ParamMalformed}},
		{"a carry of 8 KB", onLINE, lineQuery("carry", strings.Repeat("c", 8192)), link.ParamError{Param: "carry", Problem: link.ParamTooLong}},
		{"a token that is none", onLINE, lineQuery("linkToken", "a b"), link.ParamError{Param: "linkToken", Problem: link.ParamMalformed}},
		{"another way back", onMessenger, messengerQuery("redirect_uri", "https://evil.example/"), link.ParamError{Param: "redirect_uri", Problem: link.ParamRefused}},
		{"no way back", onMessenger, messengerQuery("redirect_uri", ""), link.ParamError{Param: "redirect_uri", Problem: link.ParamMissing}},
	} {
		_, err := c.login.Enter(c.query)
		got, _ := errors.AsType[*link.ParamError](err)
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
	}
}

func TestReturnRefuses(t *testing.T) {
	e, err := onMessenger.Enter(messengerQuery())
	if err != nil {
		t.Fatal(err)
	}
	for reason, try := range map[string]func() (string, error){
		"a short code":             func() (string, error) { return onMessenger.Return(e, "123456789") },
		"an entry of another make": func() (string, error) { return onMessenger.Return(link.Entry{}, code) },
		"an entry of LINE's":       func() (string, error) { return onLINE.Return(e, code) },
	} {
		if got, err := try(); err == nil || got != "" {
			t.Errorf("%s: %q, %v", reason, got, err)
		}
	}
}

// C16: BotBonnie finds every value as it came, and nothing of what is inside redirect_uri beside it.
func TestReturnRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		carry := rapid.StringN(1, 200, 800).Draw(t, "carry")
		inner := url.Values{"account_linking_token": {token}, "x": {rapid.StringN(0, 40, 160).Draw(t, "inside")}}
		redirect := "https://www.facebook.com/messenger_platform/account_linking?" + inner.Encode()
		e, err := onMessenger.Enter(messengerQuery("carry", carry, "redirect_uri", redirect))
		if err != nil {
			t.Fatal(err)
		}
		got, err := onMessenger.Return(e, code)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		want := url.Values{"carry": {carry}, "redirect_uri": {redirect}, "account_linking_token": {token}, "authorization_code": {code}}
		if diff := cmp.Diff(want, u.Query()); diff != "" {
			t.Fatalf("(-want +got)\n%s", diff)
		}
	})
}
