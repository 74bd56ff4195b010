package signature_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/signature"
)

// verifier is one of the schemes.
type verifier func(http.Header, []secretfile.Secret, []byte) (signature.Verified, error)

func messenger(h http.Header, secrets []secretfile.Secret, body []byte) (signature.Verified, error) {
	return signature.Messenger(h, secrets, body, false)
}

func messengerSHA1(h http.Header, secrets []secretfile.Secret, body []byte) (signature.Verified, error) {
	return signature.Messenger(h, secrets, body, true)
}

func secrets(values ...string) []secretfile.Secret {
	var all []secretfile.Secret
	for _, value := range values {
		all = append(all, secretfile.NewSecret(value))
	}
	return all
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// vectors were published by others: nobody here computed one.
var vectors = []struct {
	source, header, value, secret, body string
	verify                              verifier
}{
	{"LINE documentation, verify-webhook-signature", "x-line-signature", "GhRKmvmHys4Pi8DxkF4+EayaH0OqtJtaZxgTD9fMDLs=",
		"8c570fa6dd201bb328f1c1eac23a96d8", `{"destination":"U8e742f61d673b39c7fff3cecb7536ef0","events":[]}`, signature.LINE},
	{"line-bot-sdk-nodejs", "X-Line-Signature", "t7Hn4ZDHqs6e+wdvI5TyQIvzie0DmMUmuXEBqyyE/tM=",
		"test_secret", `{"hello":"world"}`, signature.LINE},
	{"line-bot-sdk-java", "X-LINE-SIGNATURE", "3q8QXTAGaey18yL8FWTqdVlbMr6hcuNvM4tefa0o9nA=", "SECRET", `{}`, signature.LINE},
	{"bottender, LINE", "X-Line-Signature", "XtFE4w+/e5cw8ys6BSALGj3ZCYgRtBdCBxyEfrkgLPc=", "FAKE_SECRET", "rawBody", signature.LINE},
	{"bottender, Messenger", "X-Hub-Signature", "sha1=0d814d436b45c33ef664a317ff4b8dc2d3d8fe2a", "FAKE_SECRET", "rawBody", messengerSHA1},
	{"bottender, Messenger, in BotBonnie's scheme", "X-Hub-Signature", "sha1=1c99183cb7c44ea27fb834746086b65b89800db8", "FAKE_SECRET", "{}", signature.BotBonnie},
	{"octokit webhooks-methods", "X-Hub-Signature-256", "sha256=4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3",
		"mysecret", `{"foo":"bar"}`, messenger},
	{"GitHub documentation", "X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
		"It's a Secret to Everybody", "Hello, World!", messenger},
}

// C34, C36, C47: what the platforms and their libraries publish verifies, with any of the configured secrets.
func TestPublishedVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.source, func(t *testing.T) {
			for _, known := range [][]secretfile.Secret{secrets(v.secret), secrets("new", v.secret), secrets(v.secret, "old")} {
				verified, err := v.verify(headers(v.header, v.value), known, []byte(v.body))
				if err != nil || string(verified.Body()) != v.body {
					t.Errorf("body %q, error %v; want the body that was signed", verified.Body(), err)
				}
			}
		})
	}
}

