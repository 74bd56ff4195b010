// Package outbound is the one way out of the server: a guarded HTTP client, a
// token bucket and a breaker for each upstream, and errors that are safe to show.
//
// Whoever may edit a ChannelLink chooses hosts that the server will call, so
// every call is judged three times:
//
//   - the URL, before anything is looked up ([Policy.CheckURL]): https, but for hosts
//     that the policy names, no user information, no host that is a number in
//     disguise;
//   - the address that is really dialled, in the socket's control hook, so that
//     a second DNS answer cannot differ from the one that was judged;
//   - the answer: no redirect is followed, no other protocol is spoken, at most
//     1 MiB is read, and the whole exchange ends within 5 s.
//
// No error of this package holds a path, a query, a body or any other text that
// an upstream wrote: an [Error] is a [Reason] of a closed set, a host and a
// status code.
package outbound
