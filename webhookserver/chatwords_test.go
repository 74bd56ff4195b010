package webhookserver

import (
	"strings"
	"testing"

	"channellink.dev/operator/webhookserver/link"
)

func TestChatWords(t *testing.T) {
	c := &channel{}
	english := &channel{}
	english.OIDC.UILocales = []string{"en-GB"}
	for _, x := range []struct {
		channel *channel
		locale  string
		want    chatWords
	}{
		{c, "zh_TW", chineseWords}, {c, "zh-Hant-TW", chineseWords}, {c, "en_US", englishWords}, {c, "fr_FR", englishWords},
		{c, "", chineseWords}, {english, "", englishWords}, {english, "zh_TW", chineseWords},
	} {
		if got := wordsFor(x.channel, x.locale); got != x.want {
			t.Errorf("%q: %s", x.locale, got.login)
		}
	}
}

// The account is named where people know it; a subject is told to nobody.
func TestLinkedAs(t *testing.T) {
	for _, w := range []chatWords{chineseWords, englishWords} {
		for _, c := range []struct {
			reason, account string
			named           bool
		}{
			{"userClaim: email", "j.dupont@vision.example", true},
			{"what looks like a verb of fmt", "100%s", true},
			{"userClaim: sub, the default", "00u1a2b3c4", false},
			{"an imported link without an account", "", false},
		} {
			text := w.linkedAs(link.Identity{Issuer: "https://sso.vision.example", Subject: "00u1a2b3c4", Account: c.account})
			if named := text != w.linked; named != c.named || named && !strings.Contains(text, c.account) || strings.Contains(text, "00u1a2b3c4") {
				t.Errorf("%s: %q", c.reason, text)
			}
		}
		if text := w.linkedAs(link.Identity{Account: strings.Repeat("x", 100)}); len([]rune(text)) > 320 {
			t.Errorf("longer than a message may be: %q", text)
		}
	}
}
