// Package services asks the company's own backends on behalf of a chat user whose identity is known.
//
// A call of BotBonnie's JSON API has been verified, and the link of its user found, before it comes here. The backend gets
// the body untouched and is told who the user is by an identity assertion: a JWT of one minute that only this channel can
// sign ([Keyring]), for this one backend (its audience). What the backend answers becomes a BotBonnie message: checked
// against the documented shapes, or rendered by a template.
//
// A backend that is slow, down or wrong costs its own users a sentence and nobody else anything: each service has its own
// connections, deadline and breaker. Errors are of closed sets and hold nothing that a backend wrote.
package services
