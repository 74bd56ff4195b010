package messenger_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// graph is a Graph whose upstream answers as given and notes the URL.
func graph(status int, body string, asked *url.URL) *messenger.Graph {
	return &messenger.Graph{
		Endpoint: "https://graph.facebook.com/v23.0", PageID: "PAGE_ID",
		Token:      func() (secretfile.Secret, bool) { return secretfile.NewSecret("test"), true },
		AppSecrets: func() []secretfile.Secret { return []secretfile.Secret{secretfile.NewSecret("test")} },
		Do: func(r *http.Request) (*outbound.Response, error) {
			*asked = *r.URL
			return &outbound.Response{Status: status, Body: []byte(body)}, nil
		},
	}
}

func TestRecipient(t *testing.T) {
	e := link.Entry{Params: map[string]string{"account_linking_token": token}}
	for _, c := range []struct {
		reason string
		status int
		body   string
		want   string
		err    error
	}{
		{"as public fixtures have it", 200, `{"id":"PAGE_ID","recipient":"PSID"}`, "PSID", nil},
		{"as a number", 200, `{"id":"PAGE_ID","recipient":7051340731987654}`, "7051340731987654", nil},
		{"another page's token", 200, `{"id":"OTHER","recipient":"PSID"}`, "", messenger.ErrOtherPage},
		{"a token of nobody", 400, `{"error":{"message":"canary","type":"OAuthException","code":100,"error_subcode":2018001,"fbtrace_id":"x"}}`, "", link.ErrExpired},
		{"a linking that failed", 400, `{"error":{"code":10303}}`, "", link.ErrExpired},
		{"our own token is no good", 400, `{"error":{"message":"canary","code":190}}`, "", &messenger.GraphError{Status: 400, Code: 190}},
		{"too many calls", 400, `{"error":{"code":32}}`, "", &messenger.GraphError{Status: 400, Code: 32}},
		{"a proxy's page", 502, `<html>canary`, "", &messenger.GraphError{Status: 502}},
		{"nobody", 200, `{"id":"PAGE_ID"}`, "", errors.New("some")},
		{"no JSON", 200, `hello`, "", outbound.BadContent},
	} {
		var asked url.URL
		got, err := graph(c.status, c.body, &asked).Recipient(t.Context(), e)
		if got != c.want || (err == nil) != (c.err == nil) {
			t.Errorf("%s: %q, %v", c.reason, got, err)
			continue
		}
		if want, ok := errors.AsType[*messenger.GraphError](c.err); ok {
			refused, _ := errors.AsType[*messenger.GraphError](err)
			if diff := cmp.Diff(want, refused); diff != "" || errors.Is(err, link.ErrExpired) {
				t.Errorf("%s: %v", c.reason, err)
			}
		} else if c.err != nil && c.reason != "nobody" && !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", c.reason, err, c.err)
		}
		if err != nil && strings.Contains(err.Error(), "canary") { // C53
			t.Errorf("%s: the error repeats what Graph wrote: %v", c.reason, err)
		}
		want := url.Values{
			"fields": {"recipient"}, "account_linking_token": {token}, "access_token": {"test"},
			// restfb's published vector: app secret and token are both "test".
			"appsecret_proof": {"88cd2108b5347d973cf39cdf9053d7dd42704876d8c9a9bd8e2d168259d3ddf7"},
		}
		if diff := cmp.Diff(want, asked.Query()); diff != "" || asked.Path != "/v23.0/me" {
			t.Errorf("%s: asked %s (-want +got)\n%s", c.reason, asked.Path, diff)
		}
	}
}

// Code 100 is for any parameter, so who is to blame is asked for.
func TestRecipientBlames(t *testing.T) {
	const badParameter = `{"error":{"message":"canary","type":"OAuthException","code":100,"fbtrace_id":"x"}}`
	for _, c := range []struct {
		reason string
		status int
		body   string // what Graph says of the page alone
		want   error
	}{
		{"all but the token is good", 200, `{"id":"PAGE_ID"}`, link.ErrExpired},
		{"our appsecret_proof is no good", 400, badParameter, &messenger.GraphError{Status: 400, Code: 100}},
		{"our token has just been taken back", 401, `{"error":{"code":190}}`, &messenger.GraphError{Status: 401, Code: 190}},
		{"our token is of another page", 200, `{"id":"OTHER"}`, messenger.ErrOtherPage},
	} {
		var asked []url.Values
		secret := func() (secretfile.Secret, bool) { return secretfile.NewSecret("test"), true }
		g := &messenger.Graph{Endpoint: "https://graph.facebook.com/v23.0", PageID: "PAGE_ID", Token: secret, Do: func(r *http.Request) (*outbound.Response, error) {
			asked = append(asked, r.URL.Query())
			if r.URL.Query().Has("account_linking_token") {
				return &outbound.Response{Status: 400, Body: []byte(badParameter)}, nil
			}
			return &outbound.Response{Status: c.status, Body: []byte(c.body)}, nil
		}}
		_, err := g.Recipient(t.Context(), link.Entry{Params: map[string]string{"account_linking_token": token}})
		if want, ok := errors.AsType[*messenger.GraphError](c.want); ok {
			refused, _ := errors.AsType[*messenger.GraphError](err)
			if diff := cmp.Diff(want, refused); diff != "" || errors.Is(err, link.ErrExpired) {
				t.Errorf("%s: %v", c.reason, err)
			}
		} else if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.reason, err, c.want)
		}
		if len(asked) != 2 {
			t.Errorf("%s: %d calls, want two", c.reason, len(asked))
		}
	}
}

func TestProfile(t *testing.T) {
	var asked url.URL
	name, picture, err := graph(200, `{"first_name":"Peter","last_name":"Chang","profile_pic":"https://fbcdn.example/p.jpg","id":"1"}`, &asked).Profile(t.Context(), "a/../me")
	if err != nil || name != "Peter Chang" || picture != "https://fbcdn.example/p.jpg" {
		t.Errorf("%q, %q, %v", name, picture, err)
	}
	if asked.EscapedPath() != "/v23.0/a%2F..%2Fme" {
		t.Errorf("asked %s", asked.EscapedPath())
	}
	if name, _, err := graph(200, `{"first_name":"Peter","id":"1"}`, &asked).Profile(t.Context(), "1"); err != nil || name != "Peter" {
		t.Errorf("%q, %v", name, err)
	}
	_, _, err = graph(400, `{"error":{"code":100,"error_subcode":2018218}}`, &asked).Profile(t.Context(), "1")
	if refused, ok := errors.AsType[*messenger.GraphError](err); !ok || refused.Subcode != 2018218 {
		t.Errorf("an account made with a phone number: %v", err)
	}
}

func TestGraphWithoutToken(t *testing.T) {
	var none *messenger.Graph
	if none.Configured() || (&messenger.Graph{}).Configured() {
		t.Error("a Graph without a token counts as configured")
	}
	var asked url.URL
	g := graph(200, `{}`, &asked)
	g.Token = func() (secretfile.Secret, bool) { return secretfile.Secret{}, false }
	if _, err := g.Recipient(t.Context(), link.Entry{}); err == nil || g.Configured() || asked.Host != "" {
		t.Errorf("called %s without a token", asked.Host)
	}
}
