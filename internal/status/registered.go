package status

import (
	"fmt"
	"strings"

	"channellink.dev/operator/api/v1alpha1"
)

// observesRegistration says whether somebody asked to compare the webhook that is set at the platform.
func observesRegistration(spec *v1alpha1.ChannelLinkSpec) bool {
	return spec.Webhook != nil && spec.Webhook.Registration == v1alpha1.WebhookRegistrationObserve
}

// registered says whether the platform calls this server. Where it calls instead is not said: that text is the platform's.
func registered(link *v1alpha1.ChannelLink, seen Observed) verdict {
	const kind = v1alpha1.ConditionRegistered
	if v, ok := serverSilent(kind, seen); ok {
		return v
	}
	fact := seen.Server.Report.Registration
	words, ok := registrationWords[link.Spec.Platform][fact.Reason]
	if !ok {
		return unknown(kind, v1alpha1.ReasonPending, "The server has not asked the platform yet")
	}
	message := strings.ReplaceAll(words, "%s", strings.TrimSuffix(string(link.Spec.PublicURL), "/")+"/webhook")
	if fact.HTTPStatus != 0 {
		message += fmt.Sprintf(" (HTTP status %d)", fact.HTTPStatus)
	}
	switch {
	case fact.True:
		return yes(kind, fact.Reason, message)
	case fact.False:
		return no(kind, fact.Reason, message)
	default:
		return unknown(kind, fact.Reason, message)
	}
}

// Where the webhook is set.
const (
	lineConsole   = "In the LINE Developers Console, on the channel's tab \"Messaging API\", "
	metaDashboard = "In the Meta App Dashboard, under the app's Messenger settings, "
)

// registrationWords say for each platform and reason what is the matter and what to do. %s is our webhook URL.
var registrationWords = map[v1alpha1.Platform]map[string]string{
	v1alpha1.PlatformLINE: {
		v1alpha1.ReasonRegistered:        "LINE calls %s. Its switch \"Webhook redelivery\" cannot be read by a program: see that it is on, or what LINE sends while the server is away is lost",
		v1alpha1.ReasonOtherWebhookURL:   "LINE calls another webhook URL. " + lineConsole + "set it to %s; where a relay stands in front on purpose, set spec.webhook.registration: Manual",
		v1alpha1.ReasonNoWebhookURL:      "No webhook URL is set at LINE. " + lineConsole + "set it to %s",
		v1alpha1.ReasonWebhookInactive:   "The webhook URL is set at LINE and not used. " + lineConsole + "switch on \"Use webhook\"",
		v1alpha1.ReasonWebhookUnreached:  "LINE's own test cannot connect to %s: check DNS, the certificate (a public authority, whole chain) and the way in from outside",
		v1alpha1.ReasonWebhookTimedOut:   "LINE's own test had no answer from %s within two seconds: check the way in from outside, and the bot of spec.webhook.forwardTo",
		v1alpha1.ReasonWebhookBadStatus:  "LINE's own test got an error from %s: check spec.line.channelSecretRef, the way in from outside, and the bot of spec.webhook.forwardTo",
		v1alpha1.ReasonWebhookTestFailed: "LINE's own test of %s failed",
		v1alpha1.ReasonTokenRejected:     "LINE does not accept spec.line.channelAccessTokenSecretRef: put a valid channel access token there",
		v1alpha1.ReasonPlatformSilent:    "LINE does not say which webhook URL is set; the server's log has the reason",
	},
	v1alpha1.PlatformFacebook: {
		v1alpha1.ReasonRegistered:      "Meta calls this server, or one of the same app that hands the calls on, and the page sends its linking events",
		v1alpha1.ReasonSubscribed:      "The page sends its linking events to an app; which URL that app calls cannot be read without spec.messenger.appSecretRef",
		v1alpha1.ReasonOtherWebhookURL: "Meta calls another webhook URL. " + metaDashboard + "set the callback URL to %s; where a relay stands in front on purpose, set spec.webhook.registration: Manual",
		v1alpha1.ReasonNoWebhookURL:    "The app has no webhook for pages. " + metaDashboard + "set the callback URL to %s, with the token of spec.messenger.verifyTokenSecretRef",
		v1alpha1.ReasonWebhookInactive: "The app's webhook is set and not active. " + metaDashboard + "verify %s again",
		v1alpha1.ReasonNotSubscribed:   "The events that confirm links are not sent. " + metaDashboard + "subscribe both the app's webhook and the page to messaging_account_linking",
		v1alpha1.ReasonTokenRejected:   "Graph does not let spec.messenger.pageAccessTokenSecretRef read the page's subscriptions: put a token of the page there with the permission pages_manage_metadata, and see that spec.messenger.appSecretRef is of the same app",
		v1alpha1.ReasonPlatformSilent:  "Graph does not say how the page is subscribed; the server's log has the reason",
	},
}