// C34, C36: change one thing of a good request, and it is refused.
func TestForgeries(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.source, func(t *testing.T) {
			body := []byte(v.body)
			for _, c := range []struct {
				reason string
				header http.Header
				keys   []secretfile.Secret
				body   []byte
				want   signature.Refusal
			}{
				{"no header", headers(), secrets(v.secret), body, signature.Missing},
				{"an empty header is no header", headers(v.header, ""), secrets(v.secret), body, signature.Missing},
				{"two headers, both good", headers(v.header, v.value, v.header, v.value), secrets(v.secret), body, signature.Duplicated},
				{"two values in one header", headers(v.header, v.value+", "+v.value), secrets(v.secret), body, signature.Malformed},
				{"a space before the value", headers(v.header, " "+v.value), secrets(v.secret), body, signature.Malformed},
				{"a line break in the value", headers(v.header, v.value[:20]+"\n"+v.value[20:]), secrets(v.secret), body, signature.Malformed},
				{"half of it", headers(v.header, v.value[:len(v.value)/2]), secrets(v.secret), body, signature.Malformed},
				{"more than it", headers(v.header, v.value+"00"), secrets(v.secret), body, signature.Malformed},
				{"a prefix that never was", headers(v.header, "sha256!!!"), secrets(v.secret), body, signature.Malformed},
				{"no secret to check with", headers(v.header, v.value), nil, body, signature.NoSecret},
				{"another secret", headers(v.header, v.value), secrets("another"), body, signature.Mismatch},
				{"a byte more", headers(v.header, v.value), secrets(v.secret), append([]byte(v.body), '\n'), signature.Mismatch},
				{"a byte order mark", headers(v.header, v.value), secrets(v.secret), append([]byte("\xef\xbb\xbf"), body...), signature.Mismatch},
				{"a byte less", headers(v.header, v.value), secrets(v.secret), body[1:], signature.Mismatch},
				{"an empty body", headers(v.header, v.value), secrets(v.secret), nil, signature.Mismatch},
			} {
				verified, err := v.verify(c.header, c.keys, c.body)
				if !errors.Is(err, c.want) || verified.Body() != nil {
					t.Errorf("%s: body %q, error %v; want %v", c.reason, verified.Body(), err, c.want)
				}
			}
		})
	}
}

// C34: forms that some receivers take and that no platform sends.
func TestEncodingsAreStrict(t *testing.T) {
	const goodLINE, goodHub = "t7Hn4ZDHqs6e+wdvI5TyQIvzie0DmMUmuXEBqyyE/tM=", "sha1=0d814d436b45c33ef664a317ff4b8dc2d3d8fe2a"
	for _, c := range []struct {
		reason, header, value, secret, body string
		verify                              verifier
		want                                error
	}{
		{"one letter's case, from the LINE SDK's own test", "X-Line-Signature", "t7Hn4ZDHqs6e+wdvi5TyQIvzie0DmMUmuXEBqyyE/tM=",
			"test_secret", `{"hello":"world"}`, signature.LINE, signature.Mismatch},
		{"base64 without padding", "X-Line-Signature", strings.TrimRight(goodLINE, "="), "test_secret", `{"hello":"world"}`, signature.LINE, signature.Malformed},
		{"base64url", "X-Line-Signature", strings.NewReplacer("+", "-", "/", "_").Replace(goodLINE), "test_secret", `{"hello":"world"}`, signature.LINE, signature.Malformed},
		{"bits after the end that base64 leaves open", "X-Line-Signature", strings.Replace(goodLINE, "tM=", "tN=", 1), "test_secret", `{"hello":"world"}`, signature.LINE, signature.Malformed},
		{"digits from the Java SDK's test", "X-Line-Signature", "596359635963", "SECRET", `{}`, signature.LINE, signature.Malformed},
		{"a short one from the Node SDK's test", "X-Line-Signature", "WqJD7WAIZ6plkQGkj48w=", "SECRET", `{}`, signature.LINE, signature.Malformed},
		{"upper-case digits mean the same bytes", "X-Hub-Signature", "sha1=" + strings.ToUpper(goodHub[5:]), "FAKE_SECRET", "rawBody", signature.BotBonnie, nil},
		{"the hash's name in upper case", "X-Hub-Signature", strings.ToUpper(goodHub), "FAKE_SECRET", "rawBody", signature.BotBonnie, signature.Malformed},
		{"the digits of another body", "X-Hub-Signature", goodHub, "FAKE_SECRET", "{}", signature.BotBonnie, signature.Mismatch},
		{"SHA-256 is not BotBonnie's", "X-Hub-Signature", "sha256=" + strings.Repeat("0", 64), "FAKE_SECRET", "{}", signature.BotBonnie, signature.Malformed},
	} {
		if _, err := c.verify(headers(c.header, c.value), secrets(c.secret), []byte(c.body)); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.reason, err, c.want)
		}
	}
}

