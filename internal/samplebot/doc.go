// Package samplebot is the bot that a company had before: it sits behind webhook.forwardTo of the ChannelLinks of its channels
// on Messenger and LINE, and answers one question, how much leave is left.
//
// It verifies each webhook call itself. From the signed event of a linking it keeps the code beside the chat user, and presents
// both to the company's leave service, which believes neither and asks the ChannelLink server. When there is no code, or the
// leave service does not take it, the bot asks the server for a login prompt: on LINE it replies with that message itself, on
// Messenger it has the server send it.
//
// Its memory is a map: a bot that is started again asks people to log in again. It shares no code with operator or server.
package samplebot
