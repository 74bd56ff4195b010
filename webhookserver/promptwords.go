package webhookserver

import (
	"channellink.dev/operator/webhookserver/botapi"
	"channellink.dev/operator/webhookserver/pages"
)

// promptWords are the texts of prompts, in the languages of the pages and in their order. The pages quote the labels: who is
// told to tap a button must find it. LINE takes 60 characters of text beside a title, and 20 of a label.
var promptWords = []botapi.Words{
	{
		LoginText: "Log in to link your account with this chat.", LoginLabel: "Log in",
		LogoutText: "Log out to unlink your account from this chat.", LogoutLabel: "Log out",
	},
	{
		LoginText: "請登入，將您的帳號與這個聊天綁定。", LoginLabel: "登入",
		LogoutText: "登出後，您的帳號將與這個聊天解除綁定。", LogoutLabel: "登出",
	},
	{
		LoginText: "ログインして、アカウントをこのチャットと連携してください。", LoginLabel: "ログイン",
		LogoutText: "ログアウトすると、アカウントの連携が解除されます。", LogoutLabel: "ログアウト",
	},
	{
		LoginText: "เข้าสู่ระบบเพื่อเชื่อมต่อบัญชีของคุณกับแชตนี้", LoginLabel: "เข้าสู่ระบบ",
		LogoutText: "ออกจากระบบเพื่อยกเลิกการเชื่อมต่อบัญชีกับแชตนี้", LogoutLabel: "ออกจากระบบ",
	},
	{
		LoginText: "Connectez-vous pour associer votre compte à ce chat.", LoginLabel: "Se connecter",
		LogoutText: "Déconnectez-vous pour dissocier votre compte de ce chat.", LogoutLabel: "Se déconnecter",
	},
}

// promptWords are those in the language that the bot prefers for its user, and else in those that the channel asks its issuer
// for.
func (c *channel) promptWords(preferred string) botapi.Words {
	wanted := pages.Match(append([]string{preferred}, c.OIDC.UILocales...)...)
	for i, tag := range pages.Languages {
		if tag == wanted {
			return promptWords[i]
		}
	}
	return promptWords[0]
}
