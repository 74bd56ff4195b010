package link_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"channellink.dev/operator/webhookserver/link"
)

// C15
func TestTakeParams(t *testing.T) {
	for _, c := range []struct {
		reason, query string
		names         []string
		want          map[string]string
		wantErr       *link.ParamError
	}{
		{"what is asked for", "linkToken=a&userId=b", []string{"linkToken", "userId"}, map[string]string{"linkToken": "a", "userId": "b"}, nil},
		{"names that apps add", "linkToken=a&fbclid=x&openExternalBrowser=1", []string{"linkToken"}, map[string]string{"linkToken": "a"}, nil},
		{"nothing there", "", []string{"linkToken"}, nil, &link.ParamError{Param: "linkToken", Problem: link.ParamMissing}},
		{"there, and empty", "linkToken=", []string{"linkToken"}, nil, &link.ParamError{Param: "linkToken", Problem: link.ParamMissing}},
		{"twice", "linkToken=a&linkToken=a", []string{"linkToken"}, nil, &link.ParamError{Param: "linkToken", Problem: link.ParamRepeated}},
		{"in another case beside it", "linkToken=a&LinkToken=b", []string{"linkToken"}, nil, &link.ParamError{Param: "linkToken", Problem: link.ParamUnknown}},
		{"in another case alone", "linktoken=a", []string{"linkToken"}, nil, &link.ParamError{Param: "linkToken", Problem: link.ParamUnknown}},
		{"as PHP writes a list", "linkToken=a&linkToken[]=b", []string{"linkToken"}, nil, &link.ParamError{Param: "linkToken", Problem: link.ParamUnknown}},
		{"with a NUL at its end", "linkToken=a&linkToken%00=b", []string{"linkToken"}, nil, &link.ParamError{Param: "linkToken", Problem: link.ParamUnknown}},
		{"another platform's", "linkToken=a&redirect_uri=https://x", []string{"linkToken"}, nil, &link.ParamError{Param: "redirect_uri", Problem: link.ParamUnknown}},
		{"BotBonnie's where it has no business", "linkToken=a&userId=b", []string{"linkToken"}, nil, &link.ParamError{Param: "userId", Problem: link.ParamUnknown}},
		{"what only the way back carries", "linkToken=a&nonce=b", []string{"linkToken"}, nil, &link.ParamError{Param: "nonce", Problem: link.ParamUnknown}},
		{"both platforms at once", "linkToken=a&account_linking_token=b", []string{"linkToken"}, nil, &link.ParamError{Param: "linkToken", Problem: link.ParamConflicting}},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := link.TakeParams(query, c.names...)
		gotErr, _ := errors.AsType[*link.ParamError](err)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
		if diff := cmp.Diff(c.wantErr, gotErr); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.reason, diff)
		}
	}
}

func TestPlain(t *testing.T) {
	for s, want := range map[string]bool{
		"U206d25c2ea6bd87c17655609a1c37cb8": true, "AR-_.~+/=": true, "a": true,
		"": false, "a b": false, "a&b": false, "a\x00": false, "é": false, "a\nb": false, "0123456789012345678901234567890123": false,
	} {
		if got := link.Plain(s, 33); got != want {
			t.Errorf("Plain(%q) = %t", s, got)
		}
	}
}

// C16: whatever the values are, a reader of the URL finds the ones that were there and the ones that were put behind them,
// each as one value.
func TestAppendQueryKeepsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		there := url.Values{}
		for name, value := range rapid.MapOf(rapid.StringMatching(`[a-d]{1,3}`), rapid.String()).Draw(t, "there") {
			there.Set(name, value)
		}
		name, value := rapid.SampledFrom([]string{"carry", "nonce", "authorization_code"}).Draw(t, "name"), rapid.String().Draw(t, "value")
		base := "https://rd.botbonnie.com/account/link"
		if len(there) > 0 {
			base += "?" + there.Encode()
		}
		got, err := link.AppendQuery(base, name, value)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		there.Set(name, value)
		parsed, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(there, parsed); diff != "" || u.Host != "rd.botbonnie.com" || u.Path != "/account/link" {
			t.Fatalf("%s: (-want +got)\n%s", got, diff)
		}
	})
}

func TestAppendQueryRefusesWhatIsNoAddress(t *testing.T) {
	for _, base := range []string{"", "/account/link", "mailto:a@b", "https://rd.botbonnie.com/#x", "https://%"} {
		if got, err := link.AppendQuery(base, "a", "b"); err == nil {
			t.Errorf("%q: got %q", base, got)
		}
	}
}
