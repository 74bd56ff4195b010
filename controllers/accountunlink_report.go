package controllers

import (
	"fmt"
	"strings"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/status"
	"channellink.dev/operator/webhookserver/adminapi"
)

// seen is what the pass knows, in the words of the resource.
func (w *unlinkWork) seen() status.Unlinking {
	seen := status.Unlinking{Epoch: epoch(w.unlink), Refusal: w.refusal}
	for _, c := range w.channels {
		seen.Channels = append(seen.Channels, c.seen(held(w.unlink)))
		if c.reply != nil && c.reply.result.Cause == adminapi.UnlinkActionsNotSupported {
			// The ChannelLink was changed a moment ago and the cache does not show it yet.
			seen.Refusal = &status.Refusal{
				Reason:  v1alpha1.ReasonActionsNotSupported,
				Message: fmt.Sprintf("ChannelLink %q has no BotBonnie to take the actions", c.name),
			}
		}
	}
	return seen
}

// over tells whether nothing is left to do in the channel.
func (c channelWork) over() bool {
	return c.answered() && !c.reply.result.More
}

// answered tells whether the server's ledger knows the request. An answer that does not say since when is none.
func (c channelWork) answered() bool {
	return c.reply != nil && c.reply.err == nil && !c.reply.result.StartedAt.IsZero()
}

// seen says how far the request has come in the channel.
func (c channelWork) seen(held bool) status.ChannelUnlinking {
	seen := status.ChannelUnlinking{Name: c.name, Next: c.due}
	if c.answered() {
		seen.Answer = c.answer()
	}
	switch {
	case c.over():
	case c.link == nil:
		seen.Obstacle = v1alpha1.ReasonWaitingForChannelLink
		seen.Detail = fmt.Sprintf("There is no ChannelLink %q, or it is being deleted", c.name)
	case !servable(c.link):
		seen.Obstacle, seen.Detail = v1alpha1.ReasonWaitingForServer, c.notServed()
	case c.reply == nil && held:
		seen.Obstacle = v1alpha1.ReasonSuspended
	case c.reply == nil:
		seen.Obstacle, seen.Detail = v1alpha1.ReasonBackingOff, scheduled
	default:
		seen.Obstacle, seen.Detail = c.obstacle()
	}
	return seen
}

// obstacle is what keeps the request from being over, by the server's last reply.
func (c channelWork) obstacle() (reason, detail string) {
	switch cause := c.reply.result.Cause; {
	case cause == adminapi.UnlinkCredentialsRejected:
		return v1alpha1.ReasonCredentialsRejected,
			fmt.Sprintf("%s refuses the token of ChannelLink %q: put another into its Secret, it is taken up by itself", c.platform(), c.name)
	case cause == adminapi.UnlinkCredentialsMissing:
		return v1alpha1.ReasonCredentialsRejected,
			fmt.Sprintf("ChannelLink %q has no token for the call to %s: put one into its Secret, it is taken up by itself", c.name, c.platform())
	case cause == adminapi.UnlinkStoreUnavailable, cause == "" && !c.answered():
		return v1alpha1.ReasonWaitingForServer, c.notServed()
	case cause == "":
		return v1alpha1.ReasonBackingOff, unfinished
	default:
		return v1alpha1.ReasonBackingOff, scheduled
	}
}

// unfinished is the message of BackingOff when nothing has failed.
const unfinished = "There are more users than one attempt has time for; the next is due at status.nextAttemptTime"

// scheduled is the message of BackingOff. What failed stands with the users; here it would change from attempt to attempt.
const scheduled = "The last attempt failed; the next is due at status.nextAttemptTime"

// notServed is one message for all that keeps a server from taking an unlinking, so that a server that comes and goes
// leads to no writes.
func (c channelWork) notServed() string {
	return fmt.Sprintf("The server of ChannelLink %q is not ready or does not answer: see the conditions of the ChannelLink", c.name)
}

// platform names who is told of an unlinking.
func (c channelWork) platform() string {
	switch {
	case c.link == nil:
		return "the platform"
	case c.link.Spec.BotBonnie != nil:
		return "BotBonnie"
	case c.link.Spec.Platform == v1alpha1.PlatformFacebook:
		return "Meta"
	default:
		return "LINE"
	}
}

// answer puts the server's answer into the words of the resource.
func (c channelWork) answer() *status.UnlinkAnswer {
	result := c.reply.result
	answer := &status.UnlinkAnswer{
		At: c.reply.at, StartedAt: result.StartedAt, Attempts: result.Attempts,
		Counts: status.UnlinkCounts(result.Counts),
	}
	for _, user := range result.Users {
		answer.Users = append(answer.Users, v1alpha1.UnlinkedUser{
			ChannelLink: v1alpha1.ObjectName(c.name),
			User:        maskedOnly(user.User),
			Result:      unlinkResults[user.State],
			Attempts:    user.Attempts,
			Message:     c.userMessage(user),
		})
	}
	return answer
}

// unlinkResults are the server's final states in the words of the resource. Any other is no result yet.
var unlinkResults = map[adminapi.UnlinkState]v1alpha1.UnlinkResult{
	adminapi.UnlinkDone:       v1alpha1.UnlinkResultUnlinked,
	adminapi.UnlinkNotLinked:  v1alpha1.UnlinkResultNotLinked,
	adminapi.UnlinkSuperseded: v1alpha1.UnlinkResultSuperseded,
	adminapi.UnlinkFailed:     v1alpha1.UnlinkResultFailed,
}

// ellipsis stands in a masked id for what was left out.
const ellipsis = "…"

// maskedOnly lets no id pass that is not masked. The client has looked at its form; this is for whatever stands in for it.
func maskedOnly(user string) string {
	if !strings.Contains(user, ellipsis) {
		return ellipsis
	}
	return user
}

// userMessages say why a user is not done with; %s is the platform.
var userMessages = map[adminapi.UnlinkCause]string{
	adminapi.UnlinkRejected:            "revoked here; %s still shows this user as linked",
	adminapi.UnlinkCredentialsRejected: "revoked here; %s refuses the token",
	adminapi.UnlinkCredentialsMissing:  "revoked here; there is no token to call %s with",
	adminapi.UnlinkRateLimited:         "revoked here; %s asks for patience",
	adminapi.UnlinkUpstreamFailed:      "revoked here; %s answers with an error",
	adminapi.UnlinkUnreachable:         "revoked here; %s does not answer",
	adminapi.UnlinkPaused:              "revoked here; waits for its turn to call %s",
}

func (c channelWork) userMessage(user adminapi.UnlinkUser) string {
	if user.State == adminapi.UnlinkSuperseded {
		return "this user has linked again since"
	}
	if user.State != adminapi.UnlinkFailed && user.State != adminapi.UnlinkWaiting {
		return ""
	}
	text, ok := userMessages[user.Cause]
	if !ok {
		text = "revoked here; %s is still to be told"
	}
	message := fmt.Sprintf(text, c.platform())
	if user.HTTPStatus != 0 {
		message += fmt.Sprintf(" (HTTP status %d)", user.HTTPStatus)
	}
	return message
}
