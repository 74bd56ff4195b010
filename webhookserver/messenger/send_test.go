package messenger_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/messenger/messengertest"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// The two payloads of the first seed, to the byte but for white space.
func TestMessages(t *testing.T) {
	const image, authorize = "http://vision.example/hr.jpeg", "https://link.vision.example/authorize"
	for _, c := range []struct {
		reason string
		made   messenger.Message
		want   string
	}{
		{
			"the Log In button", messenger.LoginMessage("Bienvenue à Vision RH", image, authorize),
			`{"attachment":{"type":"template","payload":{"template_type":"generic","elements":[{"title":"Bienvenue à Vision RH","image_url":"` +
				image + `","buttons":[{"type":"account_link","url":"` + authorize + `"}]}]}}}`,
		}, {
			"the Log Out button, which has no other field", messenger.LogoutMessage("Vision RH", image),
			`{"attachment":{"type":"template","payload":{"template_type":"generic","elements":[{"title":"Vision RH","image_url":"` +
				image + `","buttons":[{"type":"account_unlink"}]}]}}}`,
		}, {
			"without a picture", messenger.LogoutMessage("Vision RH", ""),
			`{"attachment":{"type":"template","payload":{"template_type":"generic","elements":[{"title":"Vision RH","buttons":[{"type":"account_unlink"}]}]}}}`,
		},
	} {
		got, err := json.Marshal(c.made)
		if diff := cmp.Diff(c.want, string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", c.reason, err, diff)
		}
	}
	for _, title := range []string{strings.Repeat("中", 80), strings.Repeat("中", 81), strings.Repeat("é", 500)} {
		got := messenger.LogoutMessage(title, "").Attachment.Payload.Elements[0].Title
		if utf8.RuneCountInString(got) != 80 || len([]rune(title)) == 80 && got != title {
			t.Errorf("a title of %d characters became %q", len([]rune(title)), got)
		}
	}
}

func graphFor(t *testing.T, fake *messengertest.API) *messenger.Graph {
	t.Helper()
	guarded := outbound.New(outbound.Options{Policy: outbound.Policy{AllowLocal: true, AllowHTTPLocalhost: true}})
	t.Cleanup(guarded.CloseIdleConnections)
	return &messenger.Graph{
		Endpoint: fake.Endpoint, PageID: "1234779123812", Do: guarded.Do,
		Token:      func() (secretfile.Secret, bool) { return secretfile.NewSecret(messengertest.Token), true },
		AppSecrets: func() []secretfile.Secret { return []secretfile.Secret{secretfile.NewSecret(messengertest.AppSecret)} },
	}
}

// While an app secret is renewed there are two, and Meta goes by either: a call whose proof is refused is made with the next
// one, a call that is refused for anything else is not. C47
func TestRenewedAppSecret(t *testing.T) {
	const psid = "7051340731987654"
	for _, c := range []struct {
		reason    string
		secrets   []string
		step      *messengertest.Step
		calls     int
		delivered int
	}{
		{"Meta goes by the new one", []string{messengertest.AppSecret, "former"}, nil, 1, 1},
		{"Meta goes by the former one still", []string{"renewed", messengertest.AppSecret}, nil, 2, 1},
		{"Meta goes by neither", []string{"renewed", "former"}, nil, 2, 0},
		{"the refusal has nothing to do with it", []string{messengertest.AppSecret, "former"}, &messengertest.Step{Status: 400, Code: 190}, 1, 0},
	} {
		fake := messengertest.New(t, psid)
		if c.step != nil {
			fake.Next(*c.step)
		}
		graph := graphFor(t, fake)
		graph.AppSecrets = func() []secretfile.Secret {
			var all []secretfile.Secret
			for _, text := range c.secrets {
				all = append(all, secretfile.NewSecret(text))
			}
			return all
		}
		err := graph.Send(t.Context(), psid, messenger.LogoutMessage("Vision HR", ""))
		if (err == nil) != (c.delivered == 1) || fake.Calls() != c.calls || len(fake.Sent()) != c.delivered {
			t.Errorf("%s: %v, %d calls, %d messages", c.reason, err, fake.Calls(), len(fake.Sent()))
		}
	}
}

