// Package authorize takes a chat user's browser from the login button to the link: the login at the company's OpenID
// provider, the consent, and the way back to the chat platform.
//
// A login is a state machine. Its state is the session row in the store, so any replica can take the next step; a step is
// taken once, by whoever moves the row first.
//
//	            GET /authorize            GET /callback              GET /callback
//	(none) ──────────────────► Started ──────────────► Exchanging ──────────────► Identified
//	            begin                     the state is taken  │      identify         │
//	                                                          │                       │ GET /consent: ask, any number of times
//	                   ┌──────────────────────────────────────┤         ┌─────────────┤ POST /consent: one press
//	                   ▼ error or a bad answer                ▼ no      ▼ cancel      ├──────────────┐
//	                 Done                                   Done      Done            ▼ link         ▼ not you
//	             page of ours                         303 platform or our page      Done           Done, and begin anew at the issuer
//	                                                                             303 platform      303 issuer, with prompt
//
// One dispatcher (dispatch.go) finds out who asks and how far the login has come, takes the step that the table there names,
// and writes the answer. A step never calls a step: it returns where the browser goes, and the browser asks for the next.
//
// # Proofs
//
// A browser carries three random values, and the issuer brings one back. The row holds the hash of each; nothing is sealed.
//
//	cookie       __Host-cl-<channel>-<flow>: this is the browser that began. Checked at every step but the first.
//	state        names the flow and proves that the issuer answers a request of ours. It is spent by the first callback.
//	nonce        in the ID token: it was issued for this login.
//	form token   the press came from our page. It is computed from the cookie, which no other page can read.
//
// The cookie is looked at before the state is taken: a callback URL that is opened in another browser, by a preview robot or
// by whoever it was forwarded to, costs the login nothing and the issuer no token request. `iss` (RFC 9207) is compared
// before that, too.
//
// # Time
//
// The platform's token runs while the person signs in. Its clock starts with the session, which cannot be later than its
// issue: when its life is over there is no way to the platform any more, only a page that says to tap the button again. "Not
// you?" does not wind the clock back, and a machine's clock that is set back gives no login more time: those that are open
// then are over. A pending link is good for as long again from the consent.
//
// # Errors
//
// Two kinds, both written by the dispatcher. A displayed one is a page, because nobody has proven where else the browser
// should go. A redirected one is the platform's own way of saying no, for a person who canceled. Why something was refused is
// a [Reason], of a closed set: in the log with the flow's random name, in a metric, never on the page, and never in words of
// the issuer's.
package authorize
