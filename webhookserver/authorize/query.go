package authorize

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"channellink.dev/operator/webhookserver/link"
)

// What a query may be, before anybody looks at what it says.
const (
	maxQuery  = 8 << 10 // bytes, still encoded
	maxParams = 32
	maxName   = 64
	maxValue  = 4 << 10 // Messenger's redirect_uri, the longest that a platform sends, has some 250
)

// parseQuery reads a query in the one way that a browser and a proxy read it, too: no name twice, be it in other letters; no
// bytes that are no text; nothing that strains the limits.
func parseQuery(raw string) (url.Values, error) {
	if len(raw) > maxQuery {
		return nil, &link.ParamError{Problem: link.ParamTooLong}
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, &link.ParamError{Problem: link.ParamMalformed} // err quotes the query
	}
	if len(query) > maxParams {
		return nil, &link.ParamError{Problem: link.ParamTooLong}
	}
	seen := make(map[string]bool, len(query))
	for name, values := range query {
		folded := strings.ToLower(name)
		switch {
		case len(values) != 1 || seen[folded]:
			return nil, &link.ParamError{Problem: link.ParamRepeated}
		case len(name) > maxName || len(values[0]) > maxValue:
			return nil, &link.ParamError{Problem: link.ParamTooLong}
		case !plain(name) || !plain(values[0]):
			return nil, &link.ParamError{Problem: link.ParamMalformed}
		}
		seen[folded] = true
	}
	return query, nil
}

// plain reports whether s is text without control characters.
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// previewAgents are words in the names of robots that open links to show what is behind them. LINE's is line-poker, which
// calls itself facebookexternalhit as well; the apps' own browsers have none of these.
var previewAgents = []string{
	"applebot", "bingbot", "bingpreview", "bitlybot", "crawler", "discordbot", "duckduckbot", "embedly", "facebookcatalog",
	"facebookexternalhit", "facebot", "google-inspectiontool", "googlebot", "iframely",
	"line-poker", "linkedinbot", "mastodon", "meta-externalagent", "meta-externalfetcher", "petalbot", "pinterestbot",
	"redditbot", "skypeuripreview", "slackbot", "slack-imgproxy", "snapchat preview", "spider", "teams-linkpreview",
	"telegrambot", "twitterbot", "vkshare", "whatsapp", "yandexbot", "yahoo! slurp",
}

// isPreview reports whether a request comes from something that looks at the link without a person behind it.
func isPreview(r *http.Request) bool {
	if r.Method == http.MethodHead {
		return true
	}
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if v := strings.ToLower(r.Header.Get(name)); strings.Contains(v, "prefetch") || strings.Contains(v, "preview") {
			return true
		}
	}
	agent := strings.ToLower(r.UserAgent())
	for _, name := range previewAgents {
		if strings.Contains(agent, name) {
			return true
		}
	}
	return false
}
