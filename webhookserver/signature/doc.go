// Package signature decides whether a request comes from a chat platform. What it
// makes of one that does, a [Verified], is the only thing that the decoders of the
// platforms take: no caller can skip the check.
//
// The message of every scheme is the raw body as it came over the wire. Facebook
// escapes it before it signs (\u00e4, \/), so a body that was parsed and written
// again no longer has the signature that it came with.
package signature
