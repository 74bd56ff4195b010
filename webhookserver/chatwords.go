package webhookserver

import (
	"strings"

	"channellink.dev/operator/webhookserver/link"
)

// chatWords are the texts that a bot says for us, in one language.
type chatWords struct {
	linked, linkedTo, wait, startAgain, unlinked, login string
	loginFirst, tryLater                                string // of personalised services
}

// Traditional Chinese is what most of BotBonnie's chats are in; English is for everybody else.
var (
	chineseWords = chatWords{
		linked:     "帳號綁定完成。您隨時可以在聊天室中解除綁定。",
		linkedTo:   "已綁定帳號：%s。您隨時可以在聊天室中解除綁定。",
		wait:       "正在確認您的綁定，請稍候片刻再試一次。",
		startAgain: "尚未完成綁定。請重新登入。",
		unlinked:   "已解除帳號綁定。",
		login:      "登入",
		loginFirst: "請先登入並綁定帳號，才能使用這項服務。",
		tryLater:   "目前無法取得您的資料，請稍後再試。",
	}
	englishWords = chatWords{
		linked:     "Your account is linked. You can unlink it here in the chat at any time.",
		linkedTo:   "Linked as %s. You can unlink here in the chat at any time.",
		wait:       "Your link is being confirmed. Please try again in a moment.",
		startAgain: "Your account is not linked. Please log in again.",
		unlinked:   "Your account is not linked any more.",
		login:      "Log in",
		loginFirst: "Please log in and link your account first to use this.",
		tryLater:   "This is not available right now. Please try again later.",
	}
)

// linkedAs names the account, if there is a name for it that people know. The subject is none: with oidc.userClaim: sub, the
// default, it stands in the place of the account, and is a number of the issuer's own.
func (w chatWords) linkedAs(who link.Identity) string {
	if who.Account == "" || who.Account == who.Subject {
		return w.linked
	}
	return strings.Replace(w.linkedTo, "%s", who.Account, 1)
}

// wordsFor chooses by the user's locale as the platform has it (zh_TW, en-GB), and else by the languages that the channel
// asks its issuer for.
func wordsFor(c *channel, locale string) chatWords {
	for _, wanted := range append([]string{locale}, c.OIDC.UILocales...) {
		switch {
		case strings.HasPrefix(strings.ToLower(wanted), "zh"):
			return chineseWords
		case wanted != "":
			return englishWords
		}
	}
	return chineseWords
}
