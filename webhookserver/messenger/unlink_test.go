package messenger_test

import (
	"errors"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"channellink.dev/operator/webhookserver/messenger"
	"channellink.dev/operator/webhookserver/outbound"
	"channellink.dev/operator/webhookserver/secretfile"
)

// The call that public clients make, with the proof of the app secret (vector P1: secret and token `test`), and what
// Graph's answers mean. C74
func TestUnlink(t *testing.T) {
	test := func() (secretfile.Secret, bool) { return secretfile.NewSecret("test"), true }
	for _, c := range []struct {
		reason string
		status int
		body   string
		want   error
	}{
		{"unlinked", 200, `{"result":"unlink account success"}`, nil},
		{"not linked there", 400, `{"error":{"message":"(#10303) x","type":"OAuthException","code":10303,"fbtrace_id":"A"}}`, nil},
		{"a PSID that nobody has", 400, `{"error":{"code":100,"error_subcode":33}}`, nil},
		{"no user matches", 400, `{"error":{"code":100,"error_subcode":2018001}}`, nil},
		{"a failure says nothing about a user", 500, `{"error":{"code":10303}}`, &messenger.GraphError{Status: 500, Code: 10303}},
		{"a parameter that is wrong", 400, `{"error":{"code":100}}`, &messenger.GraphError{Status: 400, Code: 100}},
		{"a token that is over", 400, `{"error":{"code":190,"error_subcode":463}}`, &messenger.GraphError{Status: 400, Code: 190, Subcode: 463}},
		{"a proxy's page", 502, `<html>`, &messenger.GraphError{Status: 502}},
		{"garbage", 200, `<html>`, outbound.BadContent},
		{"nothing", 200, ``, outbound.BadContent},
		{"null", 200, `null`, outbound.BadContent},
		{"an error in a 200", 200, `{"error":{"code":1}}`, outbound.BadContent},
	} {
		calls := 0
		graph := &messenger.Graph{
			Endpoint: "https://graph.facebook.com/v23.0", PageID: "1234779123812", Token: test,
			AppSecrets: func() []secretfile.Secret { return []secretfile.Secret{secretfile.NewSecret("test")} },
			Do: func(r *http.Request) (*outbound.Response, error) {
				calls++
				body, err := io.ReadAll(r.Body)
				if err != nil || string(body) != `{"psid":"7051340731987654"}` {
					t.Errorf("body %q, %v", body, err)
				}
				const want = "https://graph.facebook.com/v23.0/me/unlink_accounts?access_token=test&" +
					"appsecret_proof=88cd2108b5347d973cf39cdf9053d7dd42704876d8c9a9bd8e2d168259d3ddf7"
				if r.Method != http.MethodPost || r.URL.String() != want || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("called %s %s with %v", r.Method, r.URL, r.Header)
				}
				return &outbound.Response{Status: c.status, Body: []byte(c.body)}, nil
			},
		}
		err := graph.Unlink(t.Context(), "7051340731987654")
		if calls != 1 {
			t.Errorf("%s: %d calls", c.reason, calls)
		}
		if refused, ok := errors.AsType[*messenger.GraphError](err); ok {
			if diff := cmp.Diff(c.want, error(refused)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", c.reason, diff)
			}
		} else if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.reason, err, c.want)
		}
	}
}
