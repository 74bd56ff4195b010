// Package samplehr is a company's leave service, as small as one can be that believes nobody. It answers two kinds of callers:
//
//   - a ChannelLink server, on behalf of a chat user, who is named by a signed identity assertion. The service finds the
//     server's keys by the issuer's discovery document and checks issuer, audience, type and times itself. Its answer is a
//     BotBonnie message;
//   - the company's bot, with the code of a linking and the chat user's id. The service asks the server's /introspect whether
//     the pair is good, each time: a link that ended is good no more.
//
// It shares no code with operator or server: it is written from the documented wire alone, as a company would write it.
package samplehr
