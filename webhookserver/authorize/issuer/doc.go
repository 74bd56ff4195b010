// Package issuer knows a channel's OpenID Connect issuer: its metadata, its keys,
// and whether they can be trusted now. It is the one package that go-oidc and the
// issuer's own documents meet in.
//
// go-oidc would fetch the documents itself, but it follows redirects, reads bodies
// without a bound, quotes them in errors and asks for keys again for every unknown
// key ID. So the documents come through package outbound, every URL in them is
// judged before it is used, and go-oidc is handed a key set ([Watcher]) that asks
// at most once in ten seconds. Whatever goes wrong is a [Reason] of a closed set.
//
// A [Watcher] keeps the last good documents in the store. It serves them for 24
// hours while the issuer is down:
//
//	Never ──► Discovered ──► Stale ──► Expired
//	               ▲            │         │
//	               └────────────┴─────────┘  the next good refresh
package issuer
