package status

import "channellink.dev/operator/api/v1alpha1"

// confirmationSeen tells whether the platform confirms logins. It is the one sign that what has to be set up elsewhere is
// set up: without it, logins seem to work and nobody ends linked.
func confirmationSeen(link *v1alpha1.ChannelLink, seen Observed) verdict {
	const kind = v1alpha1.ConditionConfirmationSeen
	if v, ok := serverSilent(kind, seen); ok {
		return v
	}
	switch fact := seen.Server.Report.Confirmation; {
	case fact.True:
		return yes(kind, fact.Reason, "The platform confirms logins")
	case fact.False:
		return no(kind, fact.Reason, "A login was not confirmed in time: "+setUpConfirmation(&link.Spec))
	default:
		return unknown(kind, v1alpha1.ReasonPending, "No link has been confirmed by the platform yet")
	}
}

// setUpConfirmation says where to look when nothing confirms logins. The user may also just have closed the page at the last
// moment; the next confirmation says so.
func setUpConfirmation(spec *v1alpha1.ChannelLinkSpec) string {
	switch {
	case spec.BotBonnie != nil:
		return "check at BotBonnie that the bot of spec.botBonnie.botID serves this page, that its account linking kit opens " +
			"the login URL of status.endpoints.authorize, and that spec.botBonnie.apiTokenSecretRef holds that bot's API token"
	case spec.Platform == v1alpha1.PlatformLINE:
		return "check in the LINE Developers Console that the channel's webhook URL is the one of status.endpoints.webhook, " +
			"that \"Use webhook\" is on, and that spec.line.channelSecretRef holds that channel's secret"
	default:
		return "check in the Meta App Dashboard that the webhook is the one of status.endpoints.webhook, that the page is " +
			"subscribed to it with the field messaging_account_linking, and that spec.messenger.appSecretRef holds that app's secret"
	}
}
