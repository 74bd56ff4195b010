package messenger

import (
	"net/url"

	"channellink.dev/operator/webhookserver/secretfile"
	"channellink.dev/operator/webhookserver/signature"
)

// maxChallenge bounds hub.challenge, which Meta calls an int.
const maxChallenge = 256

// Challenge returns what to answer to Meta's verification of a webhook URL; false if
// the question is not from somebody who knows the verify token. The challenge is
// letters and digits: nothing that a browser could take for a page.
func Challenge(query url.Values, tokens []secretfile.Secret) (string, bool) {
	single := func(name string) string {
		if values := query[name]; len(values) == 1 {
			return values[0]
		}
		return ""
	}
	known := signature.Known(single("hub.verify_token"), tokens)
	challenge := single("hub.challenge")
	if !known || single("hub.mode") != "subscribe" || challenge == "" || len(challenge) > maxChallenge {
		return "", false
	}
	for i := range len(challenge) {
		c := challenge[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "", false
		}
	}
	return challenge, true
}