// C37: the weaker signature counts only where the channel says so, and never against the stronger one.
func TestDowngrade(t *testing.T) {
	const (
		secret, body = "FAKE_SECRET", "rawBody"
		sha1Good     = "sha1=0d814d436b45c33ef664a317ff4b8dc2d3d8fe2a"
		// HMAC-SHA256 of the same: bottender's LINE vector in hexadecimal digits.
		sha256Good = "sha256=5ed144e30fbf7b9730f32b3a05200b1a3dd9098811b41742071c847eb9202cf7"
		sha256Bad  = "sha256=0000000000000000000000000000000000000000000000000000000000000000"
	)
	for _, c := range []struct {
		reason    string
		header    http.Header
		allowSHA1 bool
		want      error
	}{
		{"SHA-1 alone is refused by default", headers("X-Hub-Signature", sha1Good), false, signature.Downgraded},
		{"SHA-1 alone, where it is allowed", headers("X-Hub-Signature", sha1Good), true, nil},
		{"both good", headers("X-Hub-Signature", sha1Good, "X-Hub-Signature-256", sha256Good), true, nil},
		{"a bad SHA-1 beside a good SHA-256 is nothing to Meta's scheme", headers("X-Hub-Signature", "sha1=00", "X-Hub-Signature-256", sha256Good), true, nil},
		{"a good SHA-1 does not save a bad SHA-256", headers("X-Hub-Signature", sha1Good, "X-Hub-Signature-256", sha256Bad), true, signature.Mismatch},
		{"nor a broken one", headers("X-Hub-Signature", sha1Good, "X-Hub-Signature-256", "sha256=zz"), true, signature.Malformed},
		{"nor an empty one", headers("X-Hub-Signature", sha1Good, "X-Hub-Signature-256", ""), true, signature.Missing},
		{"a SHA-1 value under the other name", headers("X-Hub-Signature-256", sha1Good), true, signature.Malformed},
		{"neither", headers(), false, signature.Missing},
	} {
		if _, err := signature.Messenger(c.header, secrets(secret), []byte(body), c.allowSHA1); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.reason, err, c.want)
		}
	}
}

// C36: Facebook signs the escaped text that it sends; the same JSON written otherwise is another message.
func TestRawBytesAreSigned(t *testing.T) {
	escaped := `{"text":"\u00e4\u00f6\u00e5 \/ \u003C"}`
	signed := headers("X-Hub-Signature-256", signHub(t, "secret", escaped))
	if _, err := messenger(signed, secrets("secret"), []byte(escaped)); err != nil {
		t.Errorf("the bytes of the wire: %v", err)
	}
	for _, rewritten := range []string{`{"text":"äöå / <"}`, `{"text": "\u00e4\u00f6\u00e5 \/ \u003C"}`, escaped + "\r\n"} {
		if _, err := messenger(signed, secrets("secret"), []byte(rewritten)); !errors.Is(err, signature.Mismatch) {
			t.Errorf("%q: %v, want a mismatch", rewritten, err)
		}
	}
}

func TestKnown(t *testing.T) {
	for _, c := range []struct {
		given string
		keys  []secretfile.Secret
		want  bool
	}{
		{"meatyhamhock", secrets("meatyhamhock"), true},
		{"meatyhamhock", secrets("new", "meatyhamhock"), true},
		{"meatyhamhoc", secrets("meatyhamhock"), false},
		{"", secrets("meatyhamhock"), false},
		{"", nil, false},
	} {
		if got := signature.Known(c.given, c.keys); got != c.want {
			t.Errorf("Known(%q, %d secrets) = %t", c.given, len(c.keys), got)
		}
	}
}

func TestCopyHeaders(t *testing.T) {
	from := headers("X-Hub-Signature-256", "a", "X-Hub-Signature-256", "b", "X-Hub-Signature", "c", "Cookie", "d")
	to := http.Header{}
	signature.CopyHeaders(to, from)
	if len(to) != 2 || strings.Join(to["X-Hub-Signature-256"], ",") != "a,b" || to.Get("X-Hub-Signature") != "c" {
		t.Errorf("copied %v", to)
	}
}
