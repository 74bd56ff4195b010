package plugin

import "channellink.dev/operator/api/v1alpha1"

// address is a URL of the channel and where it is to be entered.
type address struct {
	Where string `json:"where"`
	What  string `json:"what"`
	URL   string `json:"url"`
}

// addresses are the URLs of a channel, in the order in which a person sets a channel up: first the issuer, then the bot.
func addresses(l *v1alpha1.ChannelLink) []address {
	e := l.Status.Endpoints
	if e == nil {
		return nil
	}
	var all []address
	add := func(where, what, url string) {
		if url != "" {
			all = append(all, address{where, what, url})
		}
	}
	add("Identity provider", "redirect URI of the client "+l.Spec.OIDC.ClientID, e.Callback)
	if l.Spec.BotBonnie != nil {
		add("BotBonnie", "login URL of the account linking kit", e.Authorize)
		add("BotBonnie", "JSON API of the module \"linked\"", e.Linked)
		add("BotBonnie", "JSON API of the module \"unlinked\"", e.Unlinked)
		for _, service := range e.Services {
			add("BotBonnie", "JSON API of the service "+service.Name, service.URL)
		}
		add("Relay", "platform events that are passed on, untouched", e.Webhook)
	} else if l.Spec.Platform == v1alpha1.PlatformLINE {
		add("LINE Developers", "webhook URL, on the tab \"Messaging API\"", e.Webhook)
		add("Your bot", "login URL; it adds linkToken", e.Authorize)
	} else {
		add("Meta App Dashboard", "callback URL of the app's webhook, for messaging_account_linking", e.Webhook)
		add("Your bot", "URL of the Log In button", e.Authorize)
	}
	add("Your backend", "token introspection", e.Introspect)
	return all
}
