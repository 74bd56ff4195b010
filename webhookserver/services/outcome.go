package services

import (
	"errors"

	"channellink.dev/operator/webhookserver/botbonnie"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/outbound"
)

// Outcome says how a call of a service ended. The set is closed, so an outcome may stand in a metric: those below, and the
// reasons of package outbound.
type Outcome string

// The outcomes.
const (
	Answered    Outcome = "Answered"    // the backend's answer is on its way to the chat
	NotLinked   Outcome = "NotLinked"   // the user was asked to log in
	Unconfirmed Outcome = "Unconfirmed" // the user has logged in, and the platform has not confirmed it yet
	Unlinked    Outcome = "Unlinked"    // BotBonnie says that the user has unlinked: so did we
	StoreFailed Outcome = "StoreFailed" // who the user is could not be looked up
	NoKey       Outcome = "NoKey"       // nothing to sign an assertion with
	BadQuery    Outcome = "BadQuery"    // the call's query cannot be read
	BadMessage  Outcome = "BadMessage"  // the backend's answer is no message as documented
	BadTemplate Outcome = "BadTemplate" // the template cannot be rendered over the backend's answer
	Failed      Outcome = "Failed"      // anything else
)

// OutcomeOf is how a call ended whose error this is.
func OutcomeOf(err error) Outcome {
	var message *botbonnie.MessageError
	var template *config.TemplateError
	switch reason := outbound.ReasonOf(err); {
	case err == nil:
		return Answered
	case reason != "":
		return Outcome(reason)
	case errors.Is(err, ErrNoKey):
		return NoKey
	case errors.Is(err, ErrBadQuery):
		return BadQuery
	case errors.As(err, &message):
		return BadMessage
	case errors.As(err, &template):
		return BadTemplate
	}
	return Failed
}
