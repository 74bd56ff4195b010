package messenger_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
)

// token is a real one, from a public capture; it was good for five minutes.
const token = "ARTXCgVxCwPhsZpxeTmXdAyNJ80epG2CNT1RNFEPXthPcIE8dDpGbIoy7ZRNTu2YsIo-LnGUrXD8mgVXmCq46zuYdua4Pqx0h0N_izSZppv9Vw"

const code = "kVh3cX0a1ZbQ2mYt5oPq8wRr7uSs6vTt4xUu9yVv0zA"

var redirects = messenger.Redirects{
	Hosts: []string{"www.facebook.com", "facebook.com", "m.facebook.com", "www.messenger.com", "messenger.com", "sim.localhost"},
}

func query(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	return q
}

// What Messenger is seen to send in the wild, and where the browser goes then.
func TestThereAndBack(t *testing.T) {
	for _, c := range []struct{ redirect, want string }{
		{
			"https://www.facebook.com/messenger_platform/account_linking/?account_linking_token=" + token,
			"https://www.facebook.com/messenger_platform/account_linking/?account_linking_token=" + token + "&authorization_code=" + code,
		}, {
			"https://www.messenger.com/messenger_platform/account_linking/?account_linking_token=" + token,
			"https://www.messenger.com/messenger_platform/account_linking/?account_linking_token=" + token + "&authorization_code=" + code,
		}, {
			"https://facebook.com/messenger_platform/account_linking",
			"https://facebook.com/messenger_platform/account_linking?authorization_code=" + code,
		}, {
			"https://facebook.com/messenger_platform/account_linking?",
			"https://facebook.com/messenger_platform/account_linking?authorization_code=" + code,
		}, {
			"https://m.facebook.com/messenger_platform/account_linking?b=%2F&a=%26authorization_code%3Dx&",
			"https://m.facebook.com/messenger_platform/account_linking?b=%2F&a=%26authorization_code%3Dx&authorization_code=" + code,
		},
	} {
		e, err := messenger.Enter(query("account_linking_token", token, "redirect_uri", c.redirect), redirects)
		if err != nil {
			t.Errorf("%s: %v", c.redirect, err)
			continue
		}
		if e.UserID != "" || e.Token != token || e.TokenLife != link.MessengerTokenLife {
			t.Errorf("%s: entry %+v", c.redirect, e)
		}
		if got, err := messenger.Return(e, code, redirects); err != nil || got != c.want {
			t.Errorf("return:\n got %s, %v\nwant %s", got, err, c.want)
		}
		// C30
		if got, ok := messenger.Cancel(e, redirects); !ok || got != c.redirect {
			t.Errorf("cancel: got %s, %t; want %s", got, ok, c.redirect)
		}
	}
}

// C15
func TestEnterRefuses(t *testing.T) {
	good := "https://www.facebook.com/messenger_platform/account_linking?account_linking_token=" + token
	for _, c := range []struct {
		reason string
		query  url.Values
		want   link.ParamError
	}{
		{"no redirect_uri, as some users' apps do since 2022", query("account_linking_token", token), link.ParamError{Param: "redirect_uri", Problem: link.ParamMissing}},
		{"no token", query("redirect_uri", good), link.ParamError{Param: "account_linking_token", Problem: link.ParamMissing}},
		{"LINE's token beside Messenger's", query("account_linking_token", token, "redirect_uri", good, "linkToken", "x"), link.ParamError{Param: "linkToken", Problem: link.ParamConflicting}},
		{"BotBonnie's user", query("account_linking_token", token, "redirect_uri", good, "userId", "1"), link.ParamError{Param: "userId", Problem: link.ParamUnknown}},
		{"a code that comes in", query("account_linking_token", token, "redirect_uri", good, "authorization_code", "x"), link.ParamError{Param: "authorization_code", Problem: link.ParamUnknown}},
		{"two redirect_uri", query("account_linking_token", token, "redirect_uri", good, "redirect_uri", good), link.ParamError{Param: "redirect_uri", Problem: link.ParamRepeated}},
		{"a token with a line break", query("account_linking_token", "a\r\nb", "redirect_uri", good), link.ParamError{Param: "account_linking_token", Problem: link.ParamMalformed}},
		{"a token of 8 KB", query("account_linking_token", strings.Repeat("a", 8192), "redirect_uri", good), link.ParamError{Param: "account_linking_token", Problem: link.ParamMalformed}},
		{"a redirect_uri of 8 KB", query("account_linking_token", token, "redirect_uri", good+strings.Repeat("a", 8192)), link.ParamError{Param: "redirect_uri", Problem: link.ParamTooLong}},
		{"somebody else's token inside", query("account_linking_token", "mine", "redirect_uri", good), link.ParamError{Param: "account_linking_token", Problem: link.ParamConflicting}},
	} {
		_, err := messenger.Enter(c.query, redirects)
		got, _ := errors.AsType[*link.ParamError](err)
		if diff := cmp.Diff(&c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
	}
}

func TestReturnRefuses(t *testing.T) {
	params := func(redirect string) link.Entry {
		return link.Entry{Params: map[string]string{"account_linking_token": token, "redirect_uri": redirect}}
	}
	good := "https://www.facebook.com/messenger_platform/account_linking"
	for reason, try := range map[string]func() (string, error){
		"a code of 9 characters":   func() (string, error) { return messenger.Return(params(good), "123456789", redirects) },
		"a code of 256 characters": func() (string, error) { return messenger.Return(params(good), strings.Repeat("a", 256), redirects) },
		"an entry of another make": func() (string, error) { return messenger.Return(link.Entry{}, code, redirects) },
		"a host that is not allowed any more": func() (string, error) {
			return messenger.Return(params(good), code, messenger.Redirects{Hosts: []string{"m.facebook.com"}})
		},
	} {
		if got, err := try(); err == nil || got != "" {
			t.Errorf("%s: %q, %v", reason, got, err)
		}
	}
	if got, ok := messenger.Cancel(params("https://evil.example/"), redirects); ok {
		t.Errorf("cancel led to %q", got)
	}
}

// C16: whatever Messenger puts into its query, a reader of the way back finds it as it was, and the code once.
func TestReturnAppendsTheCodeOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := url.Values{}
		for name, value := range rapid.MapOf(rapid.StringMatching(`[a-z]{1,8}`), rapid.StringN(0, 40, 160)).Draw(t, "there") {
			want.Set(name, value)
		}
		if rapid.Bool().Draw(t, "token inside") {
			want.Set("account_linking_token", token)
		}
		redirect := "https://www.facebook.com/messenger_platform/account_linking" + rapid.SampledFrom([]string{"", "/"}).Draw(t, "slash")
		if len(want) > 0 {
			redirect += "?" + want.Encode()
		}
		if len(redirect) > 2048 {
			t.Skip("longer than any redirect_uri may be")
		}
		code := rapid.StringMatching(`[A-Za-z0-9_-]{10,255}`).Draw(t, "code")
		e, err := messenger.Enter(query("account_linking_token", token, "redirect_uri", redirect), redirects)
		if err != nil {
			t.Fatalf("%s: %v", redirect, err)
		}
		got, err := messenger.Return(e, code, redirects)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		want.Set("authorization_code", code)
		if diff := cmp.Diff(want, u.Query()); diff != "" || u.Host != "www.facebook.com" {
			t.Fatalf("%s: (-want +got)\n%s", got, diff)
		}
	})
}
