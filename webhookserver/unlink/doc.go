// Package unlink ends links on somebody's order: an AccountUnlink's, a channel's end, the bot's on its user's word.
//
// # Steps
//
// One attempt takes the lease of a revocation in the ledger ([link.Ledger]) and goes through these steps:
//
//  1. close: in the transaction that opens the ledger's row, the links resolve to nobody any more, and sessions and pending
//     links from before the fence are dropped. A whole channel's links are closed in bites.
//  2. call: for each user who waits, the platform is told. The call is counted before it is made; if the user has linked
//     anew by then, his step ends as superseded and no call is made.
//  3. settle: what came of the call is written down before anything else is done. Success removes the link's row and leaves
//     one in the audit trail.
//  4. release: the lease is given back. When nobody waits, the revocation has ended.
//
// An attempt works for at most [WorkTime] and never repeats a call by itself: whoever asked asks again.
//
// # What is repeated
//
// A step that succeeded never is. A server that dies between the call and its settlement does not know what came of it: the
// next attempt makes that one call again. So a user's calls are at most one more than those that failed for each time that
// a server died, whatever the point; and [link.RevokedUser.Attempts] counts every one of them.
package unlink