// A message is sent once, with the proof of the app secret; a refusal is told by the meaning of its numbers.
func TestSend(t *testing.T) {
	const psid = "7051340731987654"
	usage := func(minutes string) string {
		return `{"1234779123812":[{"type":"pages","call_count":100,"estimated_time_to_regain_access":` + minutes + `}]}`
	}
	for _, c := range []struct {
		reason    string
		to        string
		step      *messengertest.Step
		want      error
		wait      time.Duration
		delivered int
	}{
		{"taken", psid, nil, nil, 0, 1},
		{"no user of this page", "1", nil, link.ErrUserUnreachable, 0, 0},
		{"a PSID that cannot be addressed", psid, &messengertest.Step{Status: 400, Code: 100, Subcode: 33}, link.ErrUserUnreachable, 0, 0},
		{"not available", psid, &messengertest.Step{Status: 400, Code: 551, Subcode: 1545041}, link.ErrUserUnreachable, 0, 0},
		{"wrote more than a day ago", psid, &messengertest.Step{Status: 403, Code: 10, Subcode: 2018278}, link.ErrUserUnreachable, 0, 0},
		{"takes no messages", psid, &messengertest.Step{Status: 403, Code: 10, Subcode: 2018108}, link.ErrUserUnreachable, 0, 0},
		{"token over", psid, &messengertest.Step{Status: 400, Code: 190, Subcode: 463}, link.ErrTokenRejected, 0, 0},
		{"no permission", psid, &messengertest.Step{Status: 403, Code: 200, Subcode: 2018028}, link.ErrTokenRejected, 0, 0},
		{"another permission", psid, &messengertest.Step{Status: 403, Code: 10}, link.ErrTokenRejected, 0, 0},
		{"a bad picture", psid, &messengertest.Step{Status: 400, Code: 100, Subcode: 2018005}, link.ErrMessageRefused, 0, 0},
		{"the app's limit", psid, &messengertest.Step{Status: 400, Code: 4}, link.ErrRateLimited, 0, 0},
		{"the page's limit, with a time", psid, &messengertest.Step{Status: 400, Code: 32, Usage: usage("7")}, link.ErrRateLimited, 7 * time.Minute, 0},
		{"a month, for which nobody waits", psid, &messengertest.Step{Status: 400, Code: 32, Usage: usage("43200")}, link.ErrRateLimited, 24 * time.Hour, 0},
		{"more than a duration holds", psid, &messengertest.Step{Status: 400, Code: 32, Usage: usage("200000000")}, link.ErrRateLimited, 24 * time.Hour, 0},
		{"a time that is over", psid, &messengertest.Step{Status: 400, Code: 32, Usage: usage("-7")}, link.ErrRateLimited, 0, 0},
		{"a negative time that makes a long one", psid, &messengertest.Step{Status: 400, Code: 32, Usage: usage("-200000000")}, link.ErrRateLimited, 0, 0},
		{"no number at all", psid, &messengertest.Step{Status: 400, Code: 32, Usage: usage("1e300")}, link.ErrRateLimited, 0, 0},
		{"the answer is lost: no second try, since nobody knows", psid, &messengertest.Step{Cut: true}, outbound.ConnectionLost, 0, 1},
	} {
		fake := messengertest.New(t, psid)
		if c.step != nil {
			fake.Next(*c.step)
		}
		err := graphFor(t, fake).Send(t.Context(), c.to, messenger.LogoutMessage("Vision RH", ""))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.reason, err, c.want)
		}
		if refused, ok := errors.AsType[*messenger.GraphError](err); ok && refused.RetryAfter != c.wait {
			t.Errorf("%s: wait %s, want %s", c.reason, refused.RetryAfter, c.wait)
		}
		if fake.Calls() != 1 || len(fake.Sent()) != c.delivered {
			t.Errorf("%s: %d calls, %d messages", c.reason, fake.Calls(), len(fake.Sent()))
		}
		// C27
		if err != nil && (strings.Contains(err.Error(), "CANARY") || strings.Contains(err.Error(), psid)) {
			t.Errorf("%s: %v", c.reason, err)
		}
	}
}

// A code that nobody knows means none of the things that a caller could act upon.
func TestGraphErrorMeaning(t *testing.T) {
	for _, unknown := range []*messenger.GraphError{{Status: 400, Code: 2}, {Status: 400, Code: 1200}, {Status: 500}, {Status: 400, Code: 99999}} {
		for _, meaning := range []error{link.ErrUserUnreachable, link.ErrTokenRejected, link.ErrRateLimited, link.ErrMessageRefused} {
			if errors.Is(unknown, meaning) {
				t.Errorf("%v is %v", unknown, meaning)
			}
		}
	}
	if !errors.Is(&messenger.GraphError{Status: 429}, link.ErrRateLimited) || !errors.Is(&messenger.GraphError{Status: 401}, link.ErrTokenRejected) {
		t.Error("a status without a code says nothing")
	}
}
