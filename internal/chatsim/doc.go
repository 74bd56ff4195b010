// Package chatsim is a strict stand-in for the chat platforms: LINE's API, account link page and webhooks, Meta's Graph,
// Messenger's linking page and webhooks, and BotBonnie's redirector, API and module calls. It refuses what they refuse, records
// every request, and plays those who attack a login.
//
// It imports nothing of the operator or the server, so that one mistake cannot hide on both sides. Everything in it is made
// up by its own configuration: it is no use but on one machine.
//
// Where a platform's behaviour is not documented, the simulator does what is worst for the server: Messenger does not look
// whose browser ends a linking, and BotBonnie can be told to keep a code before the platform has judged it.
package chatsim
