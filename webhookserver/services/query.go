package services

import (
	"net/url"
	"strings"
)

// keyParam is the parameter of our URLs that carries BotBonnie's URL key. It stays here.
const keyParam = "k"

// passOn is the query for a backend: that of its own URL, then that of BotBonnie's call. Nothing signs the latter, so what
// the settings say of a parameter is not added to. It reports false if the query of the call cannot be read.
func passOn(own, theirs string) (string, bool) {
	// As in the server's own reading of the key: what cannot be read is refused, not read otherwise.
	if _, err := url.ParseQuery(theirs); err != nil {
		return "", false
	}
	settled, _ := url.ParseQuery(own) // an error leaves out what nobody could read
	var b strings.Builder
	b.WriteString(own)
	for pair := range strings.SplitSeq(theirs, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, _ = url.QueryUnescape(name)
		if name == keyParam || settled.Has(name) || pair == "" {
			continue
		}
		value, _ = url.QueryUnescape(value)
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(value))
	}
	return b.String(), true
}
