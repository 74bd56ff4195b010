//go:build browser

package browser

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"channellink.dev/operator/webhookserver/messenger"
)

// C14: what the server takes for the way back to Messenger, Chromium takes for it too. Both read hundreds of thousands of
// URLs that are nearly right, with what parsers are known to read differently at every place.
func TestRedirectsReadAsChromiumReadsThem(t *testing.T) {
	const path, token = "/messenger_platform/account_linking", "ARtoken"
	redirects := messenger.Redirects{Hosts: []string{"www.facebook.com", "facebook.com", "www.messenger.com"}}
	seeds := []string{
		"https://www.facebook.com" + path, "https://facebook.com" + path + "/", "https://www.messenger.com" + path + "/?account_linking_token=" + token,
		"https://www.facebook.com" + path + "?a=b&account_linking_token=" + token + "&c=%2F",
		"https://evil.example/https://www.facebook.com" + path, "https://www.facebook.com.evil.example" + path, "https://www.facebook.com@evil.example" + path,
	}
	nasty := []string{
		"\\", "/", "//", "@", ":", "#", "?", "&", ";", "%", "%2f", "%5c", "%2e", "%2e%2e/", "../", "./", "%00", "%0a", "%09", "\t", "\n", "\r", " ", "\x00",
		"\u3002", "\uff0f", "\uff0e", "\u200b", "\u00ad", "\ufeff", "[", "]", "[::1]", "|", "^", "`", "{", "<", "\"", "'", "!", "$", "*", "(", ",", "=", "+", "~", "_", "-", ".",
		"evil.example", "@evil.example/", ".evil.example", "https:", "javascript:", "xn--", "0x7f.1", ":443", ":80", ":", "authorization_code=x", "a", "A", "0",
	}
	random := rand.New(rand.NewPCG(14, 14))
	var taken []string
	for range 300_000 {
		uri := seeds[random.IntN(len(seeds))]
		for range 1 + random.IntN(3) {
			at := random.IntN(len(uri) + 1)
			cut := min(at+random.IntN(3), len(uri))
			uri = uri[:at] + nasty[random.IntN(len(nasty))] + uri[cut:]
		}
		if redirects.Check(uri, token) == nil {
			taken = append(taken, uri)
		}
	}
	slices.Sort(taken)
	taken = slices.Compact(taken)
	if len(taken) < 1000 {
		t.Fatalf("only %d of them are taken: the test tries nothing", len(taken))
	}
	tab, end := chromedp.NewContext(chromium)
	defer end()
	for uris := range slices.Chunk(taken, 2000) {
		read, err := chromedp.Run(tab, chromedp.Evaluate[[][]string](`(uris => uris.map(uri => {
			try { const u = new URL(uri); return [u.protocol, u.host, u.pathname, u.username + u.password + u.hash] } catch { return ["no URL"] }
		}))(`+quoted(t, uris)+`)`))
		if err != nil {
			t.Fatal(err)
		}
		for i, u := range read {
			good := len(u) == 4 && u[0] == "https:" && slices.Contains(redirects.Hosts, u[1]) && strings.TrimSuffix(u[2], "/") == path && u[3] == ""
			if !good {
				t.Errorf("%q: Chromium reads %q", uris[i], u)
			}
		}
	}
	t.Logf("Chromium agrees on %d URLs", len(taken))
}

// quoted is the list as JavaScript.
func quoted(t *testing.T, list []string) string {
	t.Helper()
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
