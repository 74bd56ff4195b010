// Package botapi is what the company's own bot asks of a channel: who a chat user is, messages that have him log in or out,
// the end of his link, and whether the code that he was linked with still stands for him (RFC 7662).
//
// Every call carries a bearer token. That of the introspection is another one than the bot's: whoever checks codes need not
// be able to look users up.
package botapi
